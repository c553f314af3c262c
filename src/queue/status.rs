//! What there is to be told of a queue at one moment.

use amq_protocol::types::FieldTable;

use crate::base::ids::{ChannelId, ConnectionId};
use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::QueueTotals;
use crate::names::{ConsumerTag, QueueName};
use crate::queue::{DeadLetterTarget, QueueType, Settings};
use crate::time::clock::Timestamp;

/// Messages of one kind: how many, and the octets in their bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Messages.
    pub messages: u64,
    /// Octets in their bodies.
    pub bytes: u64,
}

/// A queue at one moment. What it was declared with is in
/// [`Queue::attributes`](crate::queue::Queue::attributes).
#[derive(Clone, Debug)]
pub struct QueueStatus {
    /// Name.
    pub name: QueueName,
    /// Type.
    pub queue_type: QueueType,
    /// Messages, what was counted, and rates.
    pub messages: Measured<QueueTotals>,
    /// Messages that wait for a consumer.
    pub ready: Volume,
    /// Messages that wait for an acknowledgement.
    pub unacknowledged: Volume,
    /// Of all messages, those that were published as persistent.
    pub persistent: Volume,
    /// Of the ready ones, those that are in the store alone. All others are in memory.
    pub paged_out: Volume,
    /// The property `timestamp` of the first message, in seconds; `None` if it has none.
    pub head_message_timestamp: Option<u64>,
    /// Consumers.
    pub consumers: usize,
    /// The part of the time, 0 to 1, in which a consumer was ready to take a message at once.
    pub consumer_capacity: f64,
    /// The single active consumer, if the queue is one that has it.
    pub single_active_consumer: Option<ConsumerKey>,
    /// The exclusive consumer, if there is one.
    pub exclusive_consumer: Option<ConsumerKey>,
    /// Octets of memory that the queue takes, with its messages, about.
    pub memory: usize,
    /// When something was last done with it.
    pub active_at: Timestamp,
    /// Whether a test holds it.
    pub is_held: bool,
    /// The connection that alone may use it.
    pub owner: Option<ConnectionId>,
    /// The settings that it works by: its arguments with policies over them.
    pub settings: Settings,
    /// Where its dead letters go.
    pub dead_letter_target: Option<DeadLetterTarget>,
}

/// Which of the consumers of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerKey {
    /// Its tag.
    pub tag: ConsumerTag,
    /// Its channel.
    pub channel: ChannelId,
}

/// A consumer of a queue at one moment.
#[derive(Clone, Debug)]
pub struct ConsumerStatus {
    /// Its queue.
    pub queue: QueueName,
    /// Consumer tag.
    pub tag: ConsumerTag,
    /// The channel that it belongs to.
    pub channel: ChannelId,
    /// Whether its deliveries have to be acknowledged.
    pub ack_required: bool,
    /// Whether no other consumer is tolerated.
    pub exclusive: bool,
    /// Whether it gets messages at all: of several under a single active consumer only that does.
    pub active: bool,
    /// Most unacknowledged deliveries; 0 for no limit.
    pub prefetch_count: u32,
    /// `x-priority`.
    pub priority: i64,
    /// Deliveries that wait for its acknowledgement.
    pub unacknowledged: u32,
    /// How long a delivery may wait for it, in milliseconds.
    pub consumer_timeout_ms: u64,
    /// Arguments as they came.
    pub arguments: FieldTable,
}

impl ConsumerStatus {
    /// What RabbitMQ calls its `activity_status`: `up`, `single_active`, `waiting`.
    pub fn activity_status(&self, is_single_active: bool) -> &'static str {
        match (is_single_active, self.active) {
            (false, _) => "up",
            (true, true) => "single_active",
            (true, false) => "waiting",
        }
    }
}
