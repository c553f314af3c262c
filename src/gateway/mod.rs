//! AMQP 0-9-1 over sockets, for clients outside this process, and over in-memory streams, for
//! those inside.
//!
//! The only part of the broker that knows tokio. A connection is one task ([`amqp`])
//! that drives the protocol machine and calls the same channels as the embedded API.

mod amqp;
mod connection_timer;
mod handshakes;
mod in_memory;
mod listener;
mod socket;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::base::bind::bind;
use crate::node::Node;
use crate::node::connections::Closable;
use crate::time::clock::Clock;

pub(crate) use self::in_memory::InMemory;
pub use self::in_memory::MemoryStream;
#[cfg(feature = "lapin")]
pub(crate) use self::in_memory::threads::runtime as shared_runtime;

/// Time for connections to write their connection.close, even if nobody waits for the answer.
const FAREWELL: Duration = Duration::from_millis(100);

/// Time for the threads to let go of sockets and everything else.
const STOP: Duration = Duration::from_secs(1);

/// The threads that serve AMQP connections of one broker.
pub(crate) struct Gateway {
    runtime: Runtime,
    clock: Clock,
    /// Shared with every listener and connection.
    alive: Arc<()>,
}

impl Gateway {
    /// Starts `threads` threads. Heartbeats and timeouts go by `clock`.
    pub fn start(threads: usize, clock: Clock) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("leveret-amqp")
            .enable_all()
            .build()?;
        Ok(Self { runtime, clock, alive: Arc::default() })
    }

    /// Listens on an address; returns the one that was bound.
    pub fn listen(
        &self,
        broker: &Arc<Node>,
        address: impl ToSocketAddrs,
    ) -> io::Result<SocketAddr> {
        let listener = bind(address)?;
        let bound = listener.local_addr()?;
        let _inside = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (broker, alive) = (Arc::clone(broker), Arc::clone(&self.alive));
        broker.listeners.add("amqp", bound);
        self.runtime.spawn(listener::serve(alive, listener, broker, self.clock.clone()));
        Ok(bound)
    }

    /// Stops. When this returns every listener and connection is closed.
    pub fn stop(self) {
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
