//! An exchange, for the embedding program.

use std::fmt;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::vhost::Exchange;

/// An exchange of a [`VirtualHostHandle`](crate::VirtualHostHandle), to look at.
#[derive(Clone)]
pub struct ExchangeHandle(pub(in crate::broker) Arc<Exchange>);

impl ExchangeHandle {
    /// Name; empty for the default exchange.
    pub fn name(&self) -> &str {
        self.0.name().as_str()
    }

    /// Its type, as `exchange.declare` names it: `direct`, `topic` and so on.
    pub fn kind(&self) -> &'static str {
        self.0.attributes().kind.as_str()
    }

    /// Whether it survives a restart.
    pub fn is_durable(&self) -> bool {
        self.0.attributes().durable
    }

    /// Whether it is deleted with its last binding.
    pub fn is_auto_delete(&self) -> bool {
        self.0.attributes().auto_delete
    }

    /// Whether other exchanges alone may publish to it.
    pub fn is_internal(&self) -> bool {
        self.0.attributes().internal
    }

    /// The arguments that it was declared with.
    pub fn arguments(&self) -> &FieldTable {
        &self.0.attributes().table
    }

    /// How many bindings lead from it.
    pub fn binding_count(&self) -> usize {
        self.0.binding_count()
    }

    /// How many messages it holds until their delay is over; 0 unless it is an
    /// `x-delayed-message`.
    pub fn delayed_count(&self) -> usize {
        self.0.delayed_count()
    }
}

impl fmt::Debug for ExchangeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeHandle")
            .field("name", &self.name())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
