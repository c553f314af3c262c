//! Deliveries as a channel passes them on: each gets its tag, and is noted as unacknowledged, when
//! the client's side takes it.

use std::borrow::Borrow;
use std::num::NonZeroU32;

use crate::base::names::ConsumerTag;
use crate::base::sequence_map::SequenceMap;
use crate::channel::counted::Delivered;
use crate::channel::deliveries::credit::Credit;
use crate::channel::deliveries::sources::Sources;
use crate::message::Message;
use crate::queue::consumers::{Carried, Delivery, Given, Shown};
use crate::queue::fifo::entry::Entry;

/// An unacknowledged delivery: its source and the number by which the queue knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unacked {
    pub(super) source: u32,
    pub(super) id: u64,
}

impl Unacked {
    /// The number by which the queue knows the delivery.
    pub(in crate::channel) fn id(self) -> u64 {
        self.id
    }
}

/// A delivery as the client gets it.
#[derive(Debug)]
pub(crate) struct Outgoing<'a, M> {
    /// Consumer that it is for.
    pub consumer_tag: &'a ConsumerTag,
    /// Delivery tag of the channel.
    pub delivery_tag: u64,
    /// Whether the message may have been delivered before.
    pub redelivered: bool,
    /// How often it was returned to the queue, if the queue tells: quorum queues do.
    pub delivery_count: Option<NonZeroU32>,
    /// The message.
    pub message: M,
}

impl<'a, M> Outgoing<'a, M> {
    /// The same with its message in another way.
    pub(in crate::channel) fn map<N>(self, message: impl FnOnce(M) -> N) -> Outgoing<'a, N> {
        let Self { consumer_tag, delivery_tag, redelivered, delivery_count, message: known } = self;
        let message = message(known);
        Outgoing { consumer_tag, delivery_tag, redelivered, delivery_count, message }
    }
}

impl<M: Borrow<Message>> Outgoing<'_, M> {
    /// Whether it differs from the other in its number and a small body alone.
    #[inline]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        std::ptr::eq(self.consumer_tag, other.consumer_tag)
            && self.delivery_count.is_none()
            && other.delivery_count.is_none()
            && self.message.borrow().is_like(other.message.borrow())
    }
}

/// Gives deliveries their tags, and notes them.
pub(super) struct Tagger<'a> {
    pub(super) last_tag: &'a mut u64,
    pub(super) unacked: &'a mut SequenceMap<Unacked>,
    pub(super) delivered: &'a mut Delivered,
    pub(super) credit: &'a mut Credit,
    pub(super) sources: &'a Sources,
}

impl<'a> Tagger<'a> {
    /// A delivery as the client gets it; nothing if its consumer is not there any more.
    #[inline]
    pub(super) fn tag<E: Carried>(
        &mut self,
        delivery: Delivery<E>,
    ) -> Option<Outgoing<'a, E::Message>> {
        let Delivery { source, id, entry } = delivery;
        let consumer = self.sources.get(source)?;
        *self.last_tag += 1;
        let known = entry.borrow();
        self.delivered.count(id, known);
        if id != 0 {
            consumer.count_delivery();
            self.credit.arrive();
            self.unacked.push(*self.last_tag, Unacked { source, id });
        }
        Some(Outgoing {
            consumer_tag: &consumer.tag,
            delivery_tag: *self.last_tag,
            redelivered: known.redelivered,
            delivery_count: delivery_count(consumer.is_quorum, known),
            message: entry.into_message(),
        })
    }
}

/// Deliveries of one command, in order.
pub(crate) enum Run<'a> {
    /// With their messages.
    Given(Tagged<'a, Given<'a>>),
    /// Of messages that are shown.
    Shown(Tagged<'a, Shown<'a>>),
}

/// Deliveries that get their tags one after the other.
pub(crate) struct Tagged<'a, D> {
    pub(super) deliveries: D,
    pub(super) tagger: Tagger<'a>,
}

impl<'a, E: Carried, D: Iterator<Item = Delivery<E>>> Iterator for Tagged<'a, D> {
    type Item = Outgoing<'a, E::Message>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let tagged = self.tagger.tag(self.deliveries.next()?);
            if tagged.is_some() {
                return tagged;
            }
        }
    }
}

/// What the header `x-delivery-count` says: nothing on a first delivery, and only of quorum queues.
/// A message that has not come back here may bring a count from where it was before.
#[inline]
pub(in crate::channel) fn delivery_count(is_quorum: bool, entry: &Entry) -> Option<NonZeroU32> {
    if !is_quorum {
        return None;
    }
    let count =
        if entry.delivery_count > 0 { entry.delivery_count } else { entry.message.failures() };
    NonZeroU32::new(count)
}
