//! The disk alarm: raised by hand, whether the broker has a disk or not, and while its disk has
//! less room than it is to have `[rabbitmq disk-alarms]`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::herald::Herald;
use crate::base::waiters::Waiters;
use crate::base::wake::Wake;

/// Octets that may be written in a millisecond, at most: how long it takes to come close.
const BYTES_PER_MS: u64 = 250_000;

/// The shortest and the longest time between two looks at the disk, in milliseconds.
const LOOK_MS: (u64, u64) = (100, 10_000);

/// Whether it is raised, and who waits until it is not.
#[derive(Default)]
pub(crate) struct DiskAlarm {
    by_hand: AtomicBool,
    /// The disk has too little room.
    is_low: AtomicBool,
    /// Room that the disk is to have, in octets; 0 for any.
    limit_bytes: AtomicU64,
    blocked: Waiters,
    herald: OnceLock<Arc<Herald>>,
}

impl DiskAlarm {
    /// Whether it is raised.
    pub(crate) fn is_raised(&self) -> bool {
        self.by_hand.load(Ordering::SeqCst) || self.is_low.load(Ordering::SeqCst)
    }

    /// Tells events there from now on.
    pub(crate) fn tell_to(&self, herald: &Arc<Herald>) {
        // There is one.
        let _ = self.herald.set(Arc::clone(herald));
    }

    /// Room that the disk is to have, in octets; 0 for any.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// The disk is to have so much room from now on.
    pub(super) fn set_limit_bytes(&self, bytes: u64) {
        self.limit_bytes.store(bytes, Ordering::SeqCst);
    }

    /// Raises or clears it by hand.
    pub(crate) fn set(&self, on: bool) {
        if !self.change(&self.by_hand, on) {
            return;
        }
        match on {
            true => tracing::warn!("disk alarm raised by hand: publishers are blocked"),
            false => tracing::info!("disk alarm that was raised by hand is cleared"),
        }
    }

    /// The disk of this directory has so much room. Tells when to look again, in milliseconds.
    pub(super) fn note_free(&self, directory: &Path, free_bytes: u64) -> u64 {
        let limit = self.limit_bytes();
        let is_low = free_bytes < limit;
        if self.change(&self.is_low, is_low) {
            let directory = directory.display();
            match is_low {
                true => tracing::warn!(
                    "disk alarm raised: the disk of {directory} has room for {free_bytes} octets, \
                     and the limit is {limit}; publishers are blocked until {} more are free",
                    limit - free_bytes
                ),
                false => tracing::info!(
                    "disk alarm cleared: the disk of {directory} has room for {free_bytes} octets, \
                     and the limit is {limit}; publishers go on"
                ),
            }
        }
        let (shortest, longest) = LOOK_MS;
        (free_bytes.saturating_sub(limit) / BYTES_PER_MS).clamp(shortest, longest)
    }

    /// Sets one of the reasons; tells whether it was otherwise.
    fn change(&self, reason: &AtomicBool, on: bool) -> bool {
        let was_raised = self.is_raised();
        if reason.swap(on, Ordering::SeqCst) == on {
            return false;
        }
        let is_raised = self.is_raised();
        if let Some(herald) = self.herald.get().filter(|_| is_raised != was_raised) {
            herald.tell_alarm("disk", is_raised);
        }
        if !is_raised {
            self.blocked.wake_all();
        }
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_while_there_is_too_little_room_or_somebody_says_so() {
        let alarm = DiskAlarm::default();
        let path = Path::new("data");
        assert_eq!(alarm.note_free(path, 0), 100, "without a limit anything is enough");
        assert!(!alarm.is_raised());
        alarm.set_limit_bytes(1_000_000);
        alarm.note_free(path, 999_999);
        assert!(alarm.is_raised());
        alarm.set(true);
        alarm.note_free(path, 1_000_000);
        assert!(alarm.is_raised());
        alarm.set(false);
        assert!(!alarm.is_raised());
    }

    #[test]
    fn the_closer_the_limit_the_sooner_it_looks_again() {
        let alarm = DiskAlarm::default();
        alarm.set_limit_bytes(1_000);
        let next = |free| alarm.note_free(Path::new("data"), free);
        assert_eq!(next(0), 100);
        assert_eq!(next(250_001_000), 1000);
        assert_eq!(next(u64::MAX), 10_000);
    }
}
