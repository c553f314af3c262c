//! What of a queue is in the store alone, and coming back from there after a restart.

use std::sync::Arc;

use crate::base::memory_alarm::{MemoryAlarm, Share};
use crate::limits::QUEUE_BYTES;
use crate::message::Message;
use crate::message::stored::{History, LEVELS_OF_ARRIVALS, Past};
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::queue::fifo::paging::{Found, PagedIn, Wanted};
use crate::time::clock::Timestamp;

impl Queue {
    /// From now on it counts as memory, its messages apart.
    pub(crate) fn count_as_memory(&self, memory: &Arc<MemoryAlarm>) {
        self.share.get_or_init(|| Share::new(memory, QUEUE_BYTES));
    }

    /// Messages that have to be stored before they can be paged out, with their sequences.
    pub fn to_store(&self) -> Vec<(u64, Message, Timestamp)> {
        self.state.lock().to_store()
    }

    /// These messages are in the store from now on.
    pub fn note_stored(&self, sequences: Vec<u64>, effects: &mut Effects) {
        self.state.lock().note_stored(sequences, effects);
    }

    /// Where messages begin that may be paged out.
    pub fn first_to_page_out(&self) -> Option<u64> {
        self.state.lock().first_to_page_out()
    }

    /// Pages out as many messages as are among those `written`.
    pub fn page_out(&self, written: &[u64], effects: &mut Effects) {
        let mut state = self.state.lock();
        state.page_out(written, |entry| self.note_paged_out(entry));
        effects.footprint += state.take_growth();
    }

    /// The messages that are wanted back, if any.
    pub fn wanted(&self) -> Option<Wanted> {
        self.state.lock().wanted()
    }

    /// Messages come back from the store.
    pub fn page_in(
        self: &Arc<Self>,
        wanted: &Wanted,
        mut messages: Vec<Option<PagedIn>>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.recognise(wanted, &mut messages);
        self.apply(now, effects, |state, effects| state.page_in(wanted, messages, now, effects));
    }

    /// Takes up the messages of an earlier life. See [`State::recover`].
    pub fn recover(&self, found: &[Found], past: &impl Past, effects: &mut Effects) {
        self.state.lock().recover(found, past, effects);
    }

    /// How far messages were handed out, by level, for the store.
    pub fn take_handed_out(&self) -> [u64; LEVELS_OF_ARRIVALS] {
        self.state.lock().take_handed_out()
    }

    /// Whether it holds the keys of its messages, for which they all have to be in memory.
    pub fn keeps_keys(&self) -> bool {
        self.attributes.arguments.message_deduplication
    }

    /// What is to be remembered of stored messages that were delivered before.
    pub fn histories(&self) -> Vec<(u64, History)> {
        self.state.lock().histories()
    }
}
