//! Deadlines of queues and exchanges: one timer per broker, no task or thread for each, nothing
//! while idle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::clock::{Clock, Timestamp, until};
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;

/// Part of a virtual host that can be woken at a time.
pub trait Sleeper: Send + Sync {
    /// The deadline has come, or an earlier one that was overtaken.
    fn wake(self: Arc<Self>, host: &Arc<VirtualHost>, effects: &mut Effects);
}

impl Sleeper for Queue {
    fn wake(self: Arc<Self>, host: &Arc<VirtualHost>, effects: &mut Effects) {
        Queue::wake(&self, host.now(), effects);
    }
}

/// A queue or an exchange that wants to be woken.
struct Alarm {
    deadline: Timestamp,
    virtual_host: Weak<VirtualHost>,
    sleeper: Weak<dyn Sleeper>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.deadline == other.deadline
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.deadline.cmp(&other.deadline)
    }
}

#[derive(Default)]
struct State {
    alarms: BinaryHeap<Reverse<Alarm>>,
    thread: Option<thread::JoinHandle<()>>,
    stopped: bool,
}

/// The deadlines of all queues and exchanges of a broker. Each has at most one that counts;
/// earlier ones that were overtaken only wake it in vain.
///
/// On the system's clock a thread waits for the next deadline; it starts with the first one. On a
/// manual clock deadlines pass when the clock is advanced.
pub struct Timers {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

impl Timers {
    /// No deadlines.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Wakes the sleeper at the deadline.
    pub fn schedule<S: Sleeper + 'static>(
        self: &Arc<Self>,
        deadline: Timestamp,
        virtual_host: &Arc<VirtualHost>,
        sleeper: &Arc<S>,
    ) {
        let sleeper: Weak<S> = Arc::downgrade(sleeper);
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let first = state.alarms.peek().is_none_or(|Reverse(next)| deadline < next.deadline);
        state.alarms.push(Reverse(Alarm {
            deadline,
            virtual_host: Arc::downgrade(virtual_host),
            sleeper,
        }));
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

    /// The next deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.lock().alarms.peek().map(|Reverse(alarm)| alarm.deadline)
    }

    /// Wakes everyone whose deadline has come.
    pub fn run_due(&self) {
        let mut effects = Effects::new();
        while let Some(alarm) = self.take_due() {
            let (host, sleeper) = (alarm.virtual_host.upgrade(), alarm.sleeper.upgrade());
            if let (Some(host), Some(sleeper)) = (host, sleeper) {
                sleeper.wake(&host, &mut effects);
                host.run(&mut effects);
            }
        }
    }

    fn take_due(&self) -> Option<Alarm> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let due = state.alarms.peek().is_some_and(|Reverse(next)| next.deadline <= now);
        if due { state.alarms.pop().map(|Reverse(alarm)| alarm) } else { None }
    }

    /// Ends the thread. Nobody is woken any more.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.alarms.clear();
        let thread = state.thread.take();
        drop(state);
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
        match state.alarms.peek().map(|Reverse(next)| next.deadline) {
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
