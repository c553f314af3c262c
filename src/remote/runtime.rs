//! What lapin runs on when it connects for the broker: tokio, on threads of the broker's own.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd as AsHandle, AsRawFd as AsRawHandle};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket as AsRawHandle, AsSocket as AsHandle};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::{Task, simple_block_on};
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::{Interval, Sleep};

use super::stream::{BrokerStream, FromTokio};
use super::tasks::Spawned;

/// The threads that lapin's tasks run on.
#[derive(Clone, Debug)]
pub(super) struct RemoteRuntime(pub(super) Handle);

impl RuntimeKit for RemoteRuntime {}

impl Executor for RemoteRuntime {
    type Task<T: Send + 'static> = Spawned<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        simple_block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        Spawned::task(Some(&self.0), |threads| threads.spawn(future))
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        Spawned::task(Some(&self.0), |threads| threads.spawn_blocking(work))
    }
}

impl Reactor for RemoteRuntime {
    type TcpStream = BrokerStream;
    type Sleep = Sleep;

    fn register<H: Read + Write + AsHandle + AsRawHandle + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        let text = "streams are opened before lapin gets them";
        Err::<FromTokio<TcpStream>, _>(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let _inside = self.0.enter();
        tokio::time::sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        let _inside = self.0.enter();
        Ticks(tokio::time::interval(duration))
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<BrokerStream>> + Send + 'static {
        connect(address)
    }
}

async fn connect(address: SocketAddr) -> io::Result<BrokerStream> {
    Ok(Box::new(FromTokio(TcpStream::connect(address).await?)))
}

/// Due at once, and then each time a while has passed.
struct Ticks(Interval);

impl Stream for Ticks {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.0.poll_tick(cx).map(|at| Some(at.into_std()))
    }
}
