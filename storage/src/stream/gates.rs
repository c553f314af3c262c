//! The gates of a stream, as far as they are closed.
//!
//! A gate stands before a chunk. One more that comes while that is the last chunk, and none of its
//! gates is open yet, may share it.

use std::collections::VecDeque;

/// A gate that is closed.
#[derive(Clone, Copy, Debug)]
struct Closed {
    number: u64,
    /// The chunk that it stands before.
    chunk: u64,
}

/// The gates of a stream. Chunks have the numbers in which they were begun, from 1.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// In order.
    closed: VecDeque<Closed>,
    /// How many there ever were.
    count: u64,
    /// This chunk, and all before it, take no more entries.
    full: u64,
    /// This chunk, and all behind it, are never written.
    lost: Option<u64>,
}

impl Gates {
    /// Closes one before what is appended next, where `last` is the last chunk; tells its number.
    pub(crate) fn close(&mut self, last: u64) -> u64 {
        let shares = last > self.full && self.first_chunk().is_some_and(|first| first <= last);
        if !shares {
            self.full = last;
        }
        let chunk = if shares { last } else { last + 1 };
        self.count += 1;
        self.closed.push_back(Closed { number: self.count, chunk });
        self.count
    }

    /// Opens one, if it is closed. The last chunk takes nothing more, which could close it again
    /// and again.
    pub(crate) fn open(&mut self, number: u64, last: u64) {
        if let Some(at) = self.place(number) {
            self.closed.remove(at);
            self.full = last;
        }
    }

    /// One that is closed stays so. Tells whether it was.
    pub(crate) fn lose(&mut self, number: u64) -> bool {
        let lost = self.place(number).and_then(|at| self.closed.get(at));
        let chunk = lost.map(|lost| lost.chunk);
        self.lost = self.lost.into_iter().chain(chunk).min();
        chunk.is_some()
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.closed.iter().position(|closed| closed.number == number)
    }

    /// There are none any more.
    pub(crate) fn clear(&mut self) {
        self.closed.clear();
    }

    /// The first chunk with a closed gate before it.
    pub(crate) fn first_chunk(&self) -> Option<u64> {
        self.closed.front().map(|closed| closed.chunk)
    }

    /// Whether a chunk may take entries.
    pub(crate) fn may_fill(&self, chunk: u64) -> bool {
        chunk > self.full
    }

    /// Whether a chunk is never written.
    pub(crate) fn is_lost(&self, chunk: u64) -> bool {
        self.lost.is_some_and(|lost| chunk >= lost)
    }
}
