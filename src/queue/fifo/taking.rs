//! Ready messages are taken out to go elsewhere, by who runs the broker: they are not delivered.

use std::sync::Arc;

use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::State;
use crate::time::clock::Timestamp;

impl State {
    /// Takes those of these messages out that are still ready. The store keeps them until it is
    /// told otherwise.
    fn take_out(&mut self, wanted: Vec<Entry>) -> Vec<Entry> {
        let (taken, freed) = self.ready.take_out(wanted);
        self.has_popped = true;
        self.footprint -= freed;
        taken.iter().for_each(|entry| self.forget_key(&entry.message));
        taken
    }

    /// Puts messages back that were taken out, to where they were.
    fn put_back_taken(&mut self, entries: Vec<Entry>, effects: &mut Effects) {
        for entry in entries.into_iter().rev() {
            self.footprint += entry.message.footprint();
            if let Some(duplicates) = &mut self.duplicates
                && !duplicates.admit(&entry.message)
            {
                self.footprint -= entry.message.footprint();
                self.note_gone(&entry, effects);
                continue;
            }
            if self.is_quorum && entry.delivery_count > 0 {
                self.ready.put_back(vec![entry]);
            } else {
                self.ready.push(entry);
            }
        }
    }
}

impl Queue {
    /// Takes those of these messages out that are still ready. Each goes elsewhere, of which the
    /// store is told by [`Queue::note_moved`], or comes back by [`Queue::put_back`].
    pub fn take_out(
        self: &Arc<Self>,
        wanted: Vec<Entry>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Vec<Entry> {
        self.apply(now, effects, |state, _| state.take_out(wanted))
    }

    /// Messages that were taken out come back to where they were, in order; a queue that is
    /// deleted drops them.
    pub fn put_back(self: &Arc<Self>, entries: Vec<Entry>, now: Timestamp, effects: &mut Effects) {
        self.apply(now, effects, |state, effects| {
            if self.is_deleted() {
                entries.iter().for_each(|entry| state.note_gone(entry, effects));
            } else {
                state.put_back_taken(entries, effects);
            }
        });
    }

    /// A message that was taken out is elsewhere by now.
    pub fn note_moved(&self, entry: &Entry, effects: &mut Effects) {
        if entry.stored {
            effects.note_moved(self.storage.id, entry.sequence);
            self.state.lock().forget_returns(entry, effects);
        }
    }

    /// A message that was taken out is nowhere any more: its space comes back on a full disk, too.
    pub fn note_removed(&self, entry: &Entry, effects: &mut Effects) {
        if entry.stored {
            effects.note_gone(self.storage.id, entry.sequence);
            self.state.lock().forget_returns(entry, effects);
        }
    }
}
