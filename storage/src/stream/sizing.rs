//! How many entries a chunk may hold.

use crate::stream::pending::PendingChunk;

/// While little is appended.
const ENTRIES_MIN: u16 = 32;
/// At most.
const ENTRIES_MAX: u16 = 8192;

/// Entries that the chunk which is filled may hold. Readers ask for chunks, so that what one holds
/// is what they have to take at once: a chunk that is full is followed by one of twice as many
/// entries, and what is written before it is full by one of half as many, as RabbitMQ's writers do
/// it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizing(u16);

impl Sizing {
    pub(crate) fn new() -> Self {
        Self(ENTRIES_MIN)
    }

    pub(crate) fn entries_max(self) -> u16 {
        self.0
    }

    /// A chunk begins behind this one.
    pub(crate) fn begin_behind(&mut self, last: Option<&PendingChunk>) {
        if last.is_some_and(|last| last.entries() >= self.0) {
            self.0 = self.0.saturating_mul(2).min(ENTRIES_MAX);
        }
    }

    /// This chunk is taken to be written, and no other is left.
    pub(crate) fn note_taken(&mut self, last: Option<&PendingChunk>) {
        if last.is_some_and(|last| last.entries() < self.0) {
            self.0 = (self.0 / 2).max(ENTRIES_MIN);
        } else {
            self.begin_behind(last);
        }
    }
}
