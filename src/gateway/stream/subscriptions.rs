//! Subscriptions of a connection: where they are, and what they may be sent
//! `[rabbitmq stream Subscribe]`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use leveret_storage::{Chunk, ChunkFilter, Start, StreamReader};
use leveret_stream_protocol::OffsetSpec;

use crate::gateway::stream::credit::Credit;
use crate::gateway::stream::stream_use::StreamUse;
use crate::node::stream_clients::StreamConsumer;
use crate::time::clock::Timestamp;

/// A subscription.
pub(super) struct Subscription {
    pub id: u8,
    /// Tells it from earlier ones of the same id.
    pub number: u32,
    pub stream: Arc<StreamUse>,
    pub start: OffsetSpec,
    pub filter: ChunkFilter,
    pub credit: Credit,
    /// Where it is; `None` for one that is not active.
    pub reader: Option<StreamReader>,
    /// What others see of it.
    pub seen: Arc<StreamConsumer>,
    /// Everything that is committed was read.
    pub at_end: bool,
    /// Name of the group in which it is, of which one consumer is active.
    pub group: Option<String>,
    /// Whether it is that one.
    pub is_active: bool,
    /// The next chunk, which a fault keeps back until it is due; behind it nothing is read.
    pub late: Option<Late>,
}

/// A chunk that is sent later.
pub(super) struct Late {
    pub chunk: Chunk,
    /// By the broker's clock.
    pub due: Timestamp,
}

impl Subscription {
    /// Shows where it is.
    pub(super) fn show(&self) {
        let Self { seen, reader, credit, .. } = self;
        if let Some(reader) = reader {
            seen.offset.set(reader.next_offset().max(reader.start_offset()));
        }
        seen.credits.set(credit.left().into());
        seen.active.store(self.is_active, Ordering::Relaxed);
    }

    /// Whether there may be something to send.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.reader.is_some()
            && !self.at_end
            && self.credit.may_send()
            && self.late.as_ref().is_none_or(|late| late.due <= now)
    }
}

/// The subscriptions of a connection.
#[derive(Default)]
pub(super) struct Subscriptions {
    all: Vec<Subscription>,
    next_number: u32,
    /// Which one was sent something last.
    turn: usize,
}

impl Subscriptions {
    pub(super) fn get_mut(&mut self, id: u8) -> Option<&mut Subscription> {
        self.all.iter_mut().find(|subscription| subscription.id == id)
    }

    pub(super) fn has(&self, id: u8) -> bool {
        self.all.iter().any(|subscription| subscription.id == id)
    }

    /// A number for the next one.
    pub(super) fn next_number(&mut self) -> u32 {
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }

    pub(super) fn add(&mut self, subscription: Subscription) {
        self.all.push(subscription);
    }

    pub(super) fn remove(&mut self, id: u8) -> Option<Subscription> {
        let at = self.all.iter().position(|subscription| subscription.id == id)?;
        Some(self.all.remove(at))
    }

    /// Whether one of them reads a stream.
    pub(super) fn use_stream(&self, stream: &str) -> bool {
        self.all.iter().any(|subscription| subscription.stream.name() == stream)
    }

    /// Removes those that read a stream.
    pub(super) fn remove_stream(&mut self, stream: &str) -> Vec<Subscription> {
        self.all.extract_if(.., |subscription| subscription.stream.name() == stream).collect()
    }

    /// There is more of a stream.
    pub(super) fn note_moved(&mut self, stream: &Arc<StreamUse>) {
        for subscription in &mut self.all {
            subscription.at_end &= !Arc::ptr_eq(&subscription.stream, stream);
        }
    }

    /// One becomes active, or is no longer to be: then nothing more is sent to it. Tells its id.
    pub(super) fn set_active(&mut self, number: u32, active: bool) -> Option<u8> {
        let subscription = self.all.iter_mut().find(|it| it.number == number)?;
        subscription.is_active = active;
        (subscription.reader, subscription.late) = (None, None);
        subscription.show();
        Some(subscription.id)
    }

    /// One for which there may be something to send, after whichever it was last.
    pub(super) fn next_ready(&mut self, now: Timestamp) -> Option<&mut Subscription> {
        let count = self.all.len();
        let place = |step: usize| (self.turn + step) % count.max(1);
        let is_ready = |at: &usize| self.all.get(*at).is_some_and(|it| it.is_ready(now));
        self.turn = (1..=count).map(place).find(is_ready)?;
        self.all.get_mut(self.turn)
    }
}

/// Where the log is read from; `default` if nothing is said.
pub(super) fn start(offset: OffsetSpec, default: OffsetSpec) -> Start {
    match offset {
        OffsetSpec::None if default != OffsetSpec::None => start(default, OffsetSpec::None),
        OffsetSpec::None | OffsetSpec::Next => Start::Next,
        OffsetSpec::First => Start::First,
        OffsetSpec::Last => Start::Last,
        OffsetSpec::Offset(offset) => Start::Offset(offset),
        OffsetSpec::Timestamp(time_ms) => Start::Timestamp(time_ms),
    }
}
