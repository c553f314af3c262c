//! All that a queue holds at one moment, and putting it back.

use std::collections::HashMap;
use std::sync::Arc;

use crate::message::deaths::DeathReason;
use crate::message::stored::History;
use crate::message::stored::Place;
use crate::queue::Queue;
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::fifo::counted::Holdings;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::State;
use crate::time::clock::Timestamp;

/// What a queue holds.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Those of a quorum queue that came back, in the order in which they are served, before all
    /// others. Those that wait for an acknowledgement are here as if they had been given back:
    /// redelivered, and counted.
    pub returned: Vec<Entry>,
    /// The others in memory by sequence; in a classic queue with those that were given back.
    pub messages: Vec<Entry>,
    /// Messages that are in the store alone, by sequence, and what is known of them.
    pub paged: Vec<(u64, History)>,
    /// Dead letters that wait until they can be delivered.
    pub discards: Vec<DeadLetter>,
}

impl State {
    /// What it holds.
    pub fn contents(&self) -> Contents {
        let given_back = self.unacked.iter().map(|(_, unacked)| Entry {
            redelivered: true,
            delivery_count: unacked.entry.delivery_count.saturating_add(1),
            failures: unacked.entry.failures.saturating_add(self.is_quorum.into()),
            ..unacked.entry.clone()
        });
        let (returned, others) = self.ready.by_return();
        let mut returned: Vec<Entry> = returned.cloned().collect();
        let mut messages: Vec<Entry> = others.cloned().collect();
        if self.is_quorum { &mut returned } else { &mut messages }.extend(given_back);
        messages.sort_by_key(|entry| entry.sequence);
        let known: HashMap<u64, History> = self.histories().into_iter().collect();
        let paged = self.ready.sequences_paged_below(u64::MAX);
        let history = |sequence| known.get(&sequence).copied().unwrap_or_default();
        let mut paged: Vec<_> = paged.map(|sequence| (sequence, history(sequence))).collect();
        paged.sort_by_key(|(sequence, _)| *sequence);
        Contents { returned, messages, paged, discards: self.discards.clone() }
    }

    /// Holds these messages from now on, in place of those that it has. Their sequences are new.
    /// Deliveries that were not settled are not waited for any more.
    pub fn replace(&mut self, contents: Contents, now: Timestamp, effects: &mut Effects) {
        self.let_go(effects);
        self.take_over(contents.returned, Place::Front, effects);
        self.take_over(contents.messages, Place::Line, effects);
        for letter in contents.discards {
            self.keep_discard(letter, now);
        }
        self.touch(now);
        self.expire(now, effects);
        self.keep_length(effects);
    }

    fn take_over(&mut self, entries: Vec<Entry>, place: Place, effects: &mut Effects) {
        for entry in entries {
            if self.settings().delivery_limit.is_exceeded(entry.delivery_count) {
                self.note_death(entry, DeathReason::DeliveryLimit, effects);
                continue;
            }
            self.footprint += entry.message.footprint();
            if let Some(duplicates) = &mut self.duplicates {
                duplicates.admit(&entry.message);
            }
            if entry.delivery_count > 0 {
                self.note_returned(&entry, place, effects);
            }
            match place {
                Place::Front => self.ready.put_back(vec![entry]),
                _ if self.is_quorum && entry.delivery_count > 0 => self.ready.append(entry),
                _ => self.ready.push(entry),
            }
        }
    }

    /// Everything is gone.
    fn let_go(&mut self, effects: &mut Effects) {
        effects.gone.extend(self.ready.take().stored(self.storage.id));
        for (_, unacked) in self.unacked.drain() {
            self.note_gone(&unacked.entry, effects);
        }
        for letter in std::mem::take(&mut self.discards) {
            if let Some(sequence) = letter.stored {
                effects.note_gone(self.storage.id, sequence);
            }
        }
        self.consumers.forget_deliveries();
        self.duplicates = self.duplicates.as_ref().map(|_| Box::default());
        self.redelivered_below = 0;
        self.polled = 0;
        self.counted.unacked = Holdings::default();
        self.footprint = 0;
    }
}

impl Queue {
    /// What it holds.
    pub fn contents(&self) -> Contents {
        self.state.lock().contents()
    }

    /// Holds these messages from now on, as [`State::replace`]. A queue that is deleted takes
    /// nothing.
    pub fn replace(self: &Arc<Self>, contents: Contents, now: Timestamp, effects: &mut Effects) {
        self.apply(now, effects, |state, effects| {
            if !self.is_deleted() {
                state.replace(contents, now, effects);
            }
        });
    }
}
