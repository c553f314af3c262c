//! Long backlogs live in the store: messages that a queue will not deliver soon are paged out, and
//! come back before their turn. The machine says what it wants; whoever calls it reads and writes.

use crate::limits::{PAGE_OUT_KEPT_PART, PAGE_OUT_MESSAGES};
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::message::stored::{History, Past, Place, Returned};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::{Entry, Peeked};
use crate::queue::fifo::handing_out::HandedOut;
use crate::queue::fifo::paged::Paged;
use crate::queue::fifo::state::State;
use crate::time::clock::Timestamp;

/// Messages that a queue wants back from the store.
#[derive(Debug)]
pub struct Wanted {
    level: usize,
    /// Which, in ascending order.
    pub sequences: Vec<u64>,
}

/// What the store has of a message that was paged out.
#[derive(Debug)]
pub struct PagedIn {
    /// The message.
    pub message: Message,
    /// When it expires; [`Timestamp::NEVER`] if it does not.
    pub expires_at: Timestamp,
}

/// A message of an earlier life of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its sequence.
    pub sequence: u64,
    /// Octets of its body.
    pub body_bytes: u32,
    /// Its `priority` property.
    pub priority: u8,
}

impl State {
    /// Whether too many octets of messages are in memory, and looking for some to page out is worth
    /// it: it is not right after the last look.
    pub fn wants_page_out(&self) -> bool {
        self.may_page_out()
            && self.footprint > self.storage.memory_bytes_max.max(self.page_out_above)
    }

    /// Keys of messages that may not come twice are taken from messages in memory.
    fn may_page_out(&self) -> bool {
        self.storage.id != 0 && self.duplicates.is_none()
    }

    /// Whether anything was ever paged out.
    pub fn has_spilled(&self) -> bool {
        self.page_out_above > 0
    }

    /// Messages that have to be stored before they can be paged out, with their sequences.
    pub fn to_store(&self) -> Vec<(u64, Message, Timestamp)> {
        if self.may_page_out() { self.ready.unstored(PAGE_OUT_MESSAGES) } else { Vec::new() }
    }

    /// These messages are in the store from now on: those that are still here. Of the others the
    /// store is told that they are gone: they have left, or were delivered and never come back
    /// from the store.
    pub fn note_stored(&mut self, mut sequences: Vec<u64>, effects: &mut Effects) {
        sequences.sort_unstable();
        self.counted.totals.disk_writes += sequences.len() as u64;
        let mut here = std::collections::HashSet::new();
        self.ready.note_stored(&sequences, |sequence| {
            here.insert(sequence);
        });
        for sequence in sequences.into_iter().filter(|sequence| !here.contains(sequence)) {
            effects.note_gone(self.storage.id, sequence);
        }
    }

    /// Where messages begin that may be paged out.
    pub fn first_to_page_out(&self) -> Option<u64> {
        self.ready.first_to_page_out().filter(|_| self.may_page_out())
    }

    /// Pages out as many messages as are among those `written`, which are in ascending order.
    /// `leaving` gets to see each.
    pub fn page_out(&mut self, written: &[u64], leaving: impl FnMut(&Entry)) {
        self.footprint -= self.ready.page_out(written, leaving);
        self.has_popped = true;
        // What could not go now is looked at when there is more.
        self.page_out_above = self.footprint + self.storage.memory_bytes_max / PAGE_OUT_KEPT_PART;
    }

    /// The messages that are wanted back, if any.
    pub fn wanted(&self) -> Option<Wanted> {
        let (level, sequences) = self.ready.wanted()?;
        Some(Wanted { level, sequences })
    }

    /// Whether messages are wanted back.
    pub fn is_short(&self) -> bool {
        self.ready.is_short()
    }

    /// Whether the next message is not in memory.
    pub fn head_is_paged(&self) -> bool {
        self.ready.head_is_paged()
    }

    /// The first `max` ready messages, in order.
    pub fn peek(&self, max: usize) -> Vec<Peeked> {
        let mut messages = self.ready.peek(max);
        for message in &mut messages {
            if let Peeked::Paged(sequence, history) = message {
                history.redelivered |= *sequence < self.redelivered_below;
            }
        }
        messages
    }

    /// Messages come back, as many as were read. One that could not be read is lost.
    pub fn page_in(
        &mut self,
        wanted: &Wanted,
        messages: Vec<Option<PagedIn>>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        for (&sequence, message) in wanted.sequences.iter().zip(messages) {
            let entry = message.map(|PagedIn { message, expires_at }| {
                let redelivered =
                    sequence < self.redelivered_below || self.is_quorum && message.failures() > 0;
                let history = History { redelivered, ..History::default() };
                Entry::stored(message, sequence, expires_at, history)
            });
            let footprint = entry.as_ref().map_or(0, |entry| entry.message.footprint());
            let key = entry.as_ref().filter(|_| self.duplicates.is_some());
            let key = key.map(|entry| entry.message.clone());
            if !self.ready.page_in(wanted.level, sequence, entry) {
                break;
            }
            self.footprint += footprint;
            self.counted.totals.disk_reads += 1;
            if let (Some(duplicates), Some(message)) = (&mut self.duplicates, key) {
                duplicates.admit(&message);
            }
        }
        if Some(wanted.level) == self.ready.returned_level() {
            self.bury_returned(wanted, effects);
        }
        self.expire(now, effects);
        if !self.is_quorum {
            // Quorum queues serve their consumers first.
            self.keep_length(effects);
        }
    }

    /// Those die that were lost too often: the last time when the broker ended.
    fn bury_returned(&mut self, wanted: &Wanted, effects: &mut Effects) {
        let limit = self.settings.delivery_limit;
        self.has_popped = true;
        let dead = self.ready.extract_returned(|entry| {
            limit.is_exceeded(entry.delivery_count)
                && wanted.sequences.binary_search(&entry.sequence).is_ok()
        });
        for entry in dead {
            self.footprint -= entry.message.footprint();
            self.note_death(entry, DeathReason::DeliveryLimit, effects);
        }
    }

    /// Takes up the messages of an earlier life, sorted by sequence.
    pub fn recover(&mut self, found: &[Found], past: &impl Past, effects: &mut Effects) {
        let below = past.handed_out_below();
        self.handed_out = HandedOut::recovered(below);
        self.redelivered_below = if self.is_quorum { 0 } else { past.redelivered_below() };
        let mut levels: Vec<Paged> = Vec::new();
        for message in found {
            let mut at = self.ready.level_of(message.priority);
            let known = past.history(message.sequence);
            let was_out = below.get(at).is_some_and(|below| message.sequence < *below);
            let (mut history, place) = known.unwrap_or((History::default(), Place::Front));
            if self.is_quorum {
                if known.map_or(was_out, |(_, place)| place == Place::Out) {
                    self.take_back_lost(message.sequence, &mut history, effects);
                }
                at = match place {
                    Place::Line => self.ready.level_of(0),
                    _ if history.delivery_count > 0 => self.ready.returned_level().unwrap_or(at),
                    _ => at,
                };
            }
            if levels.len() <= at {
                levels.resize(at + 1, Paged::default());
            }
            if let Some(level) = levels.get_mut(at) {
                level.push(message.sequence, message.body_bytes.into(), history);
            }
        }
        for (at, paged) in levels.into_iter().enumerate() {
            self.ready.recover(at, paged);
        }
    }

    /// Somebody had a message when the broker ended.
    fn take_back_lost(&self, sequence: u64, history: &mut History, effects: &mut Effects) {
        let History { delivery_count, failures, redelivered } = history;
        *delivery_count = delivery_count.saturating_add(1);
        *failures = failures.saturating_add(1);
        *redelivered = true;
        let (queue, place) = (self.storage.id, Place::Front);
        let (delivery_count, failures) = (*delivery_count, *failures);
        effects.returned.push(Returned { queue, sequence, delivery_count, failures, place });
    }

    /// What is to be remembered of stored messages that were delivered before, by sequence.
    pub fn histories(&self) -> Vec<(u64, History)> {
        let below = self.redelivered_below;
        let paged = self.ready.sequences_paged_below(below);
        let unknown =
            paged.map(|sequence| (sequence, History { redelivered: true, ..History::default() }));
        let mut histories: Vec<_> = unknown.chain(self.ready.histories()).collect();
        // What is known of a message comes last, and counts.
        histories.reverse();
        histories.sort_by_key(|(sequence, _)| *sequence);
        histories.dedup_by_key(|(sequence, _)| *sequence);
        histories
    }
}
