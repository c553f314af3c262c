//! What happens in a queue, told to the journal if there is one. The queue's lock is held, so that
//! the order is right.

use std::cell::Cell;
use std::sync::Arc;

use crate::insight::journal::{DropReason, EventKind, Journal};
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::queue::consumers::{Claimed, ConsumerId, ConsumerSpec};
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::paging::{PagedIn, Wanted};
use crate::queue::fifo::settling::Settlement;
use crate::queue::fifo::state::{Arrival, Enqueued, State};
use crate::queue::stream::readers::Readers;
use crate::queue::{Got, Queue};
use crate::time::clock::Timestamp;

impl Queue {
    /// Tells the journal what happens here from now on.
    pub(crate) fn with_journal(mut self, journal: Option<Arc<Journal>>) -> Self {
        self.journal = journal;
        self
    }

    fn note(&self, journal: &Journal, now: Timestamp, message: &Message, kind: EventKind) {
        journal.note(now, &self.virtual_host, Some(message), kind);
    }

    /// As [`Queue::enqueue`], with a journal.
    pub(super) fn enqueue_noting(
        self: &Arc<Self>,
        journal: &Journal,
        arrivals: impl IntoIterator<Item = Arrival>,
        now: Timestamp,
        effects: &mut Effects,
        mut outcome: impl FnMut(Enqueued),
    ) {
        let coming = Cell::new(None);
        let arrivals = arrivals.into_iter().inspect(|arrival| {
            coming.set(Some(arrival.message.clone()));
        });
        self.take(arrivals, now, effects, |enqueued| {
            if let Some(message) = coming.take() {
                let queue = self.name.clone();
                let dropped = |because| EventKind::Dropped { from: self.name.to_string(), because };
                let kind = match enqueued {
                    Enqueued::Accepted if self.is_deleted() => dropped(DropReason::QueueDeleted),
                    Enqueued::Accepted => EventKind::Enqueued { queue },
                    Enqueued::Rejected => EventKind::Refused { queue },
                    Enqueued::Duplicate => dropped(DropReason::Duplicate),
                };
                self.note(journal, now, &message, kind);
            }
            outcome(enqueued);
        });
    }

    /// The deliveries that are about to be passed on.
    pub(super) fn note_deliveries(&self, state: &State, now: Timestamp, effects: &Effects) {
        let Some(journal) = &self.journal else { return };
        for delivery in &effects.deliveries {
            let Some(consumer) = state.consumers().at(delivery.slot) else { continue };
            let Some(entry) = delivery.entry(&state.unacked) else { continue };
            let kind = EventKind::Delivered {
                queue: self.name.clone(),
                consumer_tag: consumer.spec.tag.clone(),
                redelivered: entry.redelivered,
            };
            self.note(journal, now, &entry.message, kind);
        }
    }

    pub(super) fn note_got(&self, got: &Got, now: Timestamp) {
        if let (Some(journal), Got::Message(_, entry, _)) = (&self.journal, got) {
            let (queue, redelivered) = (self.name.clone(), entry.redelivered);
            self.note(journal, now, &entry.message, EventKind::Got { queue, redelivered });
        }
    }

    /// Deliveries that are about to be settled.
    pub(super) fn note_settled(
        &self,
        journal: &Journal,
        state: &State,
        ids: &[u64],
        settlement: Settlement,
        now: Timestamp,
    ) {
        for message in ids.iter().filter_map(|id| state.unacked_message(*id)) {
            let queue = self.name.clone();
            let kind = match settlement {
                Settlement::Ack => EventKind::Acked { queue },
                Settlement::Requeue | Settlement::Abandon | Settlement::RequeueLast { .. } => {
                    EventKind::Requeued { queue }
                }
                Settlement::Reject => EventKind::Rejected { queue },
            };
            self.note(journal, now, message, kind);
        }
    }

    /// Messages that have died, before they go on.
    pub(super) fn note_deaths(&self, deaths: &[DeadLetter], has_target: bool, now: Timestamp) {
        let Some(journal) = &self.journal else { return };
        for death in deaths.iter().filter(|death| !death.is_retried) {
            if death.reason == DeathReason::Expired {
                let queue = self.name.clone();
                self.note(journal, now, &death.message, EventKind::Expired { queue });
            }
            if !has_target {
                self.note_dropped(&death.message, DropReason::Died(death.reason), now);
            }
        }
    }

    /// A message of this queue is lost.
    pub(crate) fn note_dropped(&self, message: &Message, because: DropReason, now: Timestamp) {
        if let Some(journal) = &self.journal {
            let kind = EventKind::Dropped { from: self.name.to_string(), because };
            self.note(journal, now, message, kind);
        }
    }

    /// A message leaves memory for the store.
    pub(super) fn note_paged_out(&self, entry: &Entry) {
        if let Some(journal) = &self.journal {
            journal.note_paged_out(self.storage.id, entry.sequence, &entry.message);
        }
    }

    /// Messages come back from the store: those that the journal knows are the same as before.
    pub(super) fn recognise(&self, wanted: &Wanted, messages: &mut [Option<PagedIn>]) {
        let Some(journal) = &self.journal else { return };
        for (sequence, message) in wanted.sequences.iter().zip(messages) {
            if let Some(message) = message
                && let Some(known) = journal.find_paged(self.storage.id, *sequence)
            {
                message.message = known;
            }
        }
    }

    /// Messages that are lost without being read again: the journal tells of those it knows.
    fn note_paged_dropped(&self, state: &State, because: DropReason, now: Timestamp) {
        let Some(journal) = &self.journal else { return };
        for sequence in state.ready.sequences_paged_below(u64::MAX) {
            if let Some(message) = journal.find_paged(self.storage.id, sequence) {
                self.note_dropped(&message, because, now);
            }
        }
    }

    /// The ready messages are about to be purged. Those that have expired die first.
    pub(super) fn note_purge(&self, state: &State, now: Timestamp) {
        if self.journal.is_some() {
            for entry in state.ready.iter().filter(|entry| entry.expires_at > now) {
                self.note_dropped(&entry.message, DropReason::Purged, now);
            }
            self.note_paged_dropped(state, DropReason::Purged, now);
        }
    }

    /// The queue is about to lose everything.
    pub(super) fn note_end(&self, state: &State, now: Timestamp) {
        if self.journal.is_none() && !self.herald.is_heard() {
            return;
        }
        for consumer in state.consumers().iter() {
            self.note_consumer(state, consumer.id, false, now);
        }
        if self.journal.is_none() {
            return;
        }
        for message in state.messages() {
            self.note_dropped(message, DropReason::QueueDeleted, now);
        }
        self.note_paged_dropped(state, DropReason::QueueDeleted, now);
    }

    /// A consumer has started, or is about to end.
    pub(super) fn note_consumer(
        &self,
        state: &State,
        id: ConsumerId,
        started: bool,
        now: Timestamp,
    ) {
        let Some(consumer) = state.consumers().at(id.slot).filter(|known| known.id == id) else {
            return;
        };
        self.tell_consumer(&consumer.spec, started);
        let Some(journal) = &self.journal else { return };
        let (queue, consumer_tag) = (self.name.clone(), consumer.spec.tag.clone());
        let kind = if started {
            EventKind::ConsumerStarted { queue, consumer_tag }
        } else {
            EventKind::ConsumerCancelled { queue, consumer_tag }
        };
        journal.note(now, &self.virtual_host, None, kind);
    }

    /// Messages are about to be in a stream.
    pub(super) fn note_appended(&self, messages: &[Message], now: Timestamp) {
        let Some(journal) = &self.journal else { return };
        for message in messages {
            let queue = self.name.clone();
            self.note(journal, now, message, EventKind::Enqueued { queue });
        }
    }

    /// Messages are in a log, from this offset on.
    pub(super) fn note_offsets(&self, log: u64, first: u64, messages: &[Message]) {
        let Some(journal) = &self.journal else { return };
        for (offset, message) in (first..).zip(messages) {
            journal.note_paged_out(log, offset, message);
        }
    }

    /// Deliveries of a stream are about to be settled: of those messages that the journal knows.
    pub(super) fn note_read_settled(
        &self,
        log: u64,
        offsets: &[u64],
        settlement: Settlement,
        now: Timestamp,
    ) {
        let Some(journal) = &self.journal else { return };
        for message in offsets.iter().filter_map(|offset| journal.find_paged(log, *offset)) {
            let queue = self.name.clone();
            let kind = match settlement {
                Settlement::Ack => EventKind::Acked { queue },
                Settlement::Reject => EventKind::Rejected { queue },
                Settlement::Requeue | Settlement::RequeueLast { .. } => {
                    EventKind::Requeued { queue }
                }
                // A stream takes nothing back.
                Settlement::Abandon => continue,
            };
            self.note(journal, now, &message, kind);
        }
    }

    /// A consumer of a stream has started, or ended.
    pub(super) fn note_reader(&self, spec: &ConsumerSpec, started: bool, now: Timestamp) {
        self.tell_consumer(spec, started);
        let Some(journal) = &self.journal else { return };
        let (queue, consumer_tag) = (self.name.clone(), spec.tag.clone());
        let kind = match started {
            true => EventKind::ConsumerStarted { queue, consumer_tag },
            false => EventKind::ConsumerCancelled { queue, consumer_tag },
        };
        journal.note(now, &self.virtual_host, None, kind);
    }

    /// What was read of a log is about to be delivered: those messages that the journal knows were
    /// made from these.
    pub(super) fn note_read(
        &self,
        log: u64,
        readers: &Readers,
        deliveries: &[Claimed],
        now: Timestamp,
    ) {
        let Some(journal) = &self.journal else { return };
        for delivery in deliveries {
            let Some(consumer_tag) = readers.tag_at(delivery.slot) else { continue };
            let (queue, consumer_tag) = (self.name.clone(), consumer_tag.clone());
            let kind = EventKind::Delivered { queue, consumer_tag, redelivered: false };
            let Some(entry) = &delivery.entry else { continue };
            let origin = journal.find_paged(log, entry.sequence);
            let (message, origin) = (Some(&entry.message), origin.as_ref());
            journal.note_derived(now, &self.virtual_host, message, origin, kind);
        }
    }
}
