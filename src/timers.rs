//! Deadlines of queues: one timer per broker, no task or thread per queue, nothing while idle.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::clock::{Clock, Timestamp, until};
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;

/// Alarms are looked through for those that mean nothing any more from this many on.
const PRUNE_AT: usize = 4096;

/// A queue that wants to be woken.
struct Alarm {
    deadline: Timestamp,
    virtual_host: Weak<VirtualHost>,
    queue: Weak<Queue>,
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
    /// Alarms that were left when they were looked through last.
    pruned_to: usize,
}

impl State {
    /// Drops alarms of queues that are gone, and all but the first of each queue: when that one
    /// goes off the queue asks for another. Done when their number has doubled.
    fn prune(&mut self) {
        if self.alarms.len() < PRUNE_AT.max(2 * self.pruned_to) {
            return;
        }
        let mut seen = HashSet::new();
        let mut alarms = std::mem::take(&mut self.alarms).into_vec();
        alarms.sort_unstable_by(|Reverse(one), Reverse(other)| one.cmp(other));
        alarms.retain(|Reverse(alarm)| {
            alarm.queue.strong_count() > 0 && seen.insert(alarm.queue.as_ptr())
        });
        self.pruned_to = alarms.len();
        self.alarms = alarms.into();
    }
}

/// The deadlines of all queues of a broker. A queue has at most one that counts; earlier ones
/// that were overtaken only wake it in vain.
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

    /// Wakes the queue at the deadline.
    pub fn schedule(
        self: &Arc<Self>,
        deadline: Timestamp,
        virtual_host: &Arc<VirtualHost>,
        queue: &Arc<Queue>,
    ) {
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let first = state.alarms.peek().is_none_or(|Reverse(next)| deadline < next.deadline);
        state.prune();
        state.alarms.push(Reverse(Alarm {
            deadline,
            virtual_host: Arc::downgrade(virtual_host),
            queue: Arc::downgrade(queue),
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

    /// Wakes every queue whose deadline has come.
    pub fn run_due(&self) {
        let mut effects = Effects::new();
        while let Some(alarm) = self.take_due() {
            if let (Some(host), Some(queue)) = (alarm.virtual_host.upgrade(), alarm.queue.upgrade())
            {
                host.wake_queue(&queue, &mut effects);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Broker, ManualClock};

    #[test]
    fn alarms_that_mean_nothing_take_no_place() {
        let clock = ManualClock::default();
        let now = clock.now();
        let broker = Broker::builder().manual_clock(clock.clone()).build();
        let channel = broker.connect().unwrap().open_channel().unwrap();
        channel.queue_declare("q").unwrap();
        let host = broker.virtual_host("/").unwrap();
        let queue = host.queue("q").unwrap();
        let timers = Timers::new(Clock::Manual(clock));
        for ms in (1..100_000).rev() {
            timers.schedule(now.after_ms(ms), &host, &queue);
        }
        assert!(timers.state.lock().alarms.len() <= PRUNE_AT);
        assert_eq!(timers.next_deadline(), Some(now.after_ms(1)));
    }
}
