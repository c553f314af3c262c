//! AMQP 0-9-1 over sockets, for clients outside this process.
//!
//! The only part of the broker that knows tokio. A connection is one task ([`connection_task`])
//! that drives the protocol machine and calls the same channels as the embedded API ([`bridge`]).

mod bridge;
mod connection_task;
mod listener;
mod methods;
mod outbox;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::broker::Inner;
use crate::clock::Clock;

/// The threads that serve AMQP connections of one broker.
pub(crate) struct Gateway {
    runtime: Runtime,
    clock: Clock,
}

impl Gateway {
    /// Starts `threads` threads.
    pub fn start(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("leveret-amqp")
            .enable_all()
            .build()?;
        Ok(Self { runtime, clock: Clock::system() })
    }

    /// Listens on an address; returns the one that was bound.
    pub fn listen(
        &self,
        broker: &Arc<Inner>,
        address: impl ToSocketAddrs,
    ) -> io::Result<SocketAddr> {
        let listener = listener::bind(address)?;
        let bound = listener.local_addr()?;
        let _inside = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let serve = listener::serve(listener, Arc::clone(broker), self.clock.clone());
        self.runtime.spawn(serve);
        Ok(bound)
    }

    /// Waits up to `patience` until no connection is left, then stops.
    pub fn stop(self, broker: &Arc<Inner>, patience: Duration) {
        /// How often it looks.
        const LOOK_MS: u64 = 5;
        let looks = patience.as_millis() / u128::from(LOOK_MS);
        for _ in 0..looks {
            if broker.connection_count() == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(LOOK_MS));
        }
        self.runtime.shutdown_background();
    }
}
