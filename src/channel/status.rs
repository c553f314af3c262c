//! What there is to be told of a channel at one moment.

use crate::base::ids::ChannelId;
use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::ChannelTotals;
use crate::time::clock::Timestamp;

/// What publishes and acknowledgements of a channel are subject to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelMode {
    /// Neither confirms nor transactions.
    #[default]
    Plain,
    /// Publisher confirms.
    Confirm,
    /// Transactions.
    Transaction,
}

/// An open channel at one moment.
#[derive(Clone, Debug)]
pub struct ChannelStatus {
    /// Its connection and number; those of an embedding program are numbered as they come.
    pub id: ChannelId,
    /// Whether it confirms, or is transactional.
    pub mode: ChannelMode,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When its client last did something with it.
    pub active_at: Timestamp,
    /// Prefetch of consumers to come; 0 for no limit.
    pub prefetch_count: u32,
    /// Prefetch that all its consumers share; 0 for no limit.
    pub global_prefetch_count: u32,
    /// Consumers.
    pub consumers: usize,
    /// Deliveries that wait for an acknowledgement.
    pub messages_unacknowledged: usize,
    /// Publishes that wait for their confirm.
    pub messages_unconfirmed: u64,
    /// Publishes that wait for a commit.
    pub messages_uncommitted: usize,
    /// Acknowledgements that wait for a commit.
    pub acks_uncommitted: usize,
    /// What was counted, and rates.
    pub messages: Measured<ChannelTotals>,
}
