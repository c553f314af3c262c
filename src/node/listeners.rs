//! What the broker listens on.

use std::net::SocketAddr;

use crate::base::lock::RwLock;
use crate::base::rank;

/// A port that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// What is spoken there, by RabbitMQ's name for it: `amqp`, `http`, `http/prometheus`,
    /// `stream`.
    pub protocol: &'static str,
    /// Where.
    pub address: SocketAddr,
}

/// All ports that are open.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<Listener>, rank::Listeners>);

impl Listeners {
    /// A port was opened.
    pub fn add(&self, protocol: &'static str, address: SocketAddr) {
        self.0.write().push(Listener { protocol, address });
    }

    /// All of them, as they were opened.
    pub fn list(&self) -> Vec<Listener> {
        self.0.read().clone()
    }
}
