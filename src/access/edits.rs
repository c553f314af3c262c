//! Counts edits of users and permissions, for those who remember what they have read.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::herald::{Herald, Told};

/// Edits of several tables together.
#[derive(Default)]
pub(super) struct Edits {
    count: AtomicU64,
    watcher: OnceLock<Box<dyn Fn() + Send + Sync>>,
    herald: OnceLock<Arc<Herald>>,
}

impl Edits {
    /// Something was edited. The table may still be locked: the watcher only takes note.
    pub(super) fn note(&self) {
        self.count.fetch_add(1, Ordering::Release);
        if let Some(watcher) = self.watcher.get() {
            watcher();
        }
    }

    /// Tells those who listen to events `[rabbitmq event-exchange]`.
    pub(super) fn tell(&self, key: &'static str, about: impl FnOnce(Told) -> Told) {
        if let Some(herald) = self.herald.get() {
            herald.tell(key, about);
        }
    }

    /// Tells events there from now on.
    pub(super) fn tell_to(&self, herald: &Arc<Herald>) {
        // A second one would be a mistake of the broker's own.
        let _ = self.herald.set(Arc::clone(herald));
    }

    /// A number that changes with every edit.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Calls `watcher` after every edit from now on. There is one at most.
    pub(super) fn watch(&self, watcher: impl Fn() + Send + Sync + 'static) {
        // A second one would be a mistake of the broker's own, which sets the only one.
        let _ = self.watcher.set(Box::new(watcher));
    }
}

impl fmt::Debug for Edits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Edits").field(&self.count()).finish()
    }
}
