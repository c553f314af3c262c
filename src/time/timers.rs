//! Deadlines of queues and exchanges, and of whoever waits on the broker's clock: one timer per
//! broker, no task or thread for each, nothing while idle.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::thread;

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;
use crate::limits::SETTLE_PATIENCE;
use crate::time::clock::{Clock, ManualClock, Timestamp, until};
use crate::time::quiescence::Quiescence;
use crate::time::waiting::Waiting;

/// Part of a host, such as a queue of a virtual host, that can be woken at a time.
pub(crate) trait Sleeper: Send + Sync + 'static {
    /// What it is a part of.
    type Host: Send + Sync;

    /// The deadline has come, or an earlier one that was overtaken.
    fn wake(self: Arc<Self>, host: &Arc<Self::Host>);

    /// Whether it is gone and has nothing to wake up for.
    fn is_gone(&self) -> bool {
        false
    }

    /// What it waits for, if that is worth telling.
    fn waiting(&self, _host: &Self::Host) -> Option<Waiting> {
        None
    }
}

/// A sleeper in its host, of whatever kind.
trait Asleep: Send + Sync {
    fn wake(&self);
    fn waiting(&self) -> Option<Waiting>;
}

impl<S: Sleeper> Asleep for (Weak<S::Host>, Weak<S>) {
    fn wake(&self) {
        if let (Some(host), Some(sleeper)) = (self.0.upgrade(), self.1.upgrade()) {
            sleeper.wake(&host);
        }
    }

    fn waiting(&self) -> Option<Waiting> {
        self.1.upgrade()?.waiting(&*self.0.upgrade()?)
    }
}

/// Who wants to be woken.
enum Timer {
    /// A queue or an exchange.
    Sleeper(Arc<dyn Asleep>),
    /// A task.
    Task(Waker),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// The address of a sleeper. It is not used again while a timer holds on to the sleeper.
    Sleeper(usize),
    /// The number of a [`crate::Sleep`].
    Task(u64),
}

impl Key {
    fn of<S: Sleeper>(sleeper: &Arc<S>) -> Self {
        Self::Sleeper(Arc::as_ptr(sleeper) as usize)
    }
}

/// Who is to be woken when: one timer for each sleeper.
#[derive(Default)]
struct State {
    timers: BTreeMap<(Timestamp, Key), Timer>,
    /// Beside those above, and no reason for a manual clock to stop.
    aside: Option<(Timestamp, Arc<dyn Asleep>)>,
    deadlines: HashMap<Key, Timestamp>,
    thread: Option<thread::JoinHandle<()>>,
    stopped: bool,
}

impl State {
    fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    /// Sets the timer of a sleeper, unless it goes off earlier as it is.
    fn set(&mut self, deadline: Timestamp, key: Key, timer: impl FnOnce() -> Timer) {
        if self.deadlines.get(&key).is_some_and(|&known| known <= deadline) {
            return;
        }
        self.unset(key);
        self.deadlines.insert(key, deadline);
        self.timers.insert((deadline, key), timer());
    }

    fn unset(&mut self, key: Key) {
        if let Some(deadline) = self.deadlines.remove(&key) {
            self.timers.remove(&(deadline, key));
        }
    }

    /// The next time at which somebody is woken on the system's clock.
    fn next_wake(&self) -> Option<Timestamp> {
        let aside = self.aside.as_ref().map(|(deadline, _)| *deadline);
        self.next_deadline().into_iter().chain(aside).min()
    }

    fn take_due_aside(&mut self, now: Timestamp) -> Option<Arc<dyn Asleep>> {
        self.aside.take_if(|(deadline, _)| *deadline <= now).map(|(_, asleep)| asleep)
    }

    fn take_due(&mut self, now: Timestamp) -> Option<Timer> {
        self.next_deadline().filter(|&deadline| deadline <= now)?;
        let ((_, key), timer) = self.timers.pop_first()?;
        self.deadlines.remove(&key);
        Some(timer)
    }
}

/// The deadlines of all queues and exchanges of a broker, and of the tasks that wait for it. Each
/// has one at most, the earliest that it asked for; when it is woken it asks again.
///
/// On the system's clock a thread waits for the next deadline; it starts with the first one. On a
/// manual clock deadlines pass when the clock is advanced.
pub(crate) struct Timers {
    clock: Clock,
    state: Mutex<State, rank::Timers>,
    changed: Condvar,
    next_waker: AtomicU64,
    /// The tasks of connections that run on a manual clock.
    pub quiescence: Arc<Quiescence>,
}

impl Timers {
    /// No deadlines.
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
            changed: Condvar::new(),
            next_waker: AtomicU64::new(0),
            quiescence: Arc::default(),
        })
    }

    /// The present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Wakes the sleeper at the deadline.
    pub(crate) fn schedule<S: Sleeper>(
        self: &Arc<Self>,
        deadline: Timestamp,
        host: &Arc<S::Host>,
        sleeper: &Arc<S>,
    ) {
        let asleep = (Arc::downgrade(host), Arc::downgrade(sleeper));
        let mut state = self.state.lock();
        if state.stopped || sleeper.is_gone() {
            return;
        }
        let first = state.next_deadline().is_none_or(|next| deadline < next);
        state.set(deadline, Key::of(sleeper), || Timer::Sleeper(Arc::new(asleep)));
        self.see_to_thread(&mut state, first);
    }

    /// Wakes the sleeper at the deadline, or, on a manual clock, when the clock next stands still
    /// after it: nobody is to see this one, and [`Timers::next_deadline`] does not tell of it.
    /// There is one at a time.
    pub(crate) fn schedule_aside<S: Sleeper>(
        self: &Arc<Self>,
        deadline: Timestamp,
        host: &Arc<S::Host>,
        sleeper: &Arc<S>,
    ) {
        let asleep = (Arc::downgrade(host), Arc::downgrade(sleeper));
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let first = state.next_wake().is_none_or(|next| deadline < next);
        state.aside = Some((deadline, Arc::new(asleep)));
        self.see_to_thread(&mut state, first);
    }

    /// A number for a task that waits.
    pub(crate) fn next_waker_id(&self) -> u64 {
        self.next_waker.fetch_add(1, Ordering::Relaxed)
    }

    /// Wakes the task at the deadline, and not at another that was set for this number before.
    /// Returns false if there is nothing to wait for because the timers are stopped.
    pub(crate) fn set_waker(self: &Arc<Self>, id: u64, deadline: Timestamp, waker: &Waker) -> bool {
        let key = Key::Task(id);
        let mut state = self.state.lock();
        if state.stopped {
            return false;
        }
        if let Some(Timer::Task(known)) = state.timers.get(&(deadline, key))
            && known.will_wake(waker)
        {
            return true;
        }
        state.unset(key);
        let first = state.next_deadline().is_none_or(|next| deadline < next);
        state.set(deadline, key, || Timer::Task(waker.clone()));
        self.see_to_thread(&mut state, first);
        true
    }

    /// The task is not woken any more.
    pub(crate) fn unset_waker(&self, id: u64) {
        self.state.lock().unset(Key::Task(id));
    }

    /// Whether nobody is woken any more.
    #[cfg(any(feature = "lapin", feature = "remote"))]
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// On the system's clock, lets the thread know of a new first deadline.
    fn see_to_thread(self: &Arc<Self>, state: &mut State, first: bool) {
        if let Clock::System(_) = self.clock {
            if state.thread.is_none() {
                let timers = Arc::downgrade(self);
                let thread = thread::Builder::new().name("leveret-timer".into());
                state.thread = thread.spawn(move || wait_and_run(&timers)).ok();
            } else if first {
                self.changed.notify_one();
            }
        }
    }

    /// A queue or an exchange that was deleted is not woken any more.
    pub(crate) fn cancel<S: Sleeper>(&self, sleeper: &Arc<S>) {
        self.state.lock().unset(Key::of(sleeper));
    }

    /// The next deadline.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.state.lock().next_deadline()
    }

    /// The next ones, at most so many of those who wait; each tells for what.
    pub(crate) fn upcoming(&self, max: usize) -> Vec<Waiting> {
        let sleepers = |(&(at, _), timer): (&(Timestamp, Key), &Timer)| match timer {
            Timer::Sleeper(asleep) => Ok(Arc::clone(asleep)),
            Timer::Task(_) => Err(Waiting::new("task", ["", ""], [("somebody wakes up", at)])),
        };
        let state = self.state.lock();
        let next: Vec<_> = state.timers.iter().take(max).map(sleepers).collect();
        drop(state);
        let ask = |next: Result<Arc<dyn Asleep>, _>| next.map_or_else(Some, |it| it.waiting());
        next.into_iter().filter_map(ask).collect()
    }

    /// How many deadlines there are.
    pub(crate) fn pending(&self) -> usize {
        self.state.lock().timers.len()
    }

    /// Wakes everyone whose deadline has come.
    pub(crate) fn run_due(&self) {
        while let Some(timer) = self.take_due() {
            match timer {
                Timer::Task(waker) => waker.wake(),
                Timer::Sleeper(asleep) => asleep.wake(),
            }
        }
        self.run_aside();
    }

    fn run_aside(&self) {
        let now = self.clock.now();
        let aside = self.state.lock().take_due_aside(now);
        if let Some(asleep) = aside {
            asleep.wake();
        }
    }

    /// Moves the clock to `end`, stopping at every deadline on the way. Connections on this clock
    /// act on one deadline before the clock moves to the next, and have taken what was sent to
    /// them before it moved at all.
    pub(crate) fn advance_to(&self, clock: &ManualClock, end: Timestamp) {
        let mut patient = true;
        let mut settle = || {
            // Who is kept busy all the time is not waited for at every deadline.
            patient = patient && self.quiescence.wait(SETTLE_PATIENCE);
        };
        settle();
        loop {
            while let Some(deadline) = self.next_deadline().filter(|&deadline| deadline <= end) {
                clock.advance_to(deadline);
                self.run_due();
                settle();
            }
            clock.advance_to(end);
            self.run_aside();
            // A deadline that was set while the clock moved may have been overtaken.
            if self.next_deadline().is_none_or(|deadline| deadline > end) {
                return;
            }
        }
    }

    fn take_due(&self) -> Option<Timer> {
        let now = self.clock.now();
        self.state.lock().take_due(now)
    }

    /// Ends the thread. Nobody is woken any more.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        let timers = std::mem::take(&mut state.timers);
        state.deadlines.clear();
        let aside = state.aside.take();
        let thread = state.thread.take();
        drop(state);
        drop(aside);
        for timer in timers.into_values() {
            if let Timer::Task(waker) = timer {
                waker.wake();
            }
        }
        self.changed.notify_all();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // It only fails if the thread panicked, which was reported then.
            let _ = thread.join();
        }
    }

    /// Waits until a deadline may have come; tells whether to go on.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        if state.stopped {
            return false;
        }
        match state.next_wake() {
            None => self.changed.wait(&mut state),
            Some(deadline) => {
                let patience = until(deadline, self.clock.now());
                if !patience.is_zero() {
                    self.changed.wait_for(&mut state, patience);
                }
            }
        }
        !state.stopped
    }
}

fn wait_and_run(timers: &Weak<Timers>) {
    while let Some(timers) = timers.upgrade() {
        if !timers.wait() {
            return;
        }
        timers.run_due();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer() -> Timer {
        Timer::Task(Waker::noop().clone())
    }

    #[test]
    fn a_queue_has_one_timer_the_earliest() {
        let mut state = State::default();
        let at = Timestamp::from_millis;
        for (ms, key) in [(50, 1), (80, 1), (20, 1), (30, 2)] {
            state.set(at(ms), Key::Sleeper(key), timer);
        }
        assert_eq!((state.timers.len(), state.next_deadline()), (2, Some(at(20))));
        assert!(state.take_due(at(19)).is_none());
        assert!(state.take_due(at(20)).is_some() && state.take_due(at(29)).is_none());
        state.set(at(90), Key::Sleeper(1), timer);
        assert!(state.take_due(at(100)).is_some());
        state.unset(Key::Sleeper(1));
        assert!(state.take_due(at(100)).is_none());
        assert!(state.timers.is_empty() && state.deadlines.is_empty());
    }
}
