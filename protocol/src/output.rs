//! The outgoing buffer of a connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Pieces of a body from this size on, in octets, are shared rather than copied.
pub const SHARED_OCTETS_MIN: usize = 16 * 1024;

/// Octets already sent that are kept in front of the buffer before the rest is moved down.
const SENT_OCTETS_MAX: usize = 64 * 1024;

/// Frames on their way out, in order. Small things are copied into one buffer; large pieces of
/// bodies are shared with whoever else holds them.
///
/// The buffer grows with what is put into it: who fills it must watch [`Output::len`].
#[derive(Debug, Default)]
pub struct Output {
    /// Everything but the shared pieces, one after the other.
    pub(crate) copied: Vec<u8>,
    /// How much of `copied` was sent.
    sent: usize,
    /// Shared pieces, each with the offset in `copied` that it comes before.
    shared: VecDeque<(usize, Bytes)>,
    /// Octets in `shared`.
    shared_octets: usize,
}

impl Output {
    /// An empty buffer; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Octets that are waiting.
    pub fn len(&self) -> usize {
        self.copied.len() - self.sent + self.shared_octets
    }

    /// Whether nothing is waiting.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.copied.len() == self.sent && self.shared.is_empty()
    }

    /// Octets that can be copied into the buffer before it has to grow, were it empty.
    pub fn capacity(&self) -> usize {
        self.copied.capacity()
    }

    /// Adds octets as they are.
    pub fn octets(&mut self, octets: &[u8]) {
        self.copied.extend_from_slice(octets);
    }

    /// Adds a shared piece, whatever its size.
    pub fn share(&mut self, piece: Bytes) {
        self.shared_octets += piece.len();
        self.shared.push_back((self.copied.len(), piece));
    }

    /// Moves everything out of `other` to the end of this.
    pub fn append(&mut self, other: &mut Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() && self.copied.capacity() <= other.copied.capacity() {
            self.clear();
            std::mem::swap(self, other);
            return;
        }
        let end = self.copied.len();
        self.copied.extend_from_slice(other.copied.get(other.sent..).unwrap_or_default());
        let sent = other.sent;
        self.shared.extend(other.shared.drain(..).map(|(at, piece)| (at - sent + end, piece)));
        self.shared_octets += other.shared_octets;
        other.clear();
    }

    /// Fills `slices` from the front with what is to be sent next; returns how many it filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut at = self.sent;
        let mut shared = self.shared.iter();
        let mut next = shared.next();
        let mut filled = 0;
        for slice in slices {
            let octets = match next {
                Some((before, piece)) if *before == at => {
                    next = shared.next();
                    piece.as_ref()
                }
                _ => {
                    let end = next.map_or(self.copied.len(), |(before, _)| *before);
                    let octets = self.copied.get(at..end).unwrap_or_default();
                    at = end;
                    octets
                }
            };
            if octets.is_empty() {
                break;
            }
            *slice = IoSlice::new(octets);
            filled += 1;
        }
        filled
    }

    /// Takes away the first `octets`, which were sent; more than there are means all.
    pub fn advance(&mut self, mut octets: usize) {
        while octets > 0 {
            match self.shared.front_mut() {
                Some((before, piece)) if *before == self.sent => {
                    let part = octets.min(piece.len());
                    piece.advance(part);
                    self.shared_octets -= part;
                    octets -= part;
                    if piece.is_empty() {
                        self.shared.pop_front();
                    }
                }
                front => {
                    let end = front.map_or(self.copied.len(), |(before, _)| *before);
                    if end == self.sent {
                        break;
                    }
                    let part = octets.min(end - self.sent);
                    self.sent += part;
                    octets -= part;
                }
            }
        }
        if self.is_empty() {
            self.clear();
        } else if self.sent > SENT_OCTETS_MAX && self.sent > self.copied.len() / 2 {
            self.move_down();
        }
    }

    fn move_down(&mut self) {
        self.copied.drain(..self.sent);
        for (before, _) in &mut self.shared {
            *before -= self.sent;
        }
        self.sent = 0;
    }

    /// Drops everything that is waiting.
    pub fn clear(&mut self) {
        self.copied.clear();
        self.sent = 0;
        self.shared.clear();
        self.shared_octets = 0;
    }

    /// Everything that is waiting, copied together.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.sent;
        for (before, piece) in &self.shared {
            all.extend_from_slice(self.copied.get(at..*before).unwrap_or_default());
            all.extend_from_slice(piece);
            at = *before;
        }
        all.extend_from_slice(self.copied.get(at..).unwrap_or_default());
        all
    }
}
