//! Waking who sleeps, once for a batch of work.

use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};

/// Somebody who sleeps until there is something to write or to read.
pub trait Wake: Send + Sync {
    /// Wakes the sleeper. Cheap when it is awake.
    fn wake(&self);
}

/// Waiters to wake once a batch of work is done, so that each wakes once per batch.
#[derive(Default)]
pub struct Wakeups(Vec<Arc<dyn Wake>>);

impl Wakeups {
    /// Adds a sleeper. The caller adds it once per batch.
    pub fn add(&mut self, sleeper: Arc<dyn Wake>) {
        self.0.push(sleeper);
    }

    /// Wakes all.
    #[inline]
    pub fn wake_all(&mut self) {
        if self.0.is_empty() {
            return; // mostly: nobody sleeps who is busy
        }
        for sleeper in self.0.drain(..) {
            sleeper.wake();
        }
    }
}

/// A sleeper for tests, who counts how often it was woken.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicUsize);

#[cfg(test)]
impl Bell {
    /// How often it was woken since [`Bell::take`].
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// The same, and it begins anew.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Wake for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
