//! When a client is not read, and when a publisher is not told what was confirmed.

use std::sync::Arc;

use crate::base::wake::Wake;
use crate::gateway::amqp::connection_task::ConnectionTask;
use crate::gateway::amqp::pace::{Paced, Step};
use crate::gateway::socket::Socket;
use crate::node::status::ConnectionState;
use crate::queue::Queue;
use crate::time::clock::Clock;

impl<T: Socket> ConnectionTask<T> {
    /// Whether the client is not read: an alarm is on, the disk does not keep up, the client does
    /// not read what it asked for itself, or a test wants it so.
    pub(super) fn is_holding_back(&self) -> bool {
        self.blocked
            || self.slowed
            || self.pace.is_some()
            || self.outbox.is_stopped()
            || self.outbox.is_full()
    }

    /// Holds the client back, and tells it, if an alarm is on; tells whether one is.
    pub(super) fn block(&mut self) -> bool {
        let Some(reason) = self.broker.alarm() else { return false };
        self.blocked = true;
        self.tell_state();
        self.protocol.blocked(reason);
        self.take_replies();
        self.wake_when_calmer();
        true
    }

    /// Waits until the consumers of a queue have caught up, if they are worth it. On a manual clock
    /// nothing is waited for but what the test waits for.
    pub(super) fn wait_for_consumers(&mut self, queue: Arc<Queue>) {
        if matches!(self.clock, Clock::System(_)) && !queue.backlog().is_slow(self.now_ms) {
            self.pace = Some(Paced::new(Arc::clone(&queue), self.now_ms));
            let outbox: Arc<dyn Wake> = Arc::clone(&self.outbox) as _;
            queue.backlog().wait(&outbox);
            self.look_at_consumers();
        }
    }

    pub(super) fn look_at_consumers(&mut self) {
        self.pace_until_ms = u64::MAX;
        let Some(paced) = &mut self.pace else { return };
        match paced.look(self.now_ms) {
            Step::Wait { until_ms } => {
                let outbox: Arc<dyn Wake> = Arc::clone(&self.outbox) as _;
                paced.backlog().wait(&outbox);
                self.pace_until_ms = until_ms;
                return;
            }
            Step::GoOn => {}
            Step::GiveUp { slow_until_ms } => paced.backlog().set_slow(slow_until_ms),
        }
        self.pace = None;
    }

    /// Lets others know whether the client is held back.
    pub(super) fn tell_state(&self) {
        self.outbox.traffic.set_state(match (self.blocked, self.slowed || self.pace.is_some()) {
            (true, _) => ConnectionState::Blocked,
            (false, true) => ConnectionState::Flow,
            (false, false) => ConnectionState::Running,
        });
    }

    pub(super) fn wake_when_calmer(&self) {
        let outbox: Arc<dyn Wake> = Arc::clone(&self.outbox) as _;
        self.broker.wake_when_calmer(&outbox);
    }

    /// Whether the client may be told what was confirmed. It is told the rest at once.
    pub(super) fn may_tell(&mut self) -> bool {
        let outbox = &self.outbox;
        let waker = || -> Arc<dyn Wake> { Arc::clone(outbox) as _ };
        let floor = &self.broker.floor;
        let may = !self.speaker.sends_much()
            || !outbox.has_confirms_alone()
            || self.speaker.may_tell(floor, self.now_ms, waker);
        if may {
            self.speaker.tell(floor, self.now_ms);
        }
        may
    }
}
