//! The short way through a channel: a message that goes where the last one went, to a queue of
//! which a consumer waits for it; and its acknowledgement. Nothing is gathered, and nothing is left
//! to be worked off. Whatever is not so simple goes the way of every method, to the same effect.

use std::sync::Arc;

use crate::base::wake::Wakeups;
use crate::channel::deliveries::Deliveries;
use crate::channel::publish::Publisher;
use crate::channel::status::ChannelMode;
use crate::channel::{Channel, Mode};
use crate::faults::Trigger;
use crate::message::Body;
use crate::queue::effects::Effects;
use crate::queue::{Queue, Settlement};
use crate::vhost::{Publish, VirtualHost};

/// How far the short way led.
pub(crate) enum Direct {
    /// All is done.
    Done,
    /// The message was gathered, and waits for [`Channel::flush`].
    Gathered,
    /// Nothing was done: it goes a way that the channel does not know, see
    /// [`Channel::publish_anew`].
    Anew,
    /// Nothing was done.
    No,
}

/// How far an acknowledgement went the short way.
pub(crate) enum Acknowledged {
    /// All is done.
    Done,
    /// All is done, and consumers of the channel may go on that found no room or credit.
    Starved,
    /// Nothing was done.
    No,
}

/// The part of a channel by which a delivery is acknowledged while others use the channel.
pub(crate) struct Settling(Arc<Deliveries>);

impl Channel {
    /// Whether there is nothing to be done before, or on the occasion of, a method.
    #[inline]
    fn is_free(&self, occasions: u32) -> bool {
        self.publisher.pending.is_empty()
            && !self.watch.watches(occasions)
            && self.virtual_host().persistence().is_none()
    }

    /// Publishes a message the short way, if it can go that way.
    pub(crate) fn publish_directly(
        &mut self,
        publish: &Publish<'_>,
        wakeups: &mut Wakeups,
    ) -> Direct {
        let can_go = matches!(self.mode, Mode::Plain)
            && publish.body.is_small()
            && self.is_free(Trigger::ALL_OF_PUBLISHES);
        if !can_go {
            return Direct::No;
        }
        if !self.repeats_last(publish) && !self.repeats_earlier(publish) {
            return Direct::Anew;
        }
        let Publisher { routes, pending, .. } = &mut self.publisher;
        let Some(last) = routes.last_mut() else { return Direct::No };
        let [queue] = last.route.queues.as_slice() else { return Direct::No };
        let message = last.mould.message(Body::Borrowed(publish.body.as_slice()));
        let host = &self.session.virtual_host;
        let clock = host.clock();
        let lately = clock.lately();
        match queue.hand_directly(message, lately, clock.at_latest(lately), wakeups) {
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

    /// By which its deliveries are acknowledged the short way.
    pub(crate) fn settling(&self) -> Settling {
        Settling(Arc::clone(&self.deliveries))
    }
}

impl Settling {
    /// Acknowledges one delivery the short way, if it can go that way. What its queue is may be
    /// `known`.
    pub(crate) fn acknowledge(
        &self,
        delivery_tag: u64,
        known: Option<&Arc<Queue>>,
        host: &Arc<VirtualHost>,
    ) -> Acknowledged {
        let Self(deliveries) = self;
        let counted = deliveries.counted();
        let can_go = counted.mode() != ChannelMode::Transaction
            && !deliveries.watches(Trigger::METHODS)
            && host.persistence().is_none();
        if !can_go {
            return Acknowledged::No;
        }
        let Some((id, found)) = deliveries.take_acknowledged(delivery_tag, known.is_some()) else {
            return Acknowledged::No;
        };
        let Some(queue) = known.or(found.as_ref()) else { return Acknowledged::No };
        let lately = host.clock().lately();
        counted.touch(lately);
        let mut wakeups = Wakeups::default();
        match queue.acknowledge_directly(&[id], lately, &mut wakeups) {
            Some(left) => {
                host.do_left(queue, left);
                host.wake(&mut wakeups);
            }
            None => Effects::with_spare(|effects| {
                queue.settle([id], Settlement::Ack, host.now(), effects);
                host.run(effects);
            }),
        }
        // Only now: whoever was refused before has left his note by then.
        if deliveries.is_starved() { Acknowledged::Starved } else { Acknowledged::Done }
    }
}
