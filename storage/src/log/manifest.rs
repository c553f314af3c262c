//! The manifest: which segments there are, and what is in those that are finished.
//!
//! It is a ledger beside the segments, so that a segment that is missing, was emptied, or is a file
//! of another directory is noticed. What it says of a file is durable before anything relies on
//! the file, and that a file is not needed any more before it is gone: after a crash it never
//! lists what is not there.
//!
//! ```text
//! per change, 56 octets, little-endian:
//! 0   u32  1 a segment, 2 one that is not needed any more, 3 all up to this one have been known
//! 4   u32  checksum of its side file, 0 if there is none that counts
//! 8   u64  its number
//! 16  u64  octets of its file
//! 24  u64  octets up to the end of its last record; all ones if it is not finished
//! 32  u64  where its first record begins
//! 40  u64  where its last record begins
//! 48  u32  checksum of the first record's head
//! 52  u32  checksum of the last record's head
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::Result;
use crate::ledger::{Growth, Ledger, Reading};

/// The name of the manifest.
pub(crate) const MANIFEST: &str = "manifest";

const CHANGE: usize = 56;
const SEGMENT: u32 = 1;
const FREED: u32 = 2;
const KNOWN: u32 = 3;
const NOT_FINISHED: u64 = u64::MAX;

/// A record, by its place and the checksum of its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: u64,
    pub(crate) checksum: u32,
}

/// What a segment holds, as far as it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Octets up to the end of the last record; 0 if there is none.
    pub(crate) used: u64,
    pub(crate) first: Mark,
    pub(crate) last: Mark,
}

/// What the manifest says of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Octets of its file.
    pub(crate) capacity: u64,
    /// What it holds, if it is finished.
    pub(crate) extent: Option<Extent>,
    /// Checksum of its side file; 0 if there is none that counts.
    pub(crate) index: u32,
}

/// Segments and those that are not needed any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    pub(crate) listed: BTreeMap<u64, Listed>,
    /// Their files may still be there.
    pub(crate) freed: BTreeSet<u64>,
    /// The highest number that a segment has had.
    pub(crate) highest: u64,
}

impl Segments {
    /// What a ledger says, if it is whole.
    pub(crate) fn of(reading: &Reading) -> Option<Self> {
        let (_, beginning) = reading.beginning.as_ref().filter(|_| reading.is_complete())?;
        let mut segments = Self::default();
        for payload in std::iter::once(beginning).chain(reading.entries.values()) {
            for change in payload.chunks(CHANGE) {
                segments.apply(change)?;
            }
        }
        Some(segments)
    }

    fn apply(&mut self, change: &[u8]) -> Option<()> {
        let half = |at: usize| Some(u32::from_le_bytes(*change.get(at..)?.first_chunk()?));
        let word = |at: usize| Some(u64::from_le_bytes(*change.get(at..)?.first_chunk()?));
        let number = word(8)?;
        self.highest = self.highest.max(number);
        match half(0)? {
            SEGMENT => {}
            FREED => {
                self.listed.remove(&number);
                self.freed.insert(number);
                return Some(());
            }
            _ => return Some(()),
        }
        let extent = Extent {
            used: word(24)?,
            first: Mark { offset: word(32)?, checksum: half(48)? },
            last: Mark { offset: word(40)?, checksum: half(52)? },
        };
        let extent = Some(extent).filter(|extent| extent.used != NOT_FINISHED);
        self.listed.insert(number, Listed { capacity: word(16)?, extent, index: half(4)? });
        Some(())
    }

    fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity((self.listed.len() + self.freed.len()) * CHANGE);
        encode_number(&mut octets, KNOWN, self.highest);
        self.freed.iter().for_each(|number| encode_number(&mut octets, FREED, *number));
        self.listed.iter().for_each(|(number, listed)| encode(&mut octets, *number, listed));
        octets
    }
}

fn encode(octets: &mut Vec<u8>, number: u64, listed: &Listed) {
    let extent = listed.extent.unwrap_or(Extent { used: NOT_FINISHED, ..Extent::default() });
    octets.extend_from_slice(&SEGMENT.to_le_bytes());
    octets.extend_from_slice(&listed.index.to_le_bytes());
    let places = [extent.used, extent.first.offset, extent.last.offset];
    for word in [number, listed.capacity].into_iter().chain(places) {
        octets.extend_from_slice(&word.to_le_bytes());
    }
    for checksum in [extent.first.checksum, extent.last.checksum] {
        octets.extend_from_slice(&checksum.to_le_bytes());
    }
}

fn encode_number(octets: &mut Vec<u8>, what: u32, number: u64) {
    octets.extend_from_slice(&what.to_le_bytes());
    octets.extend_from_slice(&[0; 4]);
    octets.extend_from_slice(&number.to_le_bytes());
    octets.resize(octets.len() + CHANGE - 16, 0);
}

/// A manifest that is written.
#[derive(Debug)]
pub(crate) struct Manifest {
    disk: Arc<dyn Disk>,
    identity: u64,
    growth: Growth,
    /// None after writing it has failed: it is begun anew then.
    ledger: Option<Ledger>,
    /// Number of its last change.
    last: u64,
    segments: Segments,
    /// Changes that are not in the ledger yet.
    pending: Vec<u8>,
}

impl Manifest {
    /// Begins one in place of the one that is there, if there is one. It is durable then.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        identity: u64,
        growth: Growth,
        segments: Segments,
    ) -> Result<Self> {
        let mut manifest = Self::new(disk, identity, growth, segments);
        manifest.sync()?;
        Ok(manifest)
    }

    /// One that is begun with the first segment.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        identity: u64,
        growth: Growth,
        segments: Segments,
    ) -> Self {
        let (ledger, pending) = (None, Vec::new());
        Self { disk, identity, growth, ledger, last: 0, segments, pending }
    }

    /// There is such a segment, or more is known of it.
    pub(crate) fn list(&mut self, number: u64, listed: Listed) {
        encode(&mut self.pending, number, &listed);
        self.segments.listed.insert(number, listed);
        self.segments.highest = self.segments.highest.max(number);
    }

    /// A segment is finished.
    pub(crate) fn finish(&mut self, number: u64, extent: Option<Extent>, index: u32) {
        if let Some(listed) = self.segments.listed.get(&number) {
            self.list(number, Listed { extent, index, ..*listed });
        }
    }

    /// A segment is not needed any more: its file may go after the next sync.
    pub(crate) fn free(&mut self, number: u64) {
        encode_number(&mut self.pending, FREED, number);
        self.segments.listed.remove(&number);
        self.segments.freed.insert(number);
    }

    /// The file of a segment that was freed is gone for good.
    pub(crate) fn is_gone(&mut self, number: u64) {
        self.segments.freed.remove(&number);
    }

    /// Begins it, if that has not been done. It is there before any segment.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn keep_begun(&mut self) -> Result<()> {
        if self.ledger.is_none() { self.sync() } else { Ok(()) }
    }

    /// Makes what was said durable.
    ///
    /// # Errors
    /// If the disk fails: it may or may not be durable then, and is tried again the next time.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let result = self.try_sync();
        if result.is_err() {
            self.ledger = None;
        }
        result
    }

    fn try_sync(&mut self) -> Result<()> {
        match self.ledger.as_mut().filter(|ledger| !ledger.is_long()) {
            Some(ledger) => {
                if !self.pending.is_empty() {
                    self.last = ledger.enter(&self.pending);
                    ledger.sync()?;
                }
                // While there is space: when there is none it is needed.
                ledger.keep_room();
            }
            None => {
                let (disk, everything) = (Arc::clone(&self.disk), self.segments.encode());
                let (identity, last) = (self.identity, self.last + 1);
                let growth = self.growth;
                let begun = Ledger::begin(disk, MANIFEST, identity, last, &everything, growth)?;
                (self.last, self.ledger) = (last, Some(begun));
            }
        }
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let mark = |offset, checksum| Mark { offset, checksum };
        let extent = Extent { used: 96, first: mark(0, 5), last: mark(48, 6) };
        let mut segments = Segments::default();
        segments.listed.insert(3, Listed { capacity: 4096, extent: Some(extent), index: 9 });
        segments.listed.insert(4, Listed { capacity: 8192, extent: None, index: 0 });
        segments.freed.insert(2);
        let octets = segments.encode();
        let mut read = Segments::default();
        octets.chunks(CHANGE).for_each(|change| read.apply(change).unwrap());
        assert_eq!((read.listed, read.freed), (segments.listed, segments.freed));
        let last = octets.len() - CHANGE;
        assert!(Segments::default().apply(&octets[last..last + 50]).is_none());
    }
}
