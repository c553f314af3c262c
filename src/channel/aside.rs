//! Publishes that are set aside: they wait in the connection's effects until others that go to the
//! same queues have come, from this channel or another.

use crate::channel::publish::Publisher;
use crate::channel::{Channel, Mode};
use crate::message::Body;
use crate::queue::aside::Part;
use crate::queue::effects::Effects;

impl Channel {
    /// From now on publishes may be set aside: whoever owns the channel has them enqueued and
    /// settled by [`Channel::flush`].
    pub(crate) fn let_set_aside(&mut self) {
        self.publisher.sets_aside = true;
    }

    /// The next publish goes another way, or comes on another channel: those that are pending make
    /// way, and wait with others for their queue if they may. What goes to several queues is
    /// enqueued at once, after all that waits.
    pub(crate) fn set_aside(&mut self, effects: &mut Effects) {
        let publisher = &self.publisher;
        if publisher.pending.is_empty() {
            return;
        }
        let may_wait = publisher.sets_aside
            && publisher.routes.last().is_some_and(|last| match &*last.route.queues {
                [queue] => queue.stream().is_none(),
                _ => false,
            });
        if !may_wait {
            return self.enqueue_pending(effects);
        }
        self.note_pending();
        let (channel, count) = (self.id().number, self.publisher.pending.len());
        let first = match self.mode {
            Mode::Confirm(_) => self.publisher.first_pending,
            _ => 0,
        };
        let is_noted = self.virtual_host().journal().is_some();
        let Publisher { routes, pending, aside, .. } = &mut self.publisher;
        let Some(last) = routes.last_mut() else { return };
        let Some(queue) = last.route.queues.first() else { return };
        let is_stored = queue.must_store_some(pending);
        let part = Part { channel, first, count };
        let at = effects.aside.add(queue, pending, part, last.from.straight());
        last.aside_at = (!is_noted).then_some(at);
        aside.add(&part, is_stored);
        if effects.aside.is_full() {
            self.enqueue_aside(effects);
        }
    }

    /// Gathers messages with these bodies, which go the last way, right where others wait for the
    /// same queue. Tells how many: none if none wait there.
    #[inline]
    pub(super) fn gather_aside<'a>(
        &mut self,
        bodies: impl Iterator<Item = Body<'a>>,
        effects: &mut Effects,
    ) -> usize {
        if effects.aside.is_empty() || !self.publisher.pending.is_empty() {
            return 0;
        }
        self.gather_behind(bodies, effects).unwrap_or(0)
    }

    fn gather_behind<'a>(
        &mut self,
        bodies: impl Iterator<Item = Body<'a>>,
        effects: &mut Effects,
    ) -> Option<usize> {
        let channel = self.id().number;
        let Publisher { routes, aside, .. } = &mut self.publisher;
        let last = routes.last_mut()?;
        let queue = last.route.queues.first()?;
        let room = effects.aside.room();
        let lot = effects.aside.lot_of(last.aside_at?, queue)?;
        let before = lot.messages.len();
        lot.messages.turn_to(&last.mould);
        bodies.take(room).for_each(|body| lot.messages.add(&mut last.mould, body));
        let count = lot.messages.len() - before;
        if count > 0 {
            let first = match &mut self.mode {
                Mode::Confirm(confirms) => confirms.next_of(count),
                _ => 0,
            };
            let part = Part { channel, first, count };
            lot.add_part(part);
            aside.add(&part, queue.must_store_of(&last.mould));
            effects.aside.note_added(count, last.from.straight());
            if effects.aside.is_full() {
                self.enqueue_aside(effects);
            }
        }
        Some(count)
    }

    /// Enqueues what was set aside, by this channel and others of the connection, and settles what
    /// this one has published of it.
    #[inline]
    pub(super) fn enqueue_aside(&mut self, effects: &mut Effects) {
        if !effects.aside.is_empty() {
            self.session.virtual_host.enqueue_aside(effects);
        }
        if self.publisher.aside.count > 0 {
            self.settle_aside(effects);
        }
    }

    /// Settles the publishes that were set aside, all of which have been enqueued.
    fn settle_aside(&mut self, effects: &mut Effects) {
        let aside = std::mem::take(&mut self.publisher.aside);
        self.deliveries.counted().count_publishes(aside.count, 1);
        if let Some(now) = effects.aside.enqueued_at {
            self.deliveries.counted().touch(now);
        }
        let refused = effects.aside.take_refused(self.id().number);
        let places = refused.iter().filter_map(|number| number.checked_sub(aside.first));
        self.publisher.refused.clear();
        self.publisher.refused.extend(places.map(|place| place as usize));
        if aside.is_stored {
            self.wait_for_store();
        }
        self.settle_publishes(aside.first, aside.count);
    }
}
