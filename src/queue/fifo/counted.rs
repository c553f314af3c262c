//! What a queue counts of what happens to its messages, while its lock is held anyway.

use crate::insight::statistics::recent::Recent;
use crate::insight::statistics::totals::{DeathTotals, QueueTotals};
use crate::message::Message;
use crate::queue::fifo::capacity::Capacity;
use crate::queue::fifo::entry::Entry;
use crate::queue::tally::Volume;
use crate::time::clock::Timestamp;

/// What a queue has counted; what every message changes comes first.
#[derive(Debug)]
#[repr(C)]
pub(in crate::queue) struct Counted {
    /// When something was last done with the queue.
    pub active_at: Timestamp,
    /// Deliveries that wait for an acknowledgement.
    pub unacked: Holdings,
    /// Counters. The levels among them are known otherwise.
    pub totals: QueueTotals,
    /// Only of a queue in which messages died.
    pub deaths: Option<Box<DeathTotals>>,
    /// For rates.
    pub recent: Recent<QueueTotals>,
    /// How ready its consumers are: read with each message, and seldom changed.
    pub capacity: Capacity,
}

/// Messages that are held somewhere, and those of them that are persistent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::queue) struct Holdings {
    pub all: Volume,
    pub persistent: Volume,
}

impl Counted {
    /// Nothing yet.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            totals: QueueTotals::default(),
            unacked: Holdings::default(),
            capacity: Capacity::default(),
            active_at: now,
            deaths: None,
            recent: Recent::default(),
        }
    }

    /// A message goes to a consumer.
    #[inline]
    pub(crate) fn count_delivery(&mut self, entry: &Entry, no_ack: bool) {
        if no_ack {
            self.totals.deliver_no_ack += 1;
        } else {
            self.totals.deliver += 1;
        }
        if entry.redelivered {
            self.totals.redeliver += 1; // seldom, and it lies apart
        }
    }

    /// A message goes to a channel that has asked for one.
    pub(crate) fn count_get(&mut self, entry: &Entry, no_ack: bool) {
        if no_ack {
            self.totals.get_no_ack += 1;
        } else {
            self.totals.get += 1;
        }
        self.totals.redeliver += u64::from(entry.redelivered);
    }
}

impl Holdings {
    #[inline]
    pub(crate) fn add(&mut self, message: &Message) {
        self.all.add(1, message.body_len() as u64);
        self.persistent.add_persistent(message);
    }

    #[inline]
    pub(crate) fn remove(&mut self, message: &Message) {
        self.all.remove(1, message.body_len() as u64);
        self.persistent.remove_persistent(message);
    }
}
