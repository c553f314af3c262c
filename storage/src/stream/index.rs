//! The side file of a segment: where chunks are, one for every few of them, by offset and by time.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32 over: stream, segment (u64 each), octets 4 to 31 |
//! | 4 | 4 | kind: 0 chunk, 1 all names, 2 end of the segment |
//! | 8 | 8 | offset: of its first message, or behind the last one of the segment |
//! | 16 | 8 | timestamp in milliseconds: its own, or that of the last chunk of the segment |
//! | 24 | 8 | position in the segment |
//!
//! All numbers are little-endian. The file is not relied on: entries may be missing, and what is
//! not an entry is none.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::stream::files::SegmentName;
use crate::stream::record::Place;

/// Octets of an entry.
pub(crate) const ENTRY: usize = 32;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Chunk = 0,
    Checkpoint = 1,
    End = 2,
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) kind: EntryKind,
    pub(crate) offset: u64,
    pub(crate) timestamp_ms: i64,
    pub(crate) position: u64,
}

impl IndexEntry {
    fn encode(&self, place: Place, octets: &mut Vec<u8>) {
        let mut entry = [0; ENTRY];
        let fields = [self.offset, self.timestamp_ms.cast_unsigned(), self.position];
        entry[4..8].copy_from_slice(&(self.kind as u32).to_le_bytes());
        for (at, field) in [8, 16, 24].into_iter().zip(fields) {
            entry[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        let checksum = checksum(&entry, place);
        entry[..4].copy_from_slice(&checksum.to_le_bytes());
        octets.extend(entry);
    }

    fn parse(entry: &[u8; ENTRY], place: Place) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*entry.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_le_bytes(*entry.get(at..)?.first_chunk()?));
        if word(0)? != checksum(entry, place) {
            return None;
        }
        let kind = match word(4)? {
            0 => EntryKind::Chunk,
            1 => EntryKind::Checkpoint,
            2 => EntryKind::End,
            _ => return None,
        };
        let timestamp_ms = long(16)?.cast_signed();
        Some(Self { kind, offset: long(8)?, timestamp_ms, position: long(24)? })
    }
}

fn checksum(entry: &[u8; ENTRY], place: Place) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.stream.to_le_bytes());
    hasher.update(&place.segment.to_le_bytes());
    hasher.update(entry.get(4..).unwrap_or_default());
    hasher.finalize()
}

/// Writes entries behind those that are there; tells how many are there then.
///
/// # Errors
/// If the disk fails.
pub(crate) fn append(
    disk: &dyn Disk,
    name: SegmentName,
    written: u64,
    entries: &[IndexEntry],
    sync: bool,
) -> io::Result<u64> {
    let file = disk.open(&name.index(), true)?;
    let mut octets = Vec::with_capacity(entries.len() * ENTRY);
    entries.iter().for_each(|entry| entry.encode(name.place, &mut octets));
    file.write_at(&octets, written * ENTRY as u64)?;
    if sync {
        file.sync()?;
    }
    Ok(written + entries.len() as u64)
}

/// A side file that is read.
pub(crate) struct Index {
    file: Arc<dyn DiskFile>,
    place: Place,
    entries: u64,
}

impl Index {
    /// Opens the side file of a segment; `None` if there is none.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn open(disk: &dyn Disk, name: SegmentName) -> io::Result<Option<Self>> {
        match disk.open(&name.index(), false) {
            Ok(file) => {
                let entries = file.len()? / ENTRY as u64;
                Ok(Some(Self { file, place: name.place, entries }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn get(&self, at: u64) -> io::Result<Option<IndexEntry>> {
        let mut entry = [0; ENTRY];
        match self.file.read_at(&mut entry, at * ENTRY as u64) {
            Ok(()) => Ok(IndexEntry::parse(&entry, self.place)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The entry that ends a finished segment.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn end(&self) -> io::Result<Option<IndexEntry>> {
        let Some(last) = self.entries.checked_sub(1) else { return Ok(None) };
        Ok(self.get(last)?.filter(|entry| entry.kind == EntryKind::End))
    }

    /// The last entry before which everything is `before`; entries that are none count as if they
    /// were not, so that one may be found that is too early.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn search(
        &self,
        before: impl Fn(&IndexEntry) -> bool,
    ) -> io::Result<Option<IndexEntry>> {
        let (mut low, mut high) = (0, self.entries);
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)? {
                Some(entry) if entry.kind != EntryKind::End && before(&entry) => {
                    found = Some(entry);
                    low = middle + 1;
                }
                _ => high = middle,
            }
        }
        Ok(found)
    }

    /// The first part of the file that consists of entries: how many, and the last of this kind.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn sound(&self, kind: EntryKind) -> io::Result<(u64, Option<IndexEntry>)> {
        /// Entries that are read at a time.
        const STEP: u64 = 2048;
        let (mut count, mut last) = (0, None);
        while count < self.entries {
            let step = STEP.min(self.entries - count);
            let mut octets = vec![0; step as usize * ENTRY];
            self.file.read_at(&mut octets, count * ENTRY as u64)?;
            let (entries, _) = octets.as_chunks::<ENTRY>();
            for entry in entries {
                let Some(entry) = IndexEntry::parse(entry, self.place) else {
                    return Ok((count, last));
                };
                if entry.kind == EntryKind::End {
                    return Ok((count, last));
                }
                count += 1;
                if entry.kind == kind {
                    last = Some(entry);
                }
            }
        }
        Ok((count, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SimulatedDisk;

    const NAME: SegmentName =
        SegmentName { place: Place { stream: 1, segment: 2 }, first_offset: 0 };

    fn entry(number: u64) -> IndexEntry {
        let kind = if number.is_multiple_of(10) { EntryKind::Checkpoint } else { EntryKind::Chunk };
        let timestamp_ms = number as i64 * 7;
        IndexEntry { kind, offset: number * 10, timestamp_ms, position: number * 100 }
    }

    #[test]
    fn the_last_entry_before_a_place_is_found() {
        let disk = SimulatedDisk::new(1);
        assert!(Index::open(&disk, NAME).unwrap().is_none());
        let entries: Vec<_> = (0..55).map(entry).collect();
        assert_eq!(append(&disk, NAME, 0, &entries[..20], false).unwrap(), 20);
        assert_eq!(append(&disk, NAME, 20, &entries[20..], true).unwrap(), 55);
        let index = Index::open(&disk, NAME).unwrap().unwrap();
        for wanted in 0..560 {
            let found = index.search(|entry| entry.offset <= wanted).unwrap();
            assert_eq!(found, Some(entry((wanted / 10).min(54))));
        }
        assert_eq!(index.search(|_| false).unwrap(), None);
        assert_eq!(index.end().unwrap(), None);
        assert_eq!(index.sound(EntryKind::Checkpoint).unwrap(), (55, Some(entry(50))));
        let end = IndexEntry { kind: EntryKind::End, ..entry(55) };
        append(&disk, NAME, 55, &[end], false).unwrap();
        let index = Index::open(&disk, NAME).unwrap().unwrap();
        assert_eq!(index.end().unwrap(), Some(end));
        assert_eq!(index.search(|_| true).unwrap(), Some(entry(54)));
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let disk = SimulatedDisk::new(1);
        let entries: Vec<_> = (0..55).map(entry).collect();
        append(&disk, NAME, 0, &entries, true).unwrap();
        disk.open(&NAME.index(), false).unwrap().write_at(&[9], 33 * 32 + 9).unwrap();
        let index = Index::open(&disk, NAME).unwrap().unwrap();
        assert_eq!(index.sound(EntryKind::Checkpoint).unwrap(), (33, Some(entry(30))));
        for wanted in 0..560 {
            let found = index.search(|entry| entry.offset <= wanted).unwrap();
            assert!(found.is_none_or(|found| found.offset <= wanted));
        }
    }
}
