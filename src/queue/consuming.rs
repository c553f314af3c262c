//! Consumers of a queue, and what they are given and settle.

use std::sync::Arc;

use crate::base::ids::ChannelId;
use crate::base::wake::Wakeups;
use crate::error::{Error, Result};
use crate::limits::BACKLOG_LOW;
use crate::queue::backlog::Backlog;
use crate::queue::consumers::{Claimed, ConsumerId, ConsumerSpec, Outlet, Passing};
use crate::queue::effects::Effects;
use crate::queue::{Got, Queue, Settlement, State};
use crate::time::clock::Timestamp;

impl Queue {
    /// Who waits for its consumers.
    pub(crate) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Whether its consumers have caught up with what is published, or it has none.
    pub(crate) fn has_caught_up(&self) -> bool {
        let state = self.state.lock();
        let counts = state.counts();
        counts.ready <= BACKLOG_LOW || counts.consumers == 0
    }

    /// basic.get. See [`State::get`]. Errors: 405, 540 for a stream.
    pub fn get(
        self: &Arc<Self>,
        no_ack: bool,
        channel: ChannelId,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Got> {
        self.refuse_if_stream("basic.get")?;
        self.apply(now, effects, |state, effects| {
            if self.kind().is_replicated && state.consumers().is_single_active() {
                return Err(Error::SingleActiveConsumer(self.resource()));
            }
            let got = match state.get(no_ack, channel, now, effects) {
                Some((id, entry, left)) => Got::Message(id, entry, left),
                None if state.head_is_paged() => Got::PagedOut,
                None => Got::Nothing,
            };
            state.counted.totals.get_empty += u64::from(matches!(got, Got::Nothing));
            self.note_got(&got, now);
            self.tap_got(&got, channel, effects);
            Ok(got)
        })
    }

    /// Settles deliveries by their numbers.
    pub fn settle(
        self: &Arc<Self>,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if let Some(stream) = &self.stream {
            self.settle_read(stream, ids, settlement, now);
            effects.note_read(self);
            return;
        }
        self.apply(now, effects, |state, effects| {
            self.settle_in(state, ids, settlement, now, effects);
        });
    }

    fn settle_in(
        &self,
        state: &mut State,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(journal) = &self.journal else {
            return state.settle(ids, settlement, now, effects);
        };
        let ids: Vec<u64> = ids.into_iter().collect();
        self.note_settled(journal, state, &ids, settlement, now);
        state.settle(ids, settlement, now, effects);
    }

    /// Registers a consumer. It gets its first message when it is resumed.
    pub fn add_consumer(&self, spec: ConsumerSpec, now: Timestamp) -> Result<ConsumerId> {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Err(Error::NotFound(self.resource()));
        }
        let consumers = state.consumers();
        let refused = consumers.has_exclusive()
            || spec.exclusive && (!consumers.is_empty() || consumers.is_single_active());
        // Quorum queues take the word, and exclude nobody.
        if refused && !self.is_quorum() {
            return Err(Error::ExclusiveUse(self.resource()));
        }
        if consumers.is_empty() {
            state.counted.capacity.start(now);
        }
        let id = state.add_consumer(spec);
        self.note_consumer(&state, id, true, now);
        Ok(id)
    }

    /// Removes consumers that end together, then settles what they had, or what else comes back
    /// with them, before anybody else is served. `left` is asked for it when they get nothing
    /// more; the queue is locked by then.
    pub fn remove_consumers(
        self: &Arc<Self>,
        consumers: &[ConsumerId],
        left: impl FnOnce() -> Vec<(Settlement, Vec<u64>)>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if let Some(stream) = &self.stream {
            self.remove_readers(stream, consumers, left, now, effects);
            return;
        }
        let was_last = self.apply(now, effects, |state, effects| {
            let mut was_last = false;
            for &id in consumers {
                self.note_consumer(state, id, false, now);
                was_last |= state.remove_consumer(id, now);
            }
            for (settlement, ids) in left() {
                self.settle_in(state, ids, settlement, now, effects);
            }
            was_last
        });
        if was_last && self.attributes.auto_delete && !self.is_deleted() {
            effects.deletions.push(Arc::clone(self));
        }
    }

    /// A consumer takes deliveries again.
    pub fn resume(self: &Arc<Self>, id: ConsumerId, now: Timestamp, effects: &mut Effects) {
        if let Some(stream) = &self.stream {
            stream.readers.lock().resume(id, now);
            effects.note_read(self);
            return;
        }
        self.apply(now, effects, |state, _| state.resume(id));
    }

    /// Passes the deliveries of the command at hand to their channels, each of which is called
    /// once, or for each if there are many channels.
    pub(super) fn hand_over(state: &State, effects: &mut Effects) {
        let Effects { deliveries, wakeups, .. } = effects;
        let Some(first) = deliveries.first().map(|delivery| delivery.slot) else { return };
        let outlet = |slot: usize| state.consumers().at(slot).map(|it| &it.spec.outlet);
        let others = deliveries.get(1..).unwrap_or_default();
        if others.is_empty() {
            if let (Some(claimed), Some(outlet)) = (deliveries.pop(), outlet(first))
                && let Some(delivery) = claimed.pass_on(&state.unacked)
            {
                outlet.deliver_one(delivery, wakeups);
            }
            return;
        }
        let are_two_runs =
            |two: &[Claimed]| two.first().map(|it| it.slot) != two.last().map(|it| it.slot);
        if others.iter().all(|delivery| delivery.slot != first)
            && others.windows(2).all(are_two_runs)
        {
            // So many take turns that hardly anybody gets two.
            for claimed in deliveries.drain(..) {
                if let Some(outlet) = outlet(claimed.slot)
                    && let Some(delivery) = claimed.pass_on(&state.unacked)
                {
                    outlet.deliver_one(delivery, wakeups);
                }
            }
            return;
        }
        if others.iter().all(|delivery| delivery.slot == first) {
            if let Some(outlet) = outlet(first) {
                Self::deliver(&**outlet, deliveries, 0, state, wakeups);
            }
            return deliveries.clear();
        }
        let address = |slot| outlet(slot).map_or(0, |it| Arc::as_ptr(it).cast::<()>().addr());
        // Those of one channel stay in order; of several channels it does not matter which is
        // first. The last one is taken off first, so that the others need not move up.
        deliveries.sort_by_cached_key(|delivery| address(delivery.slot));
        while let Some(last) = deliveries.last().map(|delivery| delivery.slot) {
            let is_other = |other: &Claimed| address(other.slot) != address(last);
            let from = deliveries.iter().rposition(is_other).map_or(0, |other| other + 1);
            match outlet(last) {
                Some(outlet) => Self::deliver(&**outlet, deliveries, from, state, wakeups),
                None => deliveries.truncate(from),
            }
        }
    }

    /// Passes those from this place on to their channel.
    fn deliver(
        outlet: &dyn Outlet,
        deliveries: &mut Vec<Claimed>,
        from: usize,
        state: &State,
        wakeups: &mut Wakeups,
    ) {
        let run = deliveries.get(from..).unwrap_or_default();
        if run.iter().all(|claimed| claimed.entry.is_some()) {
            outlet.deliver(Passing::given(deliveries.drain(from..)), wakeups);
        } else {
            outlet.deliver(Passing::shown(run, &state.unacked), wakeups);
            deliveries.truncate(from);
        }
    }
}
