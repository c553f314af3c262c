//! Whether the store is in order, and who waits for it to be.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::waiters::Waiters;

/// How the store is.
#[derive(Default)]
pub(crate) struct Health {
    /// Where it keeps things, and what it needs there to keep more, in octets.
    place: PathBuf,
    room: u64,
    /// Records could not be made durable. Only a restart helps.
    pub(super) records_failed: AtomicBool,
    /// Connections that wait for room, or for the alarm to be over.
    pub(super) waiting: Waiters,
    /// What the disk says while it fails.
    failure: OnceLock<Box<dyn Fn() -> Option<String> + Send + Sync>>,
    is_failing: AtomicBool,
}

impl Health {
    /// Of a store in a directory, in files of so many octets.
    pub(crate) fn of(place: &Path, segment_bytes: u64) -> Self {
        Self { place: place.to_owned(), room: segment_bytes, ..Self::default() }
    }

    /// Records cannot be made durable any more.
    pub(crate) fn records_have_failed(&self) {
        self.records_failed.store(true, Ordering::SeqCst);
        self.changed();
    }

    /// Asks there what the disk says, for the log.
    pub(super) fn watch(&self, failure: impl Fn() -> Option<String> + Send + Sync + 'static) {
        // It is set once, when the store is opened.
        let _ = self.failure.set(Box::new(failure));
    }

    /// Logs the beginning and the end of a failure, once each.
    fn report(&self) {
        let Some(failure) = self.failure.get() else { return };
        let failure = failure();
        let is_failing = failure.is_some();
        if self.is_failing.swap(is_failing, Ordering::SeqCst) == is_failing {
            return;
        }
        match failure {
            Some(reason) => tracing::error!(
                "disk alarm raised: nothing can be stored in {} ({reason}); publishers are blocked \
                 and nothing is confirmed until it can, which is tried every second; if the disk \
                 is full it needs {} MiB of free space",
                self.place.display(),
                self.room.div_ceil(1 << 20),
            ),
            None => tracing::info!(
                "disk alarm cleared: what was published is stored in {}",
                self.place.display()
            ),
        }
    }

    /// Something has changed: whoever waits looks again.
    pub(crate) fn changed(&self) {
        self.report();
        self.waiting.wake_all();
    }
}
