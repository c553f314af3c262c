//! Knowing when the tasks of connections have done what there is to do, so that a clock that is
//! moved by hand moves between their steps and not in the middle of them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;
use crate::time::clock::instant;

/// Tasks that have something to do, by the round in which they were woken.
#[derive(Default)]
struct Rounds {
    current: u64,
    busy: BTreeMap<u64, usize>,
}

/// Counts the tasks that were woken and have not come to rest.
#[derive(Default)]
pub(crate) struct Quiescence {
    rounds: Mutex<Rounds, rank::Rounds>,
    changed: Condvar,
}

impl Quiescence {
    /// Waits until every task that is busy now has come to rest; those that are woken later are
    /// not waited for. Gives up after `patience` (of real time), and returns false.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let mut rounds = self.rounds.lock();
        if rounds.busy.is_empty() {
            return true;
        }
        let end = instant() + patience;
        let last = rounds.current;
        rounds.current += 1;
        while rounds.busy.first_key_value().is_some_and(|(&round, _)| round <= last) {
            if self.changed.wait_until(&mut rounds, end).timed_out() {
                return false;
            }
        }
        true
    }

    /// Counts a task as busy; returns the round that it counts for.
    fn enter(&self) -> u64 {
        let mut rounds = self.rounds.lock();
        let round = rounds.current;
        *rounds.busy.entry(round).or_default() += 1;
        round
    }

    fn leave(&self, round: u64) {
        let mut rounds = self.rounds.lock();
        if let Some(count) = rounds.busy.get_mut(&round) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                rounds.busy.remove(&round);
                self.changed.notify_all();
            }
        }
    }
}

impl fmt::Debug for Quiescence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quiescence").finish_non_exhaustive()
    }
}

/// What a task is about. The numbers are rounds of [`Quiescence`].
#[derive(Clone, Copy)]
enum Phase {
    Resting,
    Woken(u64),
    Working(u64),
    /// Woken while it works, often by itself: it goes on with what it was woken for.
    WokenAtWork(u64),
    /// Whoever still has the waker wakes nobody.
    Gone,
}

/// The waker of a task that is watched.
struct Activity {
    quiescence: Arc<Quiescence>,
    phase: Mutex<Phase, rank::TaskPhase>,
    waker: Mutex<Option<Waker>, rank::TaskWaker>,
}

impl Activity {
    fn note_woken(&self) {
        let mut phase = self.phase.lock();
        *phase = match *phase {
            Phase::Resting => Phase::Woken(self.quiescence.enter()),
            Phase::Working(round) => Phase::WokenAtWork(round),
            known => known,
        };
    }

    fn begin(&self, waker: &Waker) {
        let mut phase = self.phase.lock();
        *phase = match *phase {
            Phase::Resting => Phase::Working(self.quiescence.enter()),
            Phase::Woken(round) => Phase::Working(round),
            known => known,
        };
        drop(phase);
        let mut known = self.waker.lock();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    fn end(&self) {
        let mut phase = self.phase.lock();
        *phase = match *phase {
            Phase::Working(round) => {
                self.quiescence.leave(round);
                Phase::Resting
            }
            Phase::WokenAtWork(round) => Phase::Woken(round),
            known => known,
        };
    }

    fn end_for_good(&self) {
        self.end();
        let mut phase = self.phase.lock();
        if let Phase::Woken(round) = std::mem::replace(&mut *phase, Phase::Gone) {
            self.quiescence.leave(round);
        }
        *self.waker.lock() = None;
    }
}

impl Wake for Activity {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note_woken();
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Tells that the task is gone; dropped after it.
struct Gone(Arc<Activity>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.end_for_good();
    }
}

/// A task that counts as busy from its making, and from whenever it is woken, until it waits.
pub(crate) struct Watched<F> {
    task: F,
    waker: Waker,
    gone: Gone,
}

impl<F: Future + Unpin> Watched<F> {
    /// A task that is about to be spawned.
    pub(crate) fn new(task: F, quiescence: &Arc<Quiescence>) -> Self {
        let activity = Arc::new(Activity {
            quiescence: Arc::clone(quiescence),
            phase: Mutex::new(Phase::Woken(quiescence.enter())),
            waker: Mutex::default(),
        });
        Self { task, waker: Waker::from(Arc::clone(&activity)), gone: Gone(activity) }
    }
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let watched = &mut *self;
        watched.gone.0.begin(cx.waker());
        let result = Pin::new(&mut watched.task).poll(&mut Context::from_waker(&watched.waker));
        watched.gone.0.end();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    /// Wakes itself `0` times before it waits.
    struct Steps(u32);

    impl Future for Steps {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if self.0 > 0 {
                self.0 -= 1;
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }
    }

    fn poll<F: Future + Unpin>(task: &mut Watched<F>) {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(task).poll(&mut cx).is_pending());
    }

    #[test]
    fn a_task_is_busy_until_it_waits() {
        let quiescence = Arc::default();
        let mut task = Watched::new(Steps(1), &quiescence);
        assert!(!quiescence.wait(PATIENCE), "it has not begun");
        poll(&mut task);
        assert!(!quiescence.wait(PATIENCE), "it woke itself");
        poll(&mut task);
        assert!(quiescence.wait(PATIENCE));
        task.waker.wake_by_ref();
        assert!(!quiescence.wait(PATIENCE), "it was woken");
        let waker = task.waker.clone();
        drop(task);
        assert!(quiescence.wait(PATIENCE), "it is gone");
        waker.wake();
        assert!(quiescence.wait(PATIENCE), "it is still gone");
    }

    #[test]
    fn what_is_woken_later_is_not_waited_for() {
        let quiescence: Arc<Quiescence> = Arc::default();
        let mut old = Watched::new(Steps(0), &quiescence);
        let waiting = {
            let quiescence = Arc::clone(&quiescence);
            std::thread::spawn(move || quiescence.wait(Duration::from_secs(10)))
        };
        while quiescence.rounds.lock().current == 0 {
            std::thread::yield_now();
        }
        let young = Watched::new(Steps(0), &quiescence);
        poll(&mut old);
        assert!(waiting.join().unwrap());
        drop(young);
    }
}
