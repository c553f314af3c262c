//! Waiting for something to change in the broker, without a look every now and then.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;
use crate::limits::CHANGES_MISSED_AFTER;
use crate::time::clock::instant;

/// Who waits for a change, and how many there were while somebody waited.
#[derive(Default)]
pub(crate) struct ChangeSignal {
    waiting: AtomicUsize,
    state: Mutex<State, rank::Changes>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    count: u64,
    /// Tasks that wait, and those of them that are to be woken.
    tasks: usize,
    wakers: Vec<Waker>,
    /// A thread wakes them: not whoever changes something, who may hold locks.
    has_thread: bool,
}

/// Somebody who waits: changes are counted for as long.
pub(crate) struct Waiting<'a>(&'a ChangeSignal);

impl<'a> Waiting<'a> {
    fn new(signal: &'a ChangeSignal) -> Self {
        signal.waiting.fetch_add(1, Ordering::SeqCst);
        Self(signal)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A task that waits.
struct WaitingTask<'a>(Waiting<'a>);

impl<'a> WaitingTask<'a> {
    fn new(signal: &'a ChangeSignal) -> Self {
        signal.state.lock().tasks += 1;
        Self(Waiting::new(signal))
    }
}

impl Drop for WaitingTask<'_> {
    fn drop(&mut self) {
        let signal = self.0.0;
        signal.state.lock().tasks -= 1;
        signal.changed.notify_all();
    }
}

impl ChangeSignal {
    /// Something has changed. One load when nobody waits.
    #[inline]
    pub(crate) fn note(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        self.state.lock().count += 1;
        self.changed.notify_all();
    }

    /// Counts all changes for as long as this is kept.
    pub(crate) fn counting(&self) -> Waiting<'_> {
        Waiting::new(self)
    }

    /// How many changes were noted while somebody waited.
    pub(crate) fn count(&self) -> u64 {
        self.state.lock().count
    }

    /// Waits until `condition` holds, but not longer than `limit` of real time; tells whether it
    /// does.
    pub(crate) fn wait_until(&self, limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
        let end = instant() + limit;
        let _waiting = Waiting::new(self);
        loop {
            let seen = self.count();
            if condition() {
                return true;
            }
            let now = instant();
            if now >= end {
                return false;
            }
            // A change that was made while this began to wait, and what the condition asks of
            // others than the broker, is found out a little later.
            let pause = (now + CHANGES_MISSED_AFTER).min(end);
            let mut state = self.state.lock();
            if state.count == seen {
                self.changed.wait_until(&mut state, pause);
            }
        }
    }

    /// As [`ChangeSignal::wait_until`], for a task.
    pub(crate) async fn until(
        self: &Arc<Self>,
        limit: Duration,
        mut condition: impl FnMut() -> bool,
    ) -> bool {
        let end = instant() + limit;
        let _waiting = WaitingTask::new(self);
        loop {
            let seen = self.count();
            if condition() {
                return true;
            }
            if instant() >= end {
                return false;
            }
            self.next_change(seen).await;
        }
    }

    /// Done after a change since there were `seen`, or a little later.
    async fn next_change(self: &Arc<Self>, seen: u64) {
        let mut is_woken = false;
        poll_fn(|context| {
            let mut state = self.state.lock();
            if std::mem::replace(&mut is_woken, true) || state.count != seen {
                return Poll::Ready(());
            }
            state.wakers.push(context.waker().clone());
            if !state.has_thread {
                let signal = Arc::clone(self);
                let thread = thread::Builder::new().name("leveret-changes".into());
                state.has_thread = thread.spawn(move || signal.wake_tasks()).is_ok();
            }
            if !state.has_thread {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    /// Wakes the tasks after each change, and every few milliseconds, until none waits.
    fn wake_tasks(&self) {
        let mut state = self.state.lock();
        while state.tasks > 0 {
            let seen = state.count;
            let pause = instant() + CHANGES_MISSED_AFTER;
            self.changed.wait_until(&mut state, pause);
            if state.count == seen && instant() < pause {
                continue;
            }
            let wakers = std::mem::take(&mut state.wakers);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
            state = self.state.lock();
        }
        state.has_thread = false;
        state.wakers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_condition_is_looked_at_again_after_a_change() {
        let changes = ChangeSignal::default();
        let value = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                value.store(1, Ordering::SeqCst);
                changes.note();
            });
            assert!(changes.wait_until(LIMIT, || value.load(Ordering::SeqCst) == 1));
        });
        assert!(!changes.wait_until(Duration::ZERO, || false));
        assert_eq!(changes.waiting.load(Ordering::SeqCst), 0);
    }

    struct Unpark(thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Polls the futures until both are done.
    fn block_on<A: Future<Output = bool>, B: Future<Output = bool>>(a: A, b: B) -> bool {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = std::task::Context::from_waker(&waker);
        let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
        let mut results = [None; 2];
        loop {
            if results[0].is_none()
                && let Poll::Ready(result) = a.as_mut().poll(&mut context)
            {
                results[0] = Some(result);
            }
            if results[1].is_none()
                && let Poll::Ready(result) = b.as_mut().poll(&mut context)
            {
                results[1] = Some(result);
            }
            match results {
                [Some(a), Some(b)] => return a && b,
                _ => thread::park(),
            }
        }
    }

    #[test]
    fn tasks_wait_side_by_side_and_leave_no_thread() {
        let changes: Arc<ChangeSignal> = Arc::default();
        let value = AtomicUsize::new(0);
        let (noting, reaching) = (
            changes.until(LIMIT, || {
                value.store(1, Ordering::SeqCst);
                changes.note();
                true
            }),
            changes.until(LIMIT, || value.load(Ordering::SeqCst) == 1),
        );
        assert!(block_on(reaching, noting));
        assert!(!block_on(std::future::ready(true), changes.until(Duration::ZERO, || false)));
        while Arc::strong_count(&changes) > 1 {
            thread::yield_now();
        }
        assert_eq!(changes.waiting.load(Ordering::SeqCst), 0);
    }
}
