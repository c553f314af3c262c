//! Publishers that let the consumers of a queue catch up.
//!
//! A broker that takes messages faster than it hands them out moves the queue into its own memory,
//! where all of it becomes slower. So whoever publishes to a queue whose consumers are fast and
//! have fallen behind waits for them, for a moment. Consumers that are slow of themselves are not
//! waited for, and a queue that has none takes what comes.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::{Wake, Wakeups};
use crate::limits::{BACKLOG_HIGH, BACKLOG_HIGH_BYTES, BACKLOG_LOW};

/// How far the consumers of a queue are behind, and who waits for them.
/// What every message needs comes first.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Backlog {
    /// Messages that were handed to consumers. Written under the queue's lock.
    handed_out: AtomicU64,
    has_waiters: AtomicBool,
    /// How many wait: fewer than are in line, for nobody leaves it but in his turn.
    waiting: AtomicUsize,
    /// Until when nobody waits for these consumers, in milliseconds of real time.
    slow_until_ms: AtomicU64,
    waiters: Mutex<Waiters, rank::Backlog>,
}

/// Who waits, each once, in the order in which they came. Those who have gone since are passed over
/// in their turn.
#[derive(Default)]
struct Waiters {
    line: VecDeque<Weak<dyn Wake>>,
    /// Where those in line are: that is theirs for as long as they are in it.
    known: HashSet<usize>,
    /// How long the line may become before those who have gone are looked for.
    len_max: usize,
}

/// So many may have gone without being looked for.
const GONE_MAX: usize = 64;

impl Waiters {
    fn add(&mut self, waiter: &Arc<dyn Wake>) {
        if !self.known.insert(Arc::as_ptr(waiter).addr()) {
            return;
        }
        self.line.push_back(Arc::downgrade(waiter));
        if self.line.len() > self.len_max {
            let known = &mut self.known;
            self.line.retain(|one| one.strong_count() > 0 || !known.remove(&one.as_ptr().addr()));
            self.len_max = 2 * self.line.len() + GONE_MAX;
        }
    }

    /// Takes the first of those who are still there.
    fn take(&mut self) -> Option<Arc<dyn Wake>> {
        loop {
            let waiter = self.line.pop_front()?;
            self.known.remove(&waiter.as_ptr().addr());
            if let Some(waiter) = waiter.upgrade() {
                return Some(waiter);
            }
        }
    }
}

impl Backlog {
    /// Messages were handed to consumers, under the queue's lock.
    #[inline]
    pub(crate) fn count_handed_out(&self, messages: usize) {
        let before = self.handed_out.load(Ordering::Relaxed);
        self.handed_out.store(before + messages as u64, Ordering::Relaxed);
    }

    /// Messages that were handed to consumers since the queue was made.
    pub(crate) fn handed_out(&self) -> u64 {
        self.handed_out.load(Ordering::Relaxed)
    }

    /// Whether this many ready messages with bodies of so many octets are too many.
    #[inline]
    pub(crate) fn is_high(ready: usize, body_bytes: u64) -> bool {
        ready >= BACKLOG_HIGH || (ready > BACKLOG_LOW && body_bytes >= BACKLOG_HIGH_BYTES)
    }

    /// Whether nobody waits for these consumers at present.
    pub(crate) fn is_slow(&self, now_ms: u64) -> bool {
        now_ms < self.slow_until_ms.load(Ordering::Relaxed)
    }

    /// Nobody waits for these consumers until then.
    pub(crate) fn set_slow(&self, until_ms: u64) {
        self.slow_until_ms.store(until_ms, Ordering::Relaxed);
    }

    /// Wakes `waiter` in its turn when the consumers have caught up.
    pub(crate) fn wait(&self, waiter: &Arc<dyn Wake>) {
        self.waiters.lock().add(waiter);
        self.has_waiters.store(true, Ordering::SeqCst);
    }

    /// Somebody begins to wait.
    pub(crate) fn begin_waiting(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// He waits no more, whatever has become of it.
    pub(crate) fn end_waiting(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many have begun to wait and not ended.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// So many messages are ready: whoever has waited longest may go on if they are few, and
    /// everybody if there are none.
    #[inline]
    pub(crate) fn look(&self, ready: usize, wakeups: &mut Wakeups) {
        if ready <= BACKLOG_LOW && self.has_waiters.load(Ordering::Relaxed) {
            self.let_go(ready == 0, wakeups);
        }
    }

    fn let_go(&self, all: bool, wakeups: &mut Wakeups) {
        let mut waiters = self.waiters.lock();
        while let Some(waiter) = waiters.take() {
            wakeups.add(waiter);
            if !all {
                break;
            }
        }
        self.has_waiters.store(!waiters.line.is_empty(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wake::Bell;

    #[test]
    fn who_has_gone_takes_no_room() {
        let backlog = Backlog::default();
        let stays: Arc<dyn Wake> = Arc::new(Bell::default());
        backlog.wait(&stays);
        for _ in 0..10_000 {
            let goes: Arc<dyn Wake> = Arc::new(Bell::default());
            backlog.wait(&goes);
        }
        let waiters = backlog.waiters.lock();
        assert!(waiters.line.len() <= 2 + GONE_MAX, "{}", waiters.line.len());
        assert_eq!(waiters.known.len(), waiters.line.len());
        assert_eq!(waiters.line[0].as_ptr().addr(), Arc::as_ptr(&stays).addr());
    }

    #[test]
    fn those_who_wait_go_on_in_turn() {
        let backlog = Backlog::default();
        let publishers: Vec<Arc<Bell>> = (0..3).map(|_| Arc::default()).collect();
        let gone: Arc<dyn Wake> = Arc::new(Bell::default());
        backlog.wait(&gone);
        drop(gone);
        for publisher in &publishers {
            let publisher: Arc<dyn Wake> = Arc::clone(publisher) as _;
            backlog.wait(&publisher);
            backlog.wait(&publisher);
        }
        let woken = |ready| {
            let mut wakeups = Wakeups::default();
            backlog.look(ready, &mut wakeups);
            wakeups.wake_all();
            publishers.iter().map(|p| p.count()).collect::<Vec<_>>()
        };
        assert_eq!(woken(BACKLOG_LOW + 1), [0, 0, 0]);
        assert_eq!(woken(BACKLOG_LOW), [1, 0, 0]);
        assert_eq!(woken(0), [1, 1, 1]);
        assert_eq!(woken(0), [1, 1, 1]);
    }
}
