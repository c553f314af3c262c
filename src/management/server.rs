//! Connections of HTTP clients.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::management::Tls;
use crate::management::manager::Manager;
use crate::management::places::Guest;
use crate::management::port::Port;
use crate::management::router;

/// Waiting time after accepting failed, as when no file descriptors are left.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Time for the head of a request, from its first octet.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection ends on which nothing has moved for so long: a client that asks nothing, sends a
/// body in drops, or does not take its answer. Looked at twice in that time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Octets of the head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Accepts connections for as long as the runtime lives.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    port: Arc<Port>,
    manager: Arc<Manager>,
) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let (manager, port) = (Arc::clone(&manager), Arc::clone(&port));
                let tls = tls.clone();
                let place = manager.places.take().await;
                tokio::spawn(async move {
                    tokio::select! {
                        () = greet(socket, tls, peer.ip(), &place.guest, port, manager) => {}
                        () = place.guest.has_to_go() => {
                            tracing::debug!("HTTP connection of {peer}: it makes room for others");
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!("an HTTP connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn greet(
    socket: TcpStream,
    tls: Option<Tls>,
    peer: IpAddr,
    guest: &Arc<Guest>,
    port: Arc<Port>,
    manager: Arc<Manager>,
) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY could not be set: {error}");
    }
    match tls {
        None => serve_connection(socket, peer, guest, port, manager).await,
        #[cfg(feature = "tls")]
        Some(tls) => {
            match tokio::time::timeout(HEAD_TIMEOUT, tls.acceptor().accept(socket)).await {
                Ok(Ok(socket)) => serve_connection(socket, peer, guest, port, manager).await,
                Ok(Err(error)) => tracing::debug!("HTTPS connection of {peer}: {error}"),
                Err(_) => tracing::debug!("HTTPS connection of {peer}: no TLS handshake in time"),
            }
        }
        #[cfg(not(feature = "tls"))]
        Some(tls) => match tls {},
    }
}

pub(super) async fn serve_connection(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send,
    peer: IpAddr,
    guest: &Arc<Guest>,
    port: Arc<Port>,
    manager: Arc<Manager>,
) {
    let pulse = Arc::<Pulse>::default();
    let socket = Counted { socket, pulse: Arc::clone(&pulse) };
    let working = Arc::clone(&pulse);
    let service = service_fn(move |request| {
        let (manager, port) = (Arc::clone(&manager), Arc::clone(&port));
        let (pulse, guest) = (Arc::clone(&working), Arc::clone(guest));
        async move {
            pulse.working.fetch_add(1, Ordering::Relaxed);
            let response = router::respond(manager, &port, request, peer, &guest).await;
            guest.is_answered();
            pulse.working.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!("HTTP connection of {peer}: {error}");
            }
        }
        () = standstill(&pulse) => tracing::debug!("HTTP connection of {peer}: nothing moves"),
    }
}

/// What happens on a connection.
#[derive(Default)]
struct Pulse {
    /// Octets that were read and written.
    moved: AtomicU64,
    /// Requests that are read or worked on.
    working: AtomicUsize,
}

/// Waits until nothing has happened for a while.
async fn standstill(pulse: &Pulse) {
    let mut before = pulse.moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(IDLE_TIMEOUT / 2).await;
        let now = pulse.moved.load(Ordering::Relaxed);
        if now == before && pulse.working.load(Ordering::Relaxed) == 0 {
            return;
        }
        before = now;
    }
}

/// A socket that counts what is read and written.
struct Counted<S> {
    socket: S,
    pulse: Arc<Pulse>,
}

impl<S> Counted<S> {
    fn note(&self, octets: usize) {
        self.pulse.moved.fetch_add(octets as u64, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.note(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, octets);
        if let Poll::Ready(Ok(written)) = &polled {
            self.note(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        if let Poll::Ready(Ok(written)) = &polled {
            self.note(*written);
        }
        polled
    }
}
