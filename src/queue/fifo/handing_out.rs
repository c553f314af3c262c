//! What a quorum queue has handed out, for the store: after a crash it is known which messages were
//! delivered, and what nobody settled has come back once more.

use crate::message::stored::{LEVELS_OF_ARRIVALS, Place};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::State;

/// How far the messages of each level were handed out that had not come back: they go out in the
/// order of their sequences.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HandedOut {
    /// By level: all that went out have lower sequences.
    below: [u64; LEVELS_OF_ARRIVALS],
    /// It has changed since the store was told.
    is_news: bool,
    /// The store is going to ask.
    is_announced: bool,
}

impl HandedOut {
    /// As it was in an earlier life.
    pub(super) fn recovered(below: [u64; LEVELS_OF_ARRIVALS]) -> Self {
        Self { below, ..Self::default() }
    }

    #[inline]
    fn note(&mut self, level: usize, sequence: u64) {
        if let Some(below) = self.below.get_mut(level)
            && *below <= sequence
        {
            *below = sequence + 1;
            self.is_news = true;
        }
    }
}

impl State {
    /// A message is handed out, and has to be settled.
    #[inline]
    pub(super) fn note_handed_out(&mut self, entry: &Entry, effects: &mut Effects) {
        if !self.is_quorum || !entry.stored {
        } else if entry.delivery_count > 0 {
            self.note_returned(entry, Place::Out, effects);
        } else {
            self.handed_out.note(self.ready.level_of(entry.message.priority()), entry.sequence);
        }
    }

    /// Whether the store has to be told that something was handed out. It is told once, and asks
    /// when it writes.
    #[inline]
    pub fn announces_hand_outs(&mut self) -> bool {
        let handed_out = &mut self.handed_out;
        handed_out.is_news && !std::mem::replace(&mut handed_out.is_announced, true)
    }

    /// How far messages were handed out, by level.
    pub fn take_handed_out(&mut self) -> [u64; LEVELS_OF_ARRIVALS] {
        self.handed_out = HandedOut::recovered(self.handed_out.below);
        self.handed_out.below
    }
}
