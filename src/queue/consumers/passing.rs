//! Messages on their way from a queue to its consumers.
//!
//! The queue keeps what has to be acknowledged, and shows it to who passes it on; what is settled
//! at once goes with its delivery. So nobody has to share a message in order to deliver it.

use std::borrow::{Borrow, Cow};
use std::{slice, vec};

use crate::base::sequence_map::SequenceMap;
use crate::message::Message;
use crate::queue::consumers::unacked::Unacked;
use crate::queue::fifo::entry::Entry;

/// A message on its way to a consumer.
#[derive(Debug)]
pub struct Delivery<E> {
    /// Number by which the outlet knows the consumer.
    pub source: u32,
    /// Number by which the queue knows the delivery; 0 when it needs no acknowledgement.
    pub id: u64,
    /// The message and its history: its own, or its queue's.
    pub entry: E,
}

/// An entry as a delivery has it.
pub(crate) trait Carried: Borrow<Entry> {
    /// Its message, in the same way.
    type Message: Held;

    /// The message.
    fn into_message(self) -> Self::Message;

    /// The entry, to keep.
    fn into_entry(self) -> Entry;
}

/// A message as a delivery has it.
pub(crate) trait Held: Borrow<Message> {
    /// The message, to keep.
    fn into_owned(self) -> Message;
}

impl Carried for Entry {
    type Message = Message;

    #[inline]
    fn into_message(self) -> Message {
        self.message
    }

    fn into_entry(self) -> Entry {
        self
    }
}

impl<'a> Carried for &'a Entry {
    type Message = &'a Message;

    #[inline]
    fn into_message(self) -> &'a Message {
        &self.message
    }

    fn into_entry(self) -> Entry {
        self.clone()
    }
}

impl<'a> Carried for Cow<'a, Entry> {
    type Message = Cow<'a, Message>;

    #[inline]
    fn into_message(self) -> Cow<'a, Message> {
        match self {
            Cow::Borrowed(entry) => Cow::Borrowed(&entry.message),
            Cow::Owned(entry) => Cow::Owned(entry.message),
        }
    }

    fn into_entry(self) -> Entry {
        self.into_owned()
    }
}

impl Held for Message {
    #[inline]
    fn into_owned(self) -> Message {
        self
    }
}

impl Held for &Message {
    #[inline]
    fn into_owned(self) -> Message {
        self.clone()
    }
}

impl Held for Cow<'_, Message> {
    #[inline]
    fn into_owned(self) -> Message {
        Cow::into_owned(self)
    }
}

/// A message that a consumer has claimed, until it is passed on.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// Consumer's place in the queue's table.
    pub slot: usize,
    /// Number by which the outlet knows the consumer.
    pub source: u32,
    /// Number by which the queue knows the delivery; 0 when it needs no acknowledgement.
    pub id: u64,
    /// The message; `None` if it is among those that the queue keeps until they are acknowledged.
    /// Streams keep none.
    pub entry: Option<Entry>,
}

impl Claimed {
    /// The message, which may be among those that are `kept`.
    #[inline]
    pub(in crate::queue) fn entry<'a>(
        &'a self,
        kept: &'a SequenceMap<Unacked>,
    ) -> Option<&'a Entry> {
        self.entry.as_ref().or_else(|| Some(&kept.get(self.id)?.entry))
    }

    /// The delivery by itself, while the queue is locked.
    #[inline]
    pub(in crate::queue) fn pass_on(
        self,
        kept: &SequenceMap<Unacked>,
    ) -> Option<Delivery<Cow<'_, Entry>>> {
        let Self { source, id, entry, .. } = self;
        let entry = match entry {
            Some(entry) => Cow::Owned(entry),
            None => Cow::Borrowed(&kept.get(id)?.entry),
        };
        Some(Delivery { source, id, entry })
    }
}

/// Deliveries that are to be passed on together, in order.
pub enum Passing<'a> {
    /// Their messages go with them.
    Given(Given<'a>),
    /// Their messages are shown: some at least are the queue's.
    Shown(Shown<'a>),
}

/// Deliveries with their messages.
pub struct Given<'a>(vec::Drain<'a, Claimed>);

/// Deliveries of messages that are shown.
pub struct Shown<'a> {
    claimed: slice::Iter<'a, Claimed>,
    kept: &'a SequenceMap<Unacked>,
}

impl<'a> Passing<'a> {
    /// These, all of which have their messages.
    pub(in crate::queue) fn given(claimed: vec::Drain<'a, Claimed>) -> Self {
        Self::Given(Given(claimed))
    }

    /// These, whose messages may be among those that are `kept`.
    pub(in crate::queue) fn shown(claimed: &'a [Claimed], kept: &'a SequenceMap<Unacked>) -> Self {
        Self::Shown(Shown { claimed: claimed.iter(), kept })
    }
}

impl Iterator for Given<'_> {
    type Item = Delivery<Entry>;

    #[inline]
    fn next(&mut self) -> Option<Delivery<Entry>> {
        self.0.find_map(|Claimed { source, id, entry, .. }| {
            Some(Delivery { source, id, entry: entry? })
        })
    }
}

impl<'a> Iterator for Shown<'a> {
    type Item = Delivery<&'a Entry>;

    #[inline]
    fn next(&mut self) -> Option<Delivery<&'a Entry>> {
        self.claimed.find_map(|claimed| {
            let &Claimed { source, id, .. } = claimed;
            Some(Delivery { source, id, entry: claimed.entry(self.kept)? })
        })
    }
}
