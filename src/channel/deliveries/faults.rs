//! Deliveries while there are rules about them: one at a time.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::wake::Wakeups;
use crate::channel::deliveries::{Deliveries, State, Unacked, delivery_count};
use crate::channel::output::{ChannelOutput, Outgoing};
use crate::faults::{Action, Phase, Subject, Trigger};
use crate::queue::consumers::{Carried, Delivery};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::{Queue, Settlement};
use crate::time::clock::Timestamp;
use crate::time::timers::Sleeper;
use crate::time::waiting::Waiting;
use crate::vhost::VirtualHost;

impl Deliveries {
    /// Whether a rule may want to have a say.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.watches(Trigger::DELIVERIES)
    }

    /// Whether there are rules about any of these.
    #[inline]
    pub(in crate::channel) fn watches(&self, bits: u32) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.watches(bits))
    }

    pub(super) fn deliver_watched<E: Carried>(
        &self,
        deliveries: impl IntoIterator<Item = Delivery<E>>,
        wakeups: &mut Wakeups,
    ) {
        let mut state = self.state.lock();
        for Delivery { source, id, entry } in deliveries {
            let entry = entry.into_entry();
            self.deliver_one(&mut state, Delivery { source, id, entry }, wakeups);
        }
    }

    fn deliver_one(&self, state: &mut State, mut delivery: Delivery<Entry>, wakeups: &mut Wakeups) {
        let output = &*self.output;
        let Some(source) = state.sources.get(delivery.source) else { return };
        let queue = Arc::clone(&source.queue);
        let about = Subject::message((&delivery.entry.message).into());
        let subject = Subject { queue: Some(queue.name().as_str()), ..about };
        let hit = self.watch.as_ref().and_then(|watch| watch.meet(Trigger::Delivery, subject));
        let Some(hit) = hit else { return state.pass_on(&delivery, output, wakeups) };
        match (hit.action(), hit.action().error()) {
            (_, Some(error)) => {
                if hit.phase() == Phase::After {
                    state.pass_on(&delivery, output, wakeups);
                }
                if error.is_loss() {
                    output.seal();
                }
                // What comes now is noted, so that it goes back when the channel closes.
                state.is_silent = true;
                if hit.phase() == Phase::Before {
                    state.pass_on(&delivery, output, wakeups);
                }
                output.fail(error, wakeups);
            }
            (Action::Twice, None) => {
                state.pass_on(&delivery, output, wakeups);
                delivery.entry.redelivered = true;
                state.pass_on(&delivery, output, wakeups);
            }
            (Action::Delay(by), None) => {
                if let Some(host) = self.watch.as_ref().and_then(|watch| watch.virtual_host()) {
                    let due = host.now() + *by;
                    state.delay(due, delivery);
                    self.wake_at(due, &host);
                }
            }
            _ => state.pass_on(&delivery, output, wakeups),
        }
    }

    fn wake_at(&self, due: Timestamp, host: &Arc<VirtualHost>) {
        if let Some(deliveries) = self.me.upgrade() {
            host.wake_at(due, &deliveries);
        }
    }

    /// How messages go back to a queue: as `settlement` says, unless a rule has it otherwise.
    pub(crate) fn way_back(
        &self,
        queue: &Queue,
        count: usize,
        settlement: Settlement,
    ) -> Settlement {
        let watch = self.watch.as_ref().filter(|watch| watch.watches(Trigger::REQUEUES));
        let subject = || Subject::queue(queue.name().as_str());
        match watch.and_then(|watch| watch.meet(Trigger::Requeue, subject())) {
            Some(_) => Settlement::RequeueLast { first: queue.reserve(count) },
            None => settlement,
        }
    }
}

impl State {
    /// Gives a delivery its tag, notes it, and hands it to the client, unless that is beyond
    /// reach.
    fn pass_on(
        &mut self,
        delivery: &Delivery<Entry>,
        output: &dyn ChannelOutput,
        wakeups: &mut Wakeups,
    ) {
        let Delivery { source, id, entry } = delivery;
        let Some(consumer) = self.sources.get(*source) else { return };
        self.last_tag += 1;
        self.delivered.count(*id, entry);
        if *id != 0 {
            consumer.count_delivery();
            self.credit.arrive();
            self.unacked.push(self.last_tag, Unacked { source: *source, id: *id });
        }
        if self.is_silent {
            return;
        }
        let outgoing = Outgoing {
            consumer_tag: &consumer.tag,
            delivery_tag: self.last_tag,
            redelivered: entry.redelivered,
            delivery_count: delivery_count(consumer.is_quorum, entry),
            message: Cow::Borrowed(&entry.message),
        };
        output.deliver_one(outgoing, wakeups);
    }

    /// What is held back counts as delivered: the channel is about to close.
    pub(super) fn give_up_delays(&mut self) {
        for (_, Delivery { source, id, .. }) in std::mem::take(&mut self.held) {
            if id != 0 {
                self.last_tag += 1;
                self.unacked.push(self.last_tag, Unacked { source, id });
            }
        }
    }

    /// Holds a delivery back. Its source is not forgotten meanwhile.
    fn delay(&mut self, due: Timestamp, delivery: Delivery<Entry>) {
        if let Some(source) = self.sources.get(delivery.source) {
            source.count_delivery();
            if delivery.id != 0 {
                self.credit.arrive();
            }
            let at = self.held.partition_point(|(other, _)| *other <= due);
            self.held.insert(at, (due, delivery));
        }
    }

    /// Drops what is held back of a source; tells how many of them need an acknowledgement.
    pub(super) fn drop_held(&mut self, source: u32) -> u32 {
        let of_source = self.held.extract_if(.., |(_, delivery)| delivery.source == source);
        let dropped: Vec<_> = of_source.collect();
        let count = dropped.len();
        if let Some(known) = self.sources.get(source) {
            known.settle(count);
        }
        dropped.iter().map(|(_, delivery)| u32::from(delivery.id != 0)).sum()
    }

    /// Hands over what is due; returns what belongs to consumers that are gone.
    fn release(
        &mut self,
        now: Timestamp,
        output: &dyn ChannelOutput,
        wakeups: &mut Wakeups,
    ) -> Vec<(u64, Unacked)> {
        let due = self.held.partition_point(|(due, _)| *due <= now);
        let mut orphans = Vec::new();
        let due: Vec<_> = self.held.drain(..due).collect();
        for (_, delivery) in due {
            let Some(source) = self.sources.get(delivery.source) else { continue };
            if source.ended && delivery.id != 0 {
                orphans.push((0, Unacked { source: delivery.source, id: delivery.id }));
                continue;
            }
            source.settle(1);
            self.credit.release(u32::from(delivery.id != 0));
            self.pass_on(&delivery, output, wakeups);
        }
        orphans
    }
}

/// Deliveries that were delayed are due.
impl Sleeper for Deliveries {
    type Host = VirtualHost;

    fn waiting(&self, host: &VirtualHost) -> Option<Waiting> {
        let due = self.state.lock().held.first().map(|(due, _)| *due)?;
        let text = "a fault lets go of deliveries";
        Some(Waiting::new("channel", [host.name().as_str(), ""], [(text, due)]))
    }

    fn wake(self: Arc<Self>, host: &Arc<VirtualHost>) {
        let mut effects = Effects::new();
        let now = host.now();
        let mut state = self.state.lock();
        let orphans = state.release(now, &*self.output, &mut effects.wakeups);
        let next = state.held.first().map(|(due, _)| *due);
        drop(state);
        self.by_queue(&orphans, false, |queue, group| {
            let ids = group.iter().map(|(_, unacked)| unacked.id());
            queue.settle(ids, Settlement::Requeue, now, &mut effects);
        });
        if let Some(next) = next {
            self.wake_at(next, host);
        }
        host.run(&mut effects);
    }
}
