//! What was delivered, or got, and is not acknowledged.

use crate::base::ids::ChannelId;
use crate::queue::consumers::id::ConsumerId;
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;

/// A delivery that waits for its acknowledgement.
#[derive(Debug)]
pub(in crate::queue) struct Unacked {
    pub(in crate::queue) entry: Entry,
    /// The consumer that has it; `None` after basic.get.
    pub(in crate::queue) consumer: Option<ConsumerId>,
    /// The channel that has it, for as long as that lives.
    pub(in crate::queue) channel: ChannelId,
    pub(in crate::queue) delivered_at: Timestamp,
}
