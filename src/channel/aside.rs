//! Publishes that are set aside: they wait in the connection's effects until others that go to the
//! same queues have come, from this channel or another.

use crate::channel::{Channel, Mode};
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
        let publisher = &mut self.publisher;
        let Some(last) = publisher.routes.last() else { return };
        let Some(queue) = last.route.queues.first() else { return };
        self.deliveries.counted().count_publishes(count, 1);
        let first = match self.mode {
            Mode::Confirm(_) => publisher.first_pending,
            _ => 0,
        };
        let part = Part { channel, first, count };
        effects.aside.count(last.from.straight(), count);
        let is_stored = queue.must_store_some(&publisher.pending);
        effects.aside.add(queue, &mut publisher.pending, part);
        let own = &mut publisher.aside;
        if own.count == 0 {
            own.first = first;
        }
        own.count += count;
        own.is_stored |= is_stored;
        if effects.aside.is_full() {
            self.enqueue_aside(effects);
        }
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
