//! Waiting for something to change in the broker, without a look every now and then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;
use crate::limits::CHANGES_MISSED_AFTER;
use crate::time::clock::instant;

/// Who waits for a change, and how many there were while somebody waited.
#[derive(Default)]
pub struct ChangeSignal {
    waiting: AtomicUsize,
    count: Mutex<u64, rank::Changes>,
    changed: Condvar,
}

impl ChangeSignal {
    /// Something has changed. One load when nobody waits.
    #[inline]
    pub fn note(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        *self.count.lock() += 1;
        self.changed.notify_all();
    }

    /// Waits until `condition` holds, but not longer than `limit` of real time; tells whether it
    /// does.
    pub fn wait_until(&self, limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
        let end = instant() + limit;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let holds = loop {
            let seen = *self.count.lock();
            if condition() {
                break true;
            }
            let now = instant();
            if now >= end {
                break false;
            }
            // A change that was made while this began to wait, and what the condition asks of
            // others than the broker, is found out a little later.
            let pause = (now + CHANGES_MISSED_AFTER).min(end);
            let mut count = self.count.lock();
            if *count == seen {
                self.changed.wait_until(&mut count, pause);
            }
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_again_after_a_change() {
        let changes = ChangeSignal::default();
        let value = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                value.store(1, Ordering::SeqCst);
                changes.note();
            });
            let limit = Duration::from_secs(60);
            assert!(changes.wait_until(limit, || value.load(Ordering::SeqCst) == 1));
        });
        assert!(!changes.wait_until(Duration::ZERO, || false));
        assert_eq!(changes.waiting.load(Ordering::SeqCst), 0);
    }
}
