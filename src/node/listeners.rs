//! What the broker listens on.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::lock::RwLock;
use crate::base::rank;
use crate::node::certificates::Certificates;

/// A port that is open.
#[derive(Clone)]
pub(crate) struct Listener {
    /// What is spoken there, by RabbitMQ's name for it: `amqp`, `http`, `http/prometheus`,
    /// `stream`, and `amqp/ssl`, `https`, `stream/ssl` over TLS.
    pub protocol: &'static str,
    /// Where.
    pub address: SocketAddr,
    /// The certificates that are shown there; `None` without TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// Whether clients are asked for theirs, with which they may log in by `EXTERNAL`.
    pub asks_for_certificates: bool,
}

/// The mechanisms by which clients log in, in the order in which they are offered, and what they
/// are. `EXTERNAL` is offered where clients are asked for certificates.
pub(crate) const MECHANISMS: [(&str, &str); 4] = [
    ("PLAIN", "SASL PLAIN authentication mechanism"),
    ("AMQPLAIN", "QPid AMQPLAIN mechanism"),
    ("EXTERNAL", "SASL EXTERNAL authentication mechanism, by a client's certificate"),
    ("ANONYMOUS", "SASL ANONYMOUS authentication mechanism, from this host alone"),
];

/// All ports that are open.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<Listener>, rank::Listeners>);

impl Listeners {
    /// A port was opened.
    pub(crate) fn add(&self, listener: Listener) {
        self.0.write().push(listener);
    }

    /// All of them, as they were opened.
    pub(crate) fn list(&self) -> Vec<Listener> {
        self.0.read().clone()
    }
}
