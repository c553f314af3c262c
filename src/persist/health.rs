//! Whether the store is in order, and who waits for it to be.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::waiters::Waiters;

/// How the store is.
#[derive(Default)]
pub struct Health {
    /// Records could not be made durable. Only a restart helps.
    pub(super) records_failed: AtomicBool,
    /// Connections that wait for room, or for the alarm to be over.
    pub(super) waiting: Waiters,
}

impl Health {
    /// Records cannot be made durable any more.
    pub fn records_have_failed(&self) {
        self.records_failed.store(true, Ordering::SeqCst);
        self.changed();
    }

    /// Something has changed: whoever waits looks again.
    pub fn changed(&self) {
        self.waiting.wake_all();
    }
}
