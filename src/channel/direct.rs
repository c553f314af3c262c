//! The short way through a channel: a message that goes where the last one went, to a queue of
//! which a consumer waits for it; and its acknowledgement. Nothing is gathered, and nothing is left
//! to be worked off. Whatever is not so simple goes the way of every method, to the same effect.

use std::sync::Arc;

use crate::base::wake::Wakeups;
use crate::channel::publish::Publisher;
use crate::channel::{Channel, Mode};
use crate::faults::Trigger;
use crate::message::Body;
use crate::queue::effects::Effects;
use crate::queue::{Queue, Settlement};
use crate::vhost::Publish;

/// How far the short way led.
pub(crate) enum Direct {
    /// All is done.
    Done,
    /// The message was gathered, and waits for [`Channel::flush`].
    Gathered,
    /// Nothing was done.
    No,
}

/// How far an acknowledgement went the short way.
pub(crate) enum Acknowledged {
    /// All is done.
    Done,
    /// The queue has to be told, see [`Channel::acknowledge_at`].
    Here(Arc<Queue>, u64),
    /// Nothing was done.
    No,
}

impl Channel {
    /// Whether there is nothing to be done before, or on the occasion of, a method.
    #[inline]
    fn is_free(&self, occasions: u32) -> bool {
        self.acked.is_empty()
            && self.publisher.pending.is_empty()
            && !self.watch.watches(occasions)
            && self.virtual_host().persistence().is_none()
    }

    /// Publishes a message the short way, if it can go that way.
    pub(crate) fn publish_directly(
        &mut self,
        publish: &Publish<'_>,
        wakeups: &mut Wakeups,
    ) -> Direct {
        let occasions = Trigger::PUBLISHES | Trigger::CONFIRMS | Trigger::TRACES;
        let can_go = matches!(self.mode, Mode::Plain)
            && publish.body.is_small()
            && self.is_free(occasions)
            && (self.repeats_last(publish) || self.repeats_earlier(publish));
        if !can_go {
            return Direct::No;
        }
        let Publisher { routes, pending, .. } = &mut self.publisher;
        let Some(last) = &mut routes.last else { return Direct::No };
        let [queue] = last.route.queues.as_slice() else { return Direct::No };
        let message = last.mould.message(Body::Borrowed(publish.body.as_slice()));
        let host = &self.session.virtual_host;
        let lately = host.clock().lately();
        match queue.hand_directly(message, lately, || host.now(), wakeups) {
            Err(message) => {
                pending.push(message);
                Direct::Gathered
            }
            Ok(left) => {
                let counted = self.deliveries.counted();
                counted.count_publishes(1, 1);
                last.from.count_publishes(1, 1);
                counted.touch(lately);
                host.do_left(queue, left);
                Direct::Done
            }
        }
    }

    /// Acknowledges one delivery the short way, as far as it can go that way.
    pub(crate) fn acknowledge_directly(
        &mut self,
        delivery_tag: u64,
        wakeups: &mut Wakeups,
    ) -> Acknowledged {
        let can_go = !matches!(self.mode, Mode::Transaction(_))
            && self.is_free(Trigger::METHODS)
            && !self.deliveries.is_starved();
        if !can_go {
            return Acknowledged::No;
        }
        let Some((queue, id)) = self.deliveries.take_settled(delivery_tag) else {
            return Acknowledged::No;
        };
        let host = &self.session.virtual_host;
        let lately = host.clock().lately();
        let counted = self.deliveries.counted();
        counted.touch(lately);
        counted.published.ack.add(1);
        match queue.acknowledge_directly(id, lately, wakeups) {
            None => Acknowledged::Here(queue, id),
            Some(left) => {
                host.do_left(&queue, left);
                Acknowledged::Done
            }
        }
    }

    /// Tells the queue of an acknowledgement that the channel knows already.
    pub(crate) fn acknowledge_at(&mut self, queue: &Arc<Queue>, id: u64, effects: &mut Effects) {
        queue.settle([id], Settlement::Ack, self.now(), effects);
        if self.deliveries.take_starved() {
            self.resume_consumers(effects);
        }
    }
}
