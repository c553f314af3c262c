//! A message in a queue, and what there is to be said of it elsewhere.

use crate::message::Message;
use crate::message::stored::History;
use crate::time::clock::Timestamp;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// Position in the queue, and the message's number in the store; a requeued message keeps it.
    pub sequence: u64,
    /// When it expires; [`Timestamp::NEVER`] if it does not.
    pub expires_at: Timestamp,
    /// How often it was returned to the queue.
    pub delivery_count: u32,
    /// How often of these because a connection or a channel ended; only quorum queues count that.
    pub failures: u16,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Whether the store has it, or will have.
    pub stored: bool,
}

impl Entry {
    /// A message as the store gives it back.
    pub fn stored(
        message: Message,
        sequence: u64,
        expires_at: Timestamp,
        History { delivery_count, failures, redelivered }: History,
    ) -> Self {
        let stored = true;
        Self { message, sequence, expires_at, delivery_count, failures, redelivered, stored }
    }

    /// Octets of the body: what `x-max-length-bytes` counts.
    #[inline]
    pub fn body_bytes(&self) -> u64 {
        self.message.body_len() as u64
    }

    /// What is to be remembered of it.
    pub fn history(&self) -> History {
        let Self { delivery_count, failures, redelivered, .. } = *self;
        History { delivery_count, failures, redelivered }
    }
}

/// A ready message that is looked at.
#[derive(Clone, Debug)]
pub enum Peeked {
    /// It is in memory.
    InMemory(Entry),
    /// It is in the store alone: its sequence, and what is known of it.
    Paged(u64, History),
}
