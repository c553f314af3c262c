//! What the store remembers of a message, and what it is told of it.

use crate::base::ids::StoreId;

/// How often a message was returned, and whether it may have been delivered before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// How often it was returned to the queue.
    pub delivery_count: u32,
    /// How often of these because a connection or a channel ended.
    pub failures: u16,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
}

/// Messages of a queue that the store need not keep any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The queue.
    pub queue: StoreId,
    /// The first sequence.
    pub first: u64,
    /// The last sequence.
    pub last: u64,
}

impl Gone {
    /// One message.
    pub fn one(queue: StoreId, sequence: u64) -> Self {
        Self { queue, first: sequence, last: sequence }
    }
}

/// A stored message of a queue that counts how often each was returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The queue.
    pub queue: StoreId,
    /// The message.
    pub sequence: u64,
    /// How often it was returned by now.
    pub delivery_count: u32,
    /// How often of these because a connection or a channel ended.
    pub failures: u16,
    /// Where it is.
    pub place: Place,
}

/// Where a message is that was returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// With those that came back, which are served first.
    Front,
    /// With those that arrived, as if it were new.
    Line,
    /// Somebody has it again.
    Out,
    /// It has left the queue.
    Gone,
}

/// Levels of a quorum queue that messages arrive at: of normal and of high priority.
pub const LEVELS_OF_ARRIVALS: usize = 2;

/// What is known of the messages of an earlier life of a queue.
pub trait Past {
    /// A message that was delivered before, and for a quorum queue where it was.
    fn history(&self, sequence: u64) -> Option<(History, Place)>;

    /// Messages with lower sequences may have been delivered, for all one knows, unless the queue
    /// is one that tells how far it has handed them out.
    fn redelivered_below(&self) -> u64;

    /// How far a quorum queue has handed out, by level: all that went out have lower sequences.
    fn handed_out_below(&self) -> [u64; LEVELS_OF_ARRIVALS];
}
