//! How far the segment that is being written is durable.
//!
//! After a crash nobody could tell else whether the end of the last segment was torn or has been
//! lost since. It is written after each sync and never synced itself: if it is there, it is so.
//! Both of its slots are there and durable before the first segment is, so that one that cannot be
//! read was harmed: that is told, for what is torn then, or not there, may have been durable.
//!
//! Two slots, at 0 and at 512, are written in turn:
//!
//! ```text
//! 0   u32  CRC-32 of the octets from 8 to 63
//! 4   u32  zero
//! 8   u64  identity of the directory
//! 16  u64  number of the segment
//! 24  u64  group
//! 32  u64  octets up to the end of its last record
//! 40  u64  where its last record begins
//! 48  u64  where its first record begins
//! 56  u32  checksum of the first record's head
//! 60  u32  checksum of the last record's head
//! ```

use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::log::manifest::{Extent, Mark};
use crate::two_slots::{self, TwoSlots};

/// The name of the file.
pub(crate) const NAME: &str = "progress";
const SLOT: usize = 64;

/// What is durable of the last segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) segment: u64,
    pub(crate) group: u64,
    pub(crate) extent: Extent,
}

impl Progress {
    fn encode(&self, identity: u64) -> [u8; SLOT] {
        let Extent { used, first, last } = self.extent;
        let words = [identity, self.segment, self.group, used, last.offset, first.offset];
        let mut slot = [0; SLOT];
        for (field, word) in slot.chunks_exact_mut(8).skip(1).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        slot[56..60].copy_from_slice(&first.checksum.to_le_bytes());
        slot[60..].copy_from_slice(&last.checksum.to_le_bytes());
        let checksum = crc32fast::hash(&slot[8..]);
        slot[..4].copy_from_slice(&checksum.to_le_bytes());
        slot
    }

    fn decode(slot: &[u8; SLOT]) -> Option<(u64, Self)> {
        let half = |at: usize| Some(u32::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let word = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let extent = Extent {
            used: word(32)?,
            first: Mark { offset: word(48)?, checksum: half(56)? },
            last: Mark { offset: word(40)?, checksum: half(60)? },
        };
        let progress = Self { segment: word(16)?, group: word(24)?, extent };
        (half(0)? == crc32fast::hash(&slot[8..])).then_some((word(8)?, progress))
    }
}

/// What there is of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// What was written last.
    pub(crate) progress: Option<Progress>,
    /// Both slots can be read.
    pub(crate) is_whole: bool,
}

impl Found {
    /// What the directory with this identity has of it.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn read(disk: &dyn Disk, identity: u64) -> io::Result<Self> {
        let found = two_slots::read(disk, NAME, Progress::decode)?;
        let own = found.into_iter().filter(|(whose, _)| *whose == identity);
        let own: Vec<Progress> = own.map(|(_, progress)| progress).collect();
        let is_whole = own.len() == two_slots::SLOTS;
        let last = own.into_iter().max_by_key(|p| (p.segment, p.extent.used));
        Ok(Self { progress: last.filter(|progress| progress.segment > 0), is_whole })
    }
}

/// Writes it.
#[derive(Debug)]
pub(crate) struct ProgressFile {
    slots: TwoSlots,
    identity: u64,
    turn: u64,
    is_whole: bool,
}

impl ProgressFile {
    /// One that may be `whole` already.
    pub(crate) fn new(disk: Arc<dyn Disk>, identity: u64, is_whole: bool) -> Self {
        Self { slots: TwoSlots::new(disk, NAME.to_owned()), identity, turn: 0, is_whole }
    }

    /// Makes both slots durable, if they are not.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn keep_whole(&mut self, disk: &dyn Disk) -> io::Result<()> {
        if self.is_whole {
            return Ok(());
        }
        // Segments count from 1: nothing is durable.
        let nothing = Progress { segment: 0, group: 0, extent: Extent::default() };
        for turn in 0..two_slots::SLOTS {
            self.slots.write(turn as u64, &nothing.encode(self.identity))?;
        }
        self.slots.sync()?;
        disk.sync_directory()?;
        self.is_whole = true;
        Ok(())
    }

    pub(crate) fn note(&mut self, progress: &Progress) {
        // What is not there does not help.
        let _ = self.slots.write(self.turn, &progress.encode(self.identity));
        self.turn += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mark = |offset, checksum| Mark { offset, checksum };
        let extent = Extent { used: 96, first: mark(8, 5), last: mark(48, 6) };
        let progress = Progress { segment: 3, group: 7, extent };
        let mut slot = progress.encode(11);
        assert_eq!(Progress::decode(&slot), Some((11, progress)));
        for bit in (0..32).chain(64..SLOT * 8) {
            slot[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Progress::decode(&slot), None, "bit {bit}");
            slot[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
