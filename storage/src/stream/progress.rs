//! How far a stream is, beside its segments: so that it is noticed if one of them is missing, or
//! ends before its end, and told from what a crash has torn.
//!
//! It is written after each sync and not synced itself, but where a segment begins, before one is
//! removed, and when the stream is closed. So what it says is so, and never that there is what is
//! not needed any more. It is not relied on: without it nothing is known to be missing.
//!
//! Two slots, at 0 and at 512, are written in turn; the one with the higher number counts:
//!
//! ```text
//! 0   u32  CRC-32 of the octets from 4 to 71
//! 4   u32  number of segments
//! 8   u64  stream
//! 16  u64  number of what is said
//! 24  u64  first segment: its number
//! 32  u64                 the offset of its first message
//! 40  u64  last segment: its number
//! 48  u64                the offset of its first message
//! 56  u64                octets up to the end of its last record
//! 64  u64  offset of the next message
//! ```

use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::key::QueueId;
use crate::stream::files::{FileName, NUMBER_MAX, SegmentName};
use crate::stream::record::Place;
use crate::two_slots::{self, TwoSlots};

const SLOT: usize = 72;

/// What is durable of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) first: SegmentName,
    pub(crate) last: SegmentName,
    pub(crate) segments: u32,
    /// Octets of the last segment.
    pub(crate) used: u64,
    pub(crate) next_offset: u64,
}

impl Progress {
    fn encode(&self, number: u64) -> [u8; SLOT] {
        let Self { first, last, segments, used, next_offset } = self;
        let mut slot = [0; SLOT];
        slot[4..8].copy_from_slice(&segments.to_le_bytes());
        let segment = |name: &SegmentName| [name.place.segment, name.first_offset];
        let (first, last_one) = (segment(first), segment(last));
        let words = [[last.place.stream, number], first, last_one, [*used, *next_offset]];
        for (field, word) in slot[8..].chunks_exact_mut(8).zip(words.as_flattened()) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        let checksum = crc32fast::hash(&slot[4..]);
        slot[..4].copy_from_slice(&checksum.to_le_bytes());
        slot
    }

    fn decode(slot: &[u8; SLOT], stream: QueueId) -> Option<(u64, Self)> {
        let half = |at: usize| Some(u32::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let word = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let segment = |at: usize| {
            let place = Place { stream, segment: word(at)? };
            Some(SegmentName { place, first_offset: word(at + 8)? })
        };
        let progress = Self {
            first: segment(24)?,
            last: segment(40)?,
            segments: half(4)?,
            used: word(56)?,
            next_offset: word(64)?,
        };
        let is_own = half(0)? == crc32fast::hash(&slot[4..]) && word(8)? == stream;
        let number = word(16)?;
        (is_own && number <= NUMBER_MAX && progress.can_be()).then_some((number, progress))
    }

    /// Whether a stream can be so: a checksum keeps no one from writing what cannot.
    fn can_be(&self) -> bool {
        let Self { first, last, segments, next_offset, .. } = self;
        let (from, to) = (first.place.segment, last.place.segment);
        let offsets = [first.first_offset, last.first_offset, *next_offset, NUMBER_MAX];
        from <= to
            && to <= NUMBER_MAX
            && u64::from(*segments) <= to - from + 1
            && offsets.is_sorted()
    }
}

/// What was said last of a stream, with its number, if that can be read.
///
/// # Errors
/// If the disk fails.
pub(crate) fn read(disk: &dyn Disk, stream: QueueId) -> io::Result<Option<(u64, Progress)>> {
    let name = FileName::Progress(stream).to_string();
    let found = two_slots::read(disk, &name, |slot| Progress::decode(slot, stream))?;
    Ok(found.into_iter().max_by_key(|(number, _)| *number))
}

/// Writes it.
#[derive(Debug)]
pub(crate) struct ProgressFile {
    slots: TwoSlots,
    /// What was said last, and its number.
    pub(crate) said: Option<Progress>,
    number: u64,
}

impl ProgressFile {
    /// It goes on after what was said, with a number.
    pub(crate) fn new(disk: Arc<dyn Disk>, stream: QueueId, said: Option<(u64, Progress)>) -> Self {
        let (number, said) = said.map_or((0, None), |(number, said)| (number, Some(said)));
        let slots = TwoSlots::new(disk, FileName::Progress(stream).to_string());
        Self { slots, said, number }
    }

    /// Sees to it that there is the file, before the names in its directory are made durable.
    pub(crate) fn keep_open(&mut self) {
        // If there is none it does not help.
        let _ = self.slots.open();
    }

    /// Says how far the stream is.
    ///
    /// # Errors
    /// If the disk fails: what was said before may count.
    pub(crate) fn note(&mut self, progress: Progress) -> io::Result<()> {
        if let Err(error) = self.slots.open() {
            // Where nothing was said before nothing is taken for missing.
            return if self.said.is_some() { Err(error) } else { Ok(()) };
        }
        (self.number, self.said) = (self.number + 1, Some(progress));
        self.slots.write(self.number, &progress.encode(self.number))
    }

    /// The same, so that it is durable.
    ///
    /// # Errors
    /// As for [`ProgressFile::note`].
    pub(crate) fn keep(&mut self, progress: Progress) -> io::Result<()> {
        self.note(progress)?;
        if self.said.is_some() { self.slots.sync() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let name = |segment, first_offset| SegmentName {
            place: Place { stream: 5, segment },
            first_offset,
        };
        let (first, last) = (name(2, 100), name(4, 300));
        let progress = Progress { first, last, segments: 3, used: 96, next_offset: 305 };
        let mut slot = progress.encode(11);
        assert_eq!(Progress::decode(&slot, 5), Some((11, progress)));
        assert_eq!(Progress::decode(&slot, 6), None);
        for bit in 0..SLOT * 8 {
            slot[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Progress::decode(&slot, 5), None, "bit {bit}");
            slot[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn what_no_stream_can_be_is_nothing() {
        let name = |segment, first_offset| SegmentName {
            place: Place { stream: 5, segment },
            first_offset,
        };
        let (first, last) = (name(2, 100), name(4, 300));
        let progress = Progress { first, last, segments: 3, used: 96, next_offset: 305 };
        let is_read = |progress: Progress| Progress::decode(&progress.encode(1), 5).is_some();
        assert!(is_read(progress));
        assert!(!is_read(Progress { segments: 4, ..progress }));
        assert!(!is_read(Progress { first: last, last: first, ..progress }));
        assert!(!is_read(Progress { last: name(u64::MAX, 300), ..progress }));
        assert!(!is_read(Progress { last: name(4, 99), ..progress }));
        assert!(!is_read(Progress { next_offset: 299, ..progress }));
        assert!(!is_read(Progress { next_offset: u64::MAX, ..progress }));
        assert_eq!(Progress::decode(&progress.encode(u64::MAX), 5), None);
    }
}
