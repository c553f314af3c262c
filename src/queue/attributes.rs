//! What a queue is told and asked, from the outside.

use amq_protocol::types::FieldTable;

use crate::base::ids::{ConnectionId, StoreId};
use crate::base::names::ExchangeName;
use crate::limits::CONSUMER_TIMEOUT_DEFAULT_MS;
use crate::queue::arguments::QueueArguments;
use crate::queue::fifo::entry::Entry;

/// What a queue was declared with `[amqp 0-9-1 queue.declare]`.
#[derive(Clone, Debug)]
pub struct QueueAttributes {
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last consumer is gone.
    pub auto_delete: bool,
    /// Connection that alone may use it and with which it ends.
    pub owner: Option<ConnectionId>,
    /// Arguments as they came.
    pub table: FieldTable,
    /// Arguments that the broker acts on.
    pub arguments: QueueArguments,
}

/// The reply to basic.get.
#[derive(Debug)]
pub enum Got {
    /// The delivery's number (0 if it needs no acknowledgement), the message, and how many remain.
    Message(u64, Entry, usize),
    /// There is no message.
    Nothing,
    /// The next message has to be paged in first.
    PagedOut,
}

/// Where the dead letters of a queue go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterTarget {
    /// Exchange.
    pub exchange: ExchangeName,
    /// Routing key; `None` keeps that of the message.
    pub routing_key: Option<String>,
}

/// What a queue has from its broker: its place in the store, and bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueStorage {
    /// What it is called there; 0 if there is no store.
    pub id: StoreId,
    /// Octets of messages in memory above which some are paged out.
    pub memory_bytes_max: usize,
    /// The first sequence that was never used.
    pub next_sequence: u64,
    /// How long a delivery may wait for its acknowledgement if nothing else is said, in
    /// milliseconds; `None` for half an hour.
    pub consumer_timeout_ms: Option<u64>,
}

impl QueueStorage {
    /// How long a delivery may wait if nothing else is said, in milliseconds.
    pub(super) fn timeout_ms(&self) -> u64 {
        self.consumer_timeout_ms.unwrap_or(CONSUMER_TIMEOUT_DEFAULT_MS)
    }
}

impl DeadLetterTarget {
    /// Where dead letters go: as the arguments say, or else the first policy that says it.
    pub(super) fn of(arguments: &QueueArguments, policies: &[&QueueArguments]) -> Option<Self> {
        let layers = || std::iter::once(arguments).chain(policies.iter().copied());
        let exchange = layers().find_map(|layer| layer.dead_letter_exchange.as_deref())?;
        let routing_key = layers().find_map(|layer| layer.dead_letter_routing_key.clone());
        Some(DeadLetterTarget { exchange: ExchangeName::from(exchange), routing_key })
    }
}
