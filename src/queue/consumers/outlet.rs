//! What a channel registers with a queue, and where the queue hands its deliveries.

use std::borrow::Cow;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::base::ids::ChannelId;
use crate::base::names::ConsumerTag;
use crate::base::wake::Wakeups;
use crate::queue::consumers::passing::{Delivery, Passing};
use crate::queue::fifo::entry::Entry;

/// What an outlet takes of what a queue has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Nothing now.
    Nothing,
    /// A delivery.
    One,
    /// As many as are passed on together.
    Run,
}

/// Where a consumer's deliveries go: its channel.
pub trait Outlet: Send + Sync {
    /// Whether a delivery is taken now. Reserves a unit of the channel's shared prefetch when the
    /// delivery needs an acknowledgement. After a refusal the outlet calls
    /// [`Queue::resume`](crate::queue::Queue::resume) as soon as it takes deliveries again.
    fn reserve(&self, no_ack: bool) -> Reserved;

    /// Takes deliveries, in order. Returns at once and calls no queue.
    fn deliver(&self, deliveries: Passing<'_>, wakeups: &mut Wakeups);

    /// Takes one.
    fn deliver_one(&self, delivery: Delivery<Cow<'_, Entry>>, wakeups: &mut Wakeups);

    /// What the consumer with this number has not settled belongs to nobody any more, and counts
    /// against no limit; what it was not given yet it will not get.
    fn forget_deliveries(&self, source: u32);

    /// A delivery was not acknowledged in time: the channel has to close.
    fn acknowledgement_timed_out(&self, timeout_ms: u64);

    /// The queue is gone: the client is told if it wants to be.
    fn cancelled(&self, source: u32, wakeups: &mut Wakeups);
}

/// What a channel registers with a queue. What every message needs comes first.
#[derive(Clone)]
#[repr(C)]
pub struct ConsumerSpec {
    /// Where deliveries go.
    pub outlet: Arc<dyn Outlet>,
    /// Its channel.
    pub channel: ChannelId,
    /// `x-consumer-timeout`, milliseconds: how long a delivery may wait for its acknowledgement;
    /// `None` for as long as the queue says.
    pub timeout_ms: Option<u64>,
    /// Number by which the outlet knows the consumer.
    pub source: u32,
    /// Whether deliveries count as acknowledged at once.
    pub no_ack: bool,
    /// Whether no other consumer is tolerated.
    pub exclusive: bool,
    /// Most unacknowledged deliveries; 0 for no limit, but that of a quorum queue. Without effect
    /// under `no_ack`.
    pub prefetch_count: u32,
    /// `x-priority`: higher is served first; default 0.
    pub priority: i64,
    /// Consumer tag, unique on its channel.
    pub tag: ConsumerTag,
    /// Arguments as they came.
    pub arguments: FieldTable,
}
