//! A counter that one thread at a time adds to, and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that is changed by one thread at a time, its owner or whoever holds the lock that
/// guards it, and read by others at any time. Adding costs no more than to a plain number.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    /// Adds to it. Not to be called by two threads at a time: one of the additions would be lost.
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }

    /// Sets it.
    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Its value.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds to it from any of several threads.
    #[inline]
    pub(crate) fn add_shared(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}
