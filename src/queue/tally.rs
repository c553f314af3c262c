//! Sums of messages, and of what a queue has counted.

use crate::insight::statistics::totals::{DeathTotals, QueueTotals};
use crate::message::Message;

/// Messages of one kind: how many, and the octets in their bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Messages.
    pub messages: u64,
    /// Octets in their bodies.
    pub bytes: u64,
}

impl Volume {
    #[inline]
    pub(crate) fn add(&mut self, messages: u64, bytes: u64) {
        self.messages += messages;
        self.bytes += bytes;
    }

    #[inline]
    pub(crate) fn remove(&mut self, messages: u64, bytes: u64) {
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Adds a message if it is persistent.
    #[inline]
    pub(crate) fn add_persistent(&mut self, message: &Message) {
        if message.is_persistent() {
            self.add(1, message.body_len() as u64);
        }
    }

    /// Removes a message if it is persistent.
    #[inline]
    pub(crate) fn remove_persistent(&mut self, message: &Message) {
        if message.is_persistent() {
            self.remove(1, message.body_len() as u64);
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.add(other.messages, other.bytes);
        self
    }
}

/// What a queue has counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueTally {
    /// Messages.
    pub totals: QueueTotals,
    /// Messages that have died.
    pub deaths: DeathTotals,
    /// Consumers.
    pub consumers: usize,
}
