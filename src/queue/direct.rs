//! The short way through a queue: a consumer that waits takes a message at once, or acknowledges
//! it, and nobody else has to hear of it. Whatever is not so simple goes the way of every command,
//! to the same effect.

use std::sync::Arc;

use crate::base::lock::MutexGuard;
use crate::base::wake::Wakeups;
use crate::message::Message;
use crate::queue::Queue;
use crate::queue::effects::Left;
use crate::queue::fifo::state::State;
use crate::time::clock::Timestamp;

impl Queue {
    /// The queue, if nobody hears of its messages but publishers and consumers: no journal, no
    /// store, and nobody who traces or waits for them.
    #[inline]
    fn private(&self) -> Option<MutexGuard<'_, State>> {
        let is_private = self.journal.is_none()
            && self.storage.id == 0
            && self.stream.is_none()
            && !self.tap.is_open();
        // Who wants to hear of demand is known before it looks at the queue.
        is_private.then(|| self.state.lock()).filter(|_| self.demand.get().is_none())
    }

    /// A message arrives, and a consumer gets it at once. Gives it back if that cannot be. It is
    /// about `lately`; what has to be settled counts from `now` on.
    pub(crate) fn hand_directly(
        self: &Arc<Self>,
        message: Message,
        lately: Timestamp,
        now: Timestamp,
        wakeups: &mut Wakeups,
    ) -> Result<Left, Message> {
        let Some(mut state) = self.private().filter(|_| !self.is_deleted()) else {
            return Err(message);
        };
        let Some(claim) = state.claim_directly() else { return Err(message) };
        let claimed = state.serve_directly(&claim, message, lately, || (self.reserve(1), now));
        self.backlog.count_handed_out(1);
        if let Some(consumer) = state.consumers().at(claimed.slot)
            && let Some(delivery) = claimed.pass_on(&state.unacked)
        {
            consumer.spec.outlet.deliver_one(delivery, wakeups);
        }
        Ok(self.leave(&mut state, lately, wakeups))
    }

    /// Deliveries are acknowledged. `None` if more comes of it: then nothing was done.
    pub(crate) fn acknowledge_directly(
        self: &Arc<Self>,
        ids: &[u64],
        lately: Timestamp,
        wakeups: &mut Wakeups,
    ) -> Option<Left> {
        let mut state = self.private()?;
        if !state.acknowledge_directly(ids) {
            return None;
        }
        Some(self.leave(&mut state, lately, wakeups))
    }

    #[inline(always)] // as `State::serve_directly`
    fn leave(&self, state: &mut State, lately: Timestamp, wakeups: &mut Wakeups) -> Left {
        state.count_use(lately);
        self.backlog.look(state.ready.len(), wakeups);
        Left { footprint: state.take_large_growth(), deadline: state.new_deadline() }
    }
}
