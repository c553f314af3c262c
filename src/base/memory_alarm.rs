//! How much memory the messages of a broker take, and what its clients hold of it besides, and the
//! alarm above the high watermark `[rabbitmq memory]`.

use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::base::herald::Herald;
use crate::base::hoards::{Hoard, Hoards};
use crate::base::waiters::Waiters;
use crate::base::wake::Wake;
use crossbeam::utils::CachePadded;

/// Memory is scarce above this part of the watermark.
const SCARCE_PART: usize = 2;

/// The alarm clears this part of the watermark below it.
const CLEARS_PART: usize = 10;

/// Octets held by all queues, and who is to be told when they are too many.
pub(crate) struct MemoryAlarm {
    /// In a cache line of its own: every thread that moves messages writes to it.
    used: CachePadded<AtomicIsize>,
    /// What is not messages in queues: octets that wait for clients, and what clients have made.
    shares: CachePadded<AtomicIsize>,
    high_watermark: AtomicUsize,
    /// Octets in use above which queues are asked next to page out.
    relieve_above: AtomicUsize,
    /// Raised by an operator, whatever is used.
    forced: AtomicBool,
    alarmed: AtomicBool,
    blocked: Waiters,
    hoards: Hoards,
    herald: OnceLock<Arc<Herald>>,
}

impl MemoryAlarm {
    /// Counts from nothing; the alarm is raised above `high_watermark` octets.
    pub(crate) fn new(high_watermark: usize) -> Arc<Self> {
        Arc::new(Self {
            used: CachePadded::new(AtomicIsize::new(0)),
            shares: CachePadded::new(AtomicIsize::new(0)),
            high_watermark: AtomicUsize::new(high_watermark),
            relieve_above: AtomicUsize::new(high_watermark / SCARCE_PART),
            forced: AtomicBool::new(false),
            alarmed: AtomicBool::new(false),
            blocked: Waiters::default(),
            hoards: Hoards::default(),
            herald: OnceLock::new(),
        })
    }

    /// Tells events there from now on.
    pub(crate) fn tell_to(&self, herald: &Arc<Herald>) {
        // There is one.
        let _ = self.herald.set(Arc::clone(herald));
    }

    /// Octets of messages in queues and exchanges.
    pub(crate) fn used(&self) -> usize {
        usize::try_from(self.used.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// Octets of everything that is counted: messages and [shares](Share).
    pub(crate) fn total(&self) -> usize {
        let shares = self.shares.load(Ordering::SeqCst);
        usize::try_from(self.used.load(Ordering::SeqCst).saturating_add(shares)).unwrap_or(0)
    }

    /// Counts a share that has changed. The alarm follows with [`MemoryAlarm::follow`]: this may
    /// be called under any lock.
    fn add_share(&self, octets: isize) {
        self.shares.fetch_add(octets, Ordering::SeqCst);
    }

    /// Raises or clears the alarm if a share has changed meanwhile. Returns whether it is raised.
    pub(crate) fn follow(&self) -> bool {
        self.evaluate();
        self.is_alarmed()
    }

    /// Octets above which the alarm is raised; `None` if it never is.
    pub(crate) fn limit(&self) -> Option<usize> {
        Some(self.high_watermark()).filter(|&limit| limit < isize::MAX as usize)
    }

    fn high_watermark(&self) -> usize {
        self.high_watermark.load(Ordering::Relaxed)
    }

    /// Raises the alarm above so many octets from now on.
    pub(crate) fn set_high_watermark(&self, octets: usize) {
        self.high_watermark.store(octets.min(isize::MAX as usize), Ordering::SeqCst);
        self.relieve_above.store(octets / SCARCE_PART, Ordering::Relaxed);
        self.evaluate();
    }

    /// Counts `octets` more, or less if negative.
    pub(crate) fn add(&self, octets: isize) {
        if octets != 0 {
            self.used.fetch_add(octets, Ordering::SeqCst);
            self.evaluate();
        }
    }

    /// Whether memory is scarce, and queues have not been asked to page out for it yet: not since
    /// it has become much scarcer. Takes the note.
    pub(crate) fn take_scarce(&self) -> bool {
        let (used, above) = (self.total(), self.relieve_above.load(Ordering::Relaxed));
        let next = (self.high_watermark() / SCARCE_PART).max(used.saturating_add(self.step()));
        let is_scarce = used > above;
        // After relief it becomes scarce at the old mark again.
        if is_scarce || next < above {
            self.relieve_above.store(next, Ordering::Relaxed);
        }
        is_scarce
    }

    fn step(&self) -> usize {
        /// How much scarcer it has to become: this part of the watermark.
        const STEP_PART: usize = 32;
        self.high_watermark() / STEP_PART
    }

    /// Raises the alarm by hand, or takes it back.
    pub(crate) fn force_alarm(&self, on: bool) {
        self.forced.store(on, Ordering::SeqCst);
        self.evaluate();
    }

    /// Whether publishers are to be held back.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.alarmed.load(Ordering::SeqCst)
    }

    /// Connections that hold messages in part while the alarm is raised.
    pub(crate) fn hoards(&self) -> &Hoards {
        &self.hoards
    }

    /// Whether a connection has to go for what it holds. While memory is short half of the
    /// watermark is what all of them may hold.
    pub(crate) fn has_to_go(&self, hoard: Hoard, now_ms: u64) -> bool {
        /// Which part of the watermark they may hold.
        const PART: usize = 2;
        let watermark = self.high_watermark();
        let is_short = self.total() > watermark - watermark / CLEARS_PART;
        let bearable = if is_short { watermark / PART } else { usize::MAX };
        self.hoards.has_to_go(hoard, bearable, now_ms)
    }

    /// Wakes `sleeper` when the alarm is over; at once if it is.
    pub(crate) fn wake_when_over(&self, sleeper: &Arc<dyn Wake>) {
        self.blocked.add(sleeper);
        if !self.is_alarmed() {
            self.blocked.wake_all();
        }
    }

    /// Raises or clears the alarm, until what it says is true: while one thread changes it another
    /// may free the last message, and nobody would come by again.
    fn evaluate(&self) {
        loop {
            let alarmed = self.alarmed.load(Ordering::SeqCst);
            // Some way below the watermark before it clears, so that it does not flutter.
            let watermark = self.high_watermark();
            let limit = watermark - if alarmed { watermark / CLEARS_PART } else { 0 };
            let on = self.forced.load(Ordering::SeqCst) || self.total() > limit;
            if alarmed == on {
                return;
            }
            if self.alarmed.swap(on, Ordering::SeqCst) == on {
                continue;
            }
            if let Some(herald) = self.herald.get() {
                herald.tell_alarm("memory", on);
            }
            if on && self.forced.load(Ordering::SeqCst) {
                tracing::warn!("memory alarm raised by hand: publishers are blocked");
            } else if on {
                tracing::warn!(
                    "memory alarm raised: messages and what clients hold take {} octets, the high \
                     watermark is {}; publishers are blocked",
                    self.total(),
                    watermark
                );
            } else {
                tracing::info!("memory alarm cleared: publishers go on");
                self.blocked.wake_all();
            }
        }
    }
}

/// Octets that something holds besides messages in queues, for as long as it is there.
pub(crate) struct Share {
    memory: Arc<MemoryAlarm>,
    octets: AtomicUsize,
}

impl Share {
    /// So many octets.
    pub(crate) fn new(memory: &Arc<MemoryAlarm>, octets: usize) -> Self {
        memory.add_share(octets as isize);
        Self { memory: Arc::clone(memory), octets: AtomicUsize::new(octets) }
    }

    /// It is as large as this now. Small differences are not worth the common counter.
    #[inline]
    pub(crate) fn set(&self, octets: usize) {
        /// What is small.
        const STEP: usize = 32 * 1024;
        let counted = self.octets.load(Ordering::Relaxed);
        if octets.abs_diff(counted) >= STEP || (octets == 0 && counted > 0) {
            self.replace(octets);
        }
    }

    fn replace(&self, octets: usize) {
        let before = self.octets.swap(octets, Ordering::SeqCst);
        self.memory.add_share(octets as isize - before as isize);
    }

    /// It has grown by so much.
    pub(crate) fn grow(&self, octets: usize) {
        self.octets.fetch_add(octets, Ordering::SeqCst);
        self.memory.add_share(octets as isize);
    }

    /// It has become so much smaller.
    pub(crate) fn shrink(&self, octets: usize) {
        self.octets.fetch_sub(octets, Ordering::SeqCst);
        self.memory.add_share(-(octets as isize));
    }

    /// What counts it.
    pub(crate) fn memory(&self) -> &MemoryAlarm {
        &self.memory
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.replace(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wake::Bell;

    #[test]
    fn the_alarm_clears_some_way_below_the_watermark() {
        let memory = MemoryAlarm::new(1000);
        memory.add(1000);
        assert!(!memory.is_alarmed());
        memory.add(1);
        assert!(memory.is_alarmed());
        memory.add(-100);
        assert!(memory.is_alarmed());
        memory.add(-1);
        assert!(!memory.is_alarmed());
    }

    #[test]
    fn the_watermark_can_be_moved() {
        let memory = MemoryAlarm::new(1000);
        memory.add(500);
        memory.set_high_watermark(499);
        assert!(memory.is_alarmed());
        assert_eq!(memory.limit(), Some(499));
        memory.set_high_watermark(2000);
        assert!(!memory.is_alarmed());
    }

    #[test]
    fn shares_count_until_they_are_gone() {
        let memory = MemoryAlarm::new(100_000);
        memory.add(10_000);
        let share = Share::new(&memory, 0);
        share.set(90_000);
        assert!(!memory.follow());
        share.set(90_001);
        assert_eq!(memory.total(), 100_000, "that little is not counted");
        let other = Share::new(&memory, 1);
        assert!(memory.follow());
        other.grow(9);
        other.shrink(10);
        share.set(0);
        assert!(!memory.follow());
        share.set(95_000);
        assert!(memory.follow());
        drop((share, other));
        assert!(!memory.follow());
        assert_eq!((memory.total(), memory.used()), (10_000, 10_000));
    }

    #[test]
    fn scarce_memory_is_noted_in_steps() {
        let memory = MemoryAlarm::new(3200);
        memory.add(1600);
        assert!(!memory.take_scarce());
        memory.add(1);
        assert!(memory.take_scarce() && !memory.take_scarce());
        memory.add(100);
        assert!(!memory.take_scarce());
        memory.add(1);
        assert!(memory.take_scarce());
        memory.add(-1000);
        assert!(!memory.take_scarce());
        memory.add(901);
        assert!(memory.take_scarce());
    }

    #[test]
    fn sleepers_that_are_gone_take_no_place() {
        let memory = MemoryAlarm::new(1000);
        memory.force_alarm(true);
        let sleeper = Arc::new(Bell::default());
        let patient: Arc<dyn Wake> = Arc::clone(&sleeper) as _;
        memory.wake_when_over(&patient);
        for _ in 0..1000 {
            let impatient: Arc<dyn Wake> = Arc::new(Bell::default());
            memory.wake_when_over(&impatient);
        }
        assert!(memory.blocked.len() < 20);
        memory.force_alarm(false);
        assert_eq!(sleeper.count(), 1);
    }
}
