//! Messages that died in a queue.

use std::sync::Arc;

use crate::insight::journal::DropReason;
use crate::queue::Queue;
use crate::queue::effects::{DeadLetter, Effects};
use crate::time::clock::Timestamp;

impl Queue {
    /// Dead messages go on to the dead-letter exchange, if there is one.
    pub(super) fn bury(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) {
        let mut deaths = std::mem::take(&mut effects.deaths);
        let has_target = self.dead_letter_target.read().is_some();
        self.note_deaths(&deaths, has_target, now);
        if has_target {
            effects.dead_letters.extend(deaths.drain(..).map(|death| (Arc::clone(self), death)));
        } else {
            for death in deaths.drain(..) {
                self.note_buried(&death, effects);
            }
        }
        effects.deaths = deaths;
    }

    /// A dead letter of this queue has arrived elsewhere, or is dropped.
    pub fn note_buried(&self, letter: &DeadLetter, effects: &mut Effects) {
        if let Some(sequence) = letter.stored {
            effects.note_moved(self.storage.id, sequence);
        }
    }

    /// Whether dead letters are kept until they are delivered.
    pub fn keeps_dead_letters(&self) -> bool {
        self.state.lock().keeps_dead_letters()
    }

    /// Keeps the place for a dead letter that is about to come, so that it is not refused; tells
    /// whether it does. Who asks sends it.
    pub fn promise_room(&self, body_bytes: u64) -> bool {
        self.state.lock().promise_room(body_bytes)
    }

    /// A dead letter of this queue could not be delivered. It is kept and tried again if the
    /// queue is one that does so, and dropped if not.
    pub fn keep_discard(
        self: &Arc<Self>,
        letter: DeadLetter,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.apply(now, effects, |state, effects| {
            if state.keeps_dead_letters() && !self.is_deleted() {
                state.keep_discard(letter, now);
            } else {
                self.note_dropped(&letter.message, DropReason::Undeliverable(letter.reason), now);
                self.note_buried(&letter, effects);
            }
        });
    }
}
