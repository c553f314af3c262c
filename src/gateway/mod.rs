//! AMQP 0-9-1 and RabbitMQ's stream protocol over sockets, for clients outside this process, and
//! over in-memory streams, for those inside.
//!
//! The only part of the broker that knows tokio. A connection is one task ([`amqp`], [`stream`])
//! that drives the protocol machine and calls what the embedded API calls.

mod amqp;
mod connection_timer;
mod handshakes;
mod in_memory;
mod line;
mod listener;
mod login;
mod lookout;
mod newcomer;
mod peer;
mod read_chunk;
mod socket;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod traffic;
mod unfinished;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::base::bind::bind;
use crate::gateway::line::Line;
use crate::gateway::newcomer::Start;
use crate::gateway::stream::Advertised;
use crate::node::Node;
use crate::node::certificates::Certificates;
use crate::node::connections::Closable;
use crate::node::listeners::Listener;
use crate::time::clock::Clock;
#[cfg(feature = "tls")]
use crate::tls::Tls;

pub(crate) use self::in_memory::InMemory;
pub use self::in_memory::MemoryStream;
#[cfg(feature = "lapin")]
pub(crate) use self::in_memory::threads::runtime as shared_runtime;
pub use self::stream::AdvertisedAddress;

/// Time for connections to write their connection.close, even if nobody waits for the answer.
const FAREWELL: Duration = Duration::from_millis(100);

/// Time for the threads to let go of sockets and everything else.
const STOP: Duration = Duration::from_secs(1);

/// What is spoken on a port, and which certificates are shown there.
struct Door {
    protocol: &'static str,
    certificates: Option<Arc<Certificates>>,
    /// Whether clients are asked for theirs.
    asks: bool,
}

/// Turns of connections after which a thread looks at the sockets of the others. That is how long
/// who is polite may wait for those who never stop.
const TURNS_BETWEEN_LOOKS: u32 = 11;

/// The threads that serve the connections of one broker.
pub(crate) struct Gateway {
    runtime: Runtime,
    clock: Clock,
    line: Line,
    /// Shared with every listener and connection.
    alive: Arc<()>,
}

impl Gateway {
    /// Starts `threads` threads. Heartbeats and timeouts go by `clock`.
    pub(crate) fn start(threads: usize, clock: Clock) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .event_interval(TURNS_BETWEEN_LOOKS)
            .thread_name("leveret-amqp")
            .enable_all()
            .build()?;
        Ok(Self { runtime, clock, line: Line::new(threads), alive: Arc::default() })
    }

    /// Listens on an address for AMQP; returns the one that was bound.
    pub(crate) fn listen(
        &self,
        broker: &Arc<Node>,
        address: impl ToSocketAddrs,
    ) -> io::Result<SocketAddr> {
        let config = listener::connection_config(broker, false);
        let door = Door { protocol: "amqp", certificates: None, asks: false };
        self.listen_for(door, broker, address, config, amqp::connection_task::ConnectionTask::new)
    }

    /// As [`Gateway::listen`], over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn listen_tls(
        &self,
        broker: &Arc<Node>,
        address: impl ToSocketAddrs,
        tls: &Tls,
    ) -> io::Result<SocketAddr> {
        let asks = tls.asks_for_certificates();
        let config = listener::connection_config(broker, asks);
        let certificates = Some(Arc::clone(tls.certificates()));
        let tls = tls.clone();
        let door = Door { protocol: "amqp/ssl", certificates, asks };
        self.listen_for(door, broker, address, config, move |socket, start| {
            let tls = tls.clone();
            Box::pin(async move {
                if let Some((stream, start)) = tls::shake_hands(socket, start, &tls).await {
                    amqp::connection_task::ConnectionTask::new(stream, start).await;
                }
            })
        })
    }

    /// Listens on an address for stream clients, who are told to come to `advertised`.
    pub(crate) fn listen_for_streams(
        &self,
        broker: &Arc<Node>,
        address: impl ToSocketAddrs,
        advertised: AdvertisedAddress,
    ) -> io::Result<SocketAddr> {
        let config = stream::connection_config(broker, false);
        let door = Door { protocol: "stream", certificates: None, asks: false };
        self.listen_for(door, broker, address, config, move |socket, start| {
            let advertised = Advertised::new(&advertised, socket.local_addr().ok());
            stream::connection_task::ConnectionTask::new(socket, advertised, start)
        })
    }

    /// As [`Gateway::listen_for_streams`], over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn listen_for_streams_tls(
        &self,
        broker: &Arc<Node>,
        address: impl ToSocketAddrs,
        advertised: AdvertisedAddress,
        tls: &Tls,
    ) -> io::Result<SocketAddr> {
        let asks = tls.asks_for_certificates();
        let config = stream::connection_config(broker, asks);
        let certificates = Some(Arc::clone(tls.certificates()));
        let tls = tls.clone();
        let door = Door { protocol: "stream/ssl", certificates, asks };
        self.listen_for(door, broker, address, config, move |socket, start| {
            let tls = tls.clone();
            let advertised = Advertised::new(&advertised, socket.local_addr().ok());
            Box::pin(async move {
                if let Some((stream, start)) = tls::shake_hands(socket, start, &tls).await {
                    stream::connection_task::ConnectionTask::new(stream, advertised, start).await;
                }
            })
        })
    }

    fn listen_for<C, F>(
        &self,
        door: Door,
        broker: &Arc<Node>,
        address: impl ToSocketAddrs,
        config: C,
        serve_one: impl Fn(TcpStream, Start<C>) -> F + Send + 'static,
    ) -> io::Result<SocketAddr>
    where
        C: Send + Sync + 'static,
        F: Future<Output = ()> + Unpin + Send + 'static,
    {
        let listener = bind(address)?;
        let bound = listener.local_addr()?;
        let _inside = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (broker, alive) = (Arc::clone(broker), Arc::clone(&self.alive));
        let Door { protocol, certificates, asks: asks_for_certificates } = door;
        let address = bound;
        broker.listeners.add(Listener { protocol, address, certificates, asks_for_certificates });
        let (line, clock) = (self.line.clone(), self.clock.clone());
        let serve = listener::serve(alive, listener, line, broker, clock, config, serve_one);
        self.runtime.spawn(serve);
        Ok(bound)
    }

    /// Stops. When this returns every listener and connection is closed.
    pub(crate) fn stop(self) {
        // Waiting for the threads themselves is not allowed inside of another runtime.
        self.runtime.shutdown_background();
        wait_for(STOP, || Arc::strong_count(&self.alive) == 1);
    }
}

/// Waits up to `patience` until the connections that are `closing` have ended.
pub(crate) fn see_off(broker: &Node, closing: &[Weak<dyn Closable>], patience: Duration) {
    // A connection is no longer counted once it is about to write its connection.close.
    wait_for(patience.max(FAREWELL), || broker.connections.count() == 0);
    wait_for(patience, || closing.iter().all(|connection| connection.strong_count() == 0));
}

/// Waits up to `patience` for a condition that other threads bring about, which they mostly do at
/// once.
fn wait_for(patience: Duration, condition: impl Fn() -> bool) {
    /// How soon it looks again, at first and at last.
    const LOOK: (Duration, Duration) = (Duration::from_micros(10), Duration::from_millis(1));
    let (mut look, mut left) = (LOOK.0, patience);
    while !left.is_zero() && !condition() {
        std::thread::sleep(look);
        left = left.saturating_sub(look);
        look = (look * 2).min(LOOK.1);
    }
}
