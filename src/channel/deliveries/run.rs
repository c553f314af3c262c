//! Deliveries as a channel passes them on: each gets its tag, and is noted as unacknowledged, when
//! the client's side takes it.

use std::num::NonZeroU32;
use std::vec;

use crate::base::names::ConsumerTag;
use crate::base::sequence_map::SequenceMap;
use crate::channel::counted::Delivered;
use crate::channel::deliveries::credit::Credit;
use crate::channel::deliveries::sources::Sources;
use crate::message::Message;
use crate::queue::consumers::Delivery;
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
pub(crate) struct Outgoing<'a> {
    /// Consumer that it is for.
    pub consumer_tag: &'a ConsumerTag,
    /// Delivery tag of the channel.
    pub delivery_tag: u64,
    /// Whether the message may have been delivered before.
    pub redelivered: bool,
    /// How often it was returned to the queue, if the queue tells: quorum queues do.
    pub delivery_count: Option<NonZeroU32>,
    /// The message.
    pub message: Message,
}

impl Outgoing<'_> {
    /// Whether it differs from the other in its number and a small body alone.
    #[inline]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        std::ptr::eq(self.consumer_tag, other.consumer_tag)
            && self.delivery_count.is_none()
            && other.delivery_count.is_none()
            && self.message.is_like(&other.message)
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
    pub(super) fn tag(&mut self, delivery: Delivery) -> Option<Outgoing<'a>> {
        let Delivery { source, id, entry, .. } = delivery;
        let consumer = self.sources.get(source)?;
        *self.last_tag += 1;
        self.delivered.count(id, &entry);
        if id != 0 {
            consumer.count_delivery();
            self.credit.arrive();
            self.unacked.push(*self.last_tag, Unacked { source, id });
        }
        Some(Outgoing {
            consumer_tag: &consumer.tag,
            delivery_tag: *self.last_tag,
            redelivered: entry.redelivered,
            delivery_count: delivery_count(consumer.is_quorum, &entry),
            message: entry.message,
        })
    }
}

/// Deliveries of one command, in order.
pub(crate) struct Run<'a> {
    pub(super) deliveries: vec::Drain<'a, Delivery>,
    pub(super) tagger: Tagger<'a>,
}

impl<'a> Iterator for Run<'a> {
    type Item = Outgoing<'a>;

    #[inline]
    fn next(&mut self) -> Option<Outgoing<'a>> {
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
