//! The disk alarm that is raised by hand, whether the broker has a disk or not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::herald::Herald;
use crate::base::waiters::Waiters;
use crate::base::wake::Wake;

/// Whether it is raised, and who waits until it is not.
#[derive(Default)]
pub(crate) struct DiskAlarm {
    raised: AtomicBool,
    blocked: Waiters,
    herald: OnceLock<Arc<Herald>>,
}

impl DiskAlarm {
    /// Whether it is raised.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// Tells events there from now on.
    pub(crate) fn tell_to(&self, herald: &Arc<Herald>) {
        // There is one.
        let _ = self.herald.set(Arc::clone(herald));
    }

    /// Raises or clears it.
    pub(crate) fn set(&self, on: bool) {
        let was_on = self.raised.swap(on, Ordering::SeqCst);
        if let Some(herald) = self.herald.get().filter(|_| on != was_on) {
            herald.tell_alarm("disk", on);
        }
        if on && !was_on {
            tracing::warn!("disk alarm raised by hand: publishers are blocked");
        }
        if was_on && !on {
            tracing::info!("disk alarm that was raised by hand is cleared");
        }
        if !on {
            self.blocked.wake_all();
        }
    }

    /// If it is raised, wakes `sleeper` when it is cleared.
    pub(crate) fn wake_when_over(&self, sleeper: &Arc<dyn Wake>) {
        if self.is_raised() {
            self.blocked.add(sleeper);
            if !self.is_raised() {
                sleeper.wake(); // it was cleared before it knew of the sleeper
            }
        }
    }
}
