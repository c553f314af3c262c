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
    /// It has left the queue.
    Gone,
}
