//! Consumers of a stream that keep a delivery for too long.

use std::sync::Arc;

use crate::queue::consumers::Outlet;
use crate::queue::stream::StreamQueue;
use crate::queue::stream::readers::Readers;
use crate::time::clock::Timestamp;

/// When somebody may be too late.
pub(crate) struct Overdue {
    /// How long a delivery may wait for its acknowledgement unless its consumer says so, in
    /// milliseconds.
    timeout_ms: u64,
    /// Before this time no delivery has waited too long. The one that it was set for may be settled
    /// by now: then nothing happens at that time.
    at: Timestamp,
    /// The deadline that the timer was asked for last.
    wake_at: Timestamp,
}

impl Overdue {
    pub(super) fn new(timeout_ms: u64) -> Self {
        Self { timeout_ms, at: Timestamp::NEVER, wake_at: Timestamp::NEVER }
    }

    pub(super) fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// A message goes to a consumer, which may have a time of its own.
    pub(super) fn note_delivery(&mut self, timeout_ms: Option<u64>, now: Timestamp) {
        self.at = self.at.min(now.after_ms(timeout_ms.unwrap_or(self.timeout_ms)));
    }
}

impl Readers {
    /// How long deliveries may wait unless their consumers say so, in milliseconds.
    pub(crate) fn set_timeout(&mut self, timeout_ms: u64) {
        self.overdue.timeout_ms = timeout_ms;
        if self.outstanding.len() > 0 {
            self.overdue.at = Timestamp::from_millis(0); // to be found out at once
        }
    }

    fn time_out(&mut self, now: Timestamp, timeouts: &mut Vec<(Arc<dyn Outlet>, u64)>) {
        self.overdue.at = Timestamp::NEVER;
        let mut next = Timestamp::NEVER;
        let waiting: Vec<_> =
            self.outstanding.iter().map(|(_, one)| (one.consumer, one.delivered_at)).collect();
        let default_ms = self.overdue.timeout_ms;
        for (consumer, delivered_at) in waiting {
            let reader = self.get_mut(consumer).filter(|reader| !reader.timed_out);
            let Some(reader) = reader else { continue };
            let timeout_ms = reader.spec.timeout_ms.unwrap_or(default_ms);
            let deadline = delivered_at.after_ms(timeout_ms);
            if deadline > now {
                next = next.min(deadline);
            } else {
                reader.timed_out = true;
                timeouts.push((Arc::clone(&reader.spec.outlet), timeout_ms));
            }
        }
        self.overdue.at = next;
    }
}

impl StreamQueue {
    /// Finds consumers that kept a delivery for too long; tells when that can next be so, if that
    /// is news.
    pub(crate) fn time_out(
        &self,
        now: Timestamp,
        timeouts: &mut Vec<(Arc<dyn Outlet>, u64)>,
    ) -> Option<Timestamp> {
        let mut readers = self.readers.lock();
        if readers.overdue.at <= now {
            readers.time_out(now, timeouts);
        }
        let overdue = &mut readers.overdue;
        if overdue.wake_at <= now {
            overdue.wake_at = Timestamp::NEVER;
        }
        let is_news = overdue.at < overdue.wake_at;
        overdue.wake_at = overdue.wake_at.min(overdue.at);
        is_news.then_some(overdue.at)
    }
}
