//! What lapin runs on: tasks on tokio, time from the broker's clock, connections to the broker.

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd as AsHandle, AsRawFd as AsRawHandle};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket as AsRawHandle, AsSocket as AsHandle};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::{Task, simple_block_on};
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use crate::gateway::{InMemory, MemoryStream, shared_runtime};
pub use crate::remote::tasks::Spawned;
use crate::time::clock::{Clock, Timestamp, instant, until};
use crate::time::sleep::Sleep;
use crate::time::timers::Timers;

/// How long lapin waits, whatever for, when the broker is gone.
const PAUSE_AFTERWARDS: Duration = Duration::from_millis(1);

/// The timers for that, of all brokers of the process.
static AFTERWARDS: OnceLock<Arc<Timers>> = OnceLock::new();

/// A runtime for lapin whose clock is the broker's and whose network has nothing but the broker.
#[derive(Clone)]
pub struct BrokerRuntime {
    broker: Weak<InMemory>,
    timers: Arc<Timers>,
    heartbeat_s: Option<u16>,
    /// None until it is to run.
    threads: Option<Handle>,
}

impl BrokerRuntime {
    pub(super) fn new(
        broker: &Arc<InMemory>,
        timers: &Arc<Timers>,
        heartbeat_s: Option<u16>,
    ) -> Self {
        let (broker, timers) = (Arc::downgrade(broker), Arc::clone(timers));
        Self { broker, timers, heartbeat_s, threads: None }
    }

    pub(super) fn with_heartbeat_s(self, heartbeat_s: u16) -> Self {
        Self { heartbeat_s: Some(heartbeat_s), ..self }
    }

    /// Runs tasks in the runtime of the caller, or else on the threads for in-memory streams.
    pub(super) fn on_threads(self) -> io::Result<Self> {
        let threads = Handle::try_current().or_else(|_| shared_runtime())?;
        Ok(Self { threads: Some(threads), ..self })
    }

    fn connect(&self) -> io::Result<MemoryStream> {
        let broker = self.broker.upgrade();
        let broker = broker.ok_or_else(|| {
            io::Error::new(io::ErrorKind::ConnectionRefused, "broker was dropped")
        })?;
        broker.connect(self.heartbeat_s)
    }
}

impl fmt::Debug for BrokerRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerRuntime")
            .field("heartbeat_s", &self.heartbeat_s)
            .finish_non_exhaustive()
    }
}

impl RuntimeKit for BrokerRuntime {}

impl Executor for BrokerRuntime {
    type Task<T: Send + 'static> = Spawned<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        simple_block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        Spawned::task(self.threads.as_ref(), |threads| threads.spawn(future))
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        Spawned::task(self.threads.as_ref(), |threads| threads.spawn_blocking(work))
    }
}

impl Reactor for BrokerRuntime {
    type TcpStream = MemoryStream;
    type Sleep = Pause;

    fn register<H: Read + Write + AsHandle + AsRawHandle + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        let text = "there are no sockets in this runtime";
        Err::<MemoryStream, _>(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    fn sleep(&self, duration: Duration) -> Pause {
        let sleep = Sleep::until(&self.timers, self.timers.now() + duration);
        Pause { sleep, afterwards: None }
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        let start = self.timers.now();
        let sleep = Sleep::until(&self.timers, start);
        Interval { sleep, duration, start, started: instant() }
    }

    fn tcp_connect_addr(
        &self,
        _address: SocketAddr,
    ) -> impl Future<Output = io::Result<MemoryStream>> + Send + 'static {
        std::future::ready(self.connect())
    }
}

/// Time that lapin waits by the broker's clock; without the broker, a millisecond of real time. It
/// often waits in a loop until it has noticed that its connection is gone: a pause that was over
/// at once would keep it from noticing.
pub struct Pause {
    sleep: Sleep,
    afterwards: Option<Sleep>,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let pause = &mut *self;
        if pause.afterwards.is_none() {
            if Pin::new(&mut pause.sleep).poll(cx).is_pending() {
                return Poll::Pending;
            }
            if !pause.sleep.is_over_for_good() {
                return Poll::Ready(());
            }
        }
        let afterwards = pause.afterwards.get_or_insert_with(|| {
            let timers = AFTERWARDS.get_or_init(|| Timers::new(Clock::system()));
            Sleep::until(timers, timers.now() + PAUSE_AFTERWARDS)
        });
        Pin::new(afterwards).poll(cx)
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sleep.fmt(f)
    }
}

/// Due at once, and then each time `duration` has passed; ends with the broker.
struct Interval {
    sleep: Sleep,
    duration: Duration,
    /// The start by the broker's clock, and by the operating system's.
    start: Timestamp,
    started: Instant,
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        if Pin::new(&mut self.sleep).poll(cx).is_pending() {
            return Poll::Pending;
        }
        if self.sleep.is_over_for_good() {
            return Poll::Ready(None);
        }
        let due = self.sleep.deadline();
        let next = due + self.duration;
        self.sleep.reset(next);
        Poll::Ready(Some(self.started + until(due, self.start)))
    }
}
