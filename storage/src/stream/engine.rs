//! Writes chunks to segments: the part of a stream that knows no threads.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::Result;
use crate::log::Durability;
use crate::stream::chunk::{Header, Kind};
use crate::stream::files::{Files, SegmentName};
use crate::stream::index::{EntryKind, IndexEntry};
use crate::stream::progress::Progress;
use crate::stream::record::{Draft, Group, Place};
use crate::stream::segments::End;
use crate::stream::tracking::{Tracking, changes};

/// Chunks that are written with one call, at most.
const WRITE_CHUNKS: usize = 256;
/// Octets from one entry of the index to the next.
pub(crate) const INDEX_SPACING: u64 = 16 << 10;
/// Octets after which everything that is kept by name is written again, unless that is much.
const CHECKPOINT_SPACING: u64 = 1 << 20;
/// Octets by which the file of a segment grows.
const GROWTH_MIN: u64 = 64 << 10;
const GROWTH_MAX: u64 = 16 << 20;

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) name: SegmentName,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) used: u64,
    /// Octets of what it began with: everything that is kept by name.
    pub(crate) begun: u64,
    pub(crate) allocated: u64,
    /// How often it was synced, and how far it was used at the last time.
    pub(crate) syncs: u32,
    pub(crate) synced: u64,
    /// Octets since the last entry of the index, and since everything by name was written.
    pub(crate) since_entry: u64,
    pub(crate) since_checkpoint: u64,
}

/// Where chunks are.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) segment: SegmentName,
    /// One for each of the first of the drafts: those that were written.
    pub(crate) positions: Vec<u64>,
    pub(crate) entries: Vec<IndexEntry>,
    pub(crate) end: End,
}

/// The writing side of a stream. One thread at a time has it.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) stream: u64,
    pub(crate) files: Arc<Files>,
    pub(crate) durability: Durability,
    pub(crate) active: Option<Active>,
    pub(crate) next_segment: u64,
    /// What is kept by name, as it is written.
    pub(crate) tracking: Tracking,
    pub(crate) next_offset: u64,
    pub(crate) last_timestamp_ms: i64,
    /// Chunks that were taken to be written and are not.
    pub(crate) drafts: Vec<Draft>,
}

impl Engine {
    /// One with nothing before it but what was said last of the stream: what was lost of that is
    /// not given to others.
    pub(crate) fn new(
        files: Arc<Files>,
        durability: Durability,
        stream: u64,
        said: Option<&Progress>,
    ) -> Self {
        Self {
            stream,
            files,
            durability,
            active: None,
            next_segment: 1 + said.map_or(0, |said| said.last.place.segment),
            tracking: Tracking::default(),
            next_offset: said.map_or(0, |said| said.next_offset),
            last_timestamp_ms: i64::MIN,
            drafts: Vec::new(),
        }
    }

    /// Whether the next chunk needs another segment.
    pub(crate) fn needs_segment(&self, segment_octets: u64) -> bool {
        let is_full = |active: &Active| active.used > active.begun && active.used >= segment_octets;
        self.active.as_ref().is_none_or(is_full)
    }

    /// Begins another segment; what was written to the one before is synced. It begins with
    /// everything that is kept by name: those before it are not needed for that.
    ///
    /// # Errors
    /// If the disk fails: there is none then, or still the one before.
    pub(crate) fn begin_segment(&mut self, segment_octets: u64) -> Result<Written> {
        self.sync()?;
        let place = Place { stream: self.stream, segment: self.next_segment };
        self.next_segment += 1;
        let name = SegmentName { place, first_offset: self.next_offset };
        let disk = &*self.files.disk;
        let begun = self.begin_file(name, segment_octets);
        let begun = begun.and_then(|begun| disk.sync_directory().map(|()| begun));
        match begun {
            Ok((active, written)) => {
                self.active = Some(active);
                Ok(written)
            }
            Err(error) => {
                // Whatever is there of it harms nobody if it cannot be removed now.
                let _ = disk.remove(&name.chunks());
                Err(error.into())
            }
        }
    }

    fn begin_file(&self, name: SegmentName, segment_octets: u64) -> io::Result<(Active, Written)> {
        let mut active = Active {
            name,
            file: self.files.disk.open(&name.chunks(), true)?,
            used: 0,
            begun: 0,
            allocated: 0,
            syncs: 0,
            synced: 0,
            since_entry: u64::MAX,
            since_checkpoint: u64::MAX,
        };
        let mut drafts = [checkpoint(&self.tracking, self.next_offset, self.last_timestamp_ms)];
        let end = drafts.iter().map(Draft::span).sum();
        active.grow(end, segment_octets)?;
        let positions = active.stamp(drafts.iter_mut());
        active.put(drafts.iter(), end, true)?;
        active.begun = end;
        let entries = active.index(drafts.iter().map(|draft| &draft.header), &positions);
        let end = End { position: end, timestamp_ms: self.last_timestamp_ms };
        Ok((active, Written { segment: name, positions: Vec::new(), entries, end }))
    }

    /// Writes as many of the chunks as belong into the segment, at least one, and syncs them.
    ///
    /// # Errors
    /// If nothing of it is durable as far as anyone knows. The same chunks can be written again,
    /// to another segment.
    pub(crate) fn write(&mut self, segment_octets: u64) -> Result<Option<Written>> {
        let Some(active) = &mut self.active else { return Ok(None) };
        let first = self.drafts.first().map_or(i64::MIN, |draft| draft.header.timestamp_ms);
        let timestamp_ms = self.last_timestamp_ms.max(first);
        let checkpoint = active
            .is_checkpoint_due(&self.tracking)
            .then(|| checkpoint(&self.tracking, self.next_offset, timestamp_ms));
        let mut position = active.used + checkpoint.as_ref().map_or(0, Draft::span);
        let mut fitting = 0;
        for draft in self.drafts.iter().take(WRITE_CHUNKS) {
            position += draft.span();
            fitting += 1;
            if position >= segment_octets {
                break;
            }
        }
        active.grow(position, segment_octets)?;
        let drafts = self.drafts.get_mut(..fitting).unwrap_or_default();
        let mut written = checkpoint.into_iter().collect::<Vec<_>>();
        let checkpoints = written.len();
        let positions = active.stamp(written.iter_mut().chain(&mut *drafts));
        let syncs = self.durability == Durability::Fsync;
        if let Err(error) = active.put(written.iter().chain(&*drafts), position, syncs) {
            // Nobody knows what the segment holds behind the last sync: it ends there.
            self.active = None;
            return Err(error.into());
        }
        let entries = active.index(written.iter().chain(&*drafts).map(|d| &d.header), &positions);
        for draft in &*drafts {
            changes(&draft.trailer).for_each(|change| self.tracking.apply(change));
            self.next_offset = draft.header.next_offset();
            self.last_timestamp_ms = self.last_timestamp_ms.max(draft.header.timestamp_ms);
        }
        let end = End { position, timestamp_ms: self.last_timestamp_ms };
        let positions = positions.into_iter().skip(checkpoints).collect();
        Ok(Some(Written { segment: active.name, positions, entries, end }))
    }

    /// Makes what was written durable, if it is not.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.active.as_mut().map_or(Ok(()), Active::sync)
    }
}

impl Active {
    /// Whether everything that is kept by name is to be written again: not too often if that is
    /// much.
    fn is_checkpoint_due(&self, tracking: &Tracking) -> bool {
        const SHARE: u64 = 8;
        self.since_checkpoint >= CHECKPOINT_SPACING
            && self.since_checkpoint / SHARE >= tracking.octets() as u64
    }

    /// Sees to it that there is space up to `end`.
    fn grow(&mut self, end: u64, segment_octets: u64) -> io::Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let growth = self.used.clamp(GROWTH_MIN, GROWTH_MAX);
        let length = (self.allocated + growth).min(segment_octets).max(end);
        self.file.allocate(length)?;
        self.allocated = length;
        Ok(())
    }

    /// Gives chunks their places; tells them.
    fn stamp<'a>(&self, drafts: impl Iterator<Item = &'a mut Draft>) -> Vec<u64> {
        let group = Group { number: self.syncs + 1, start: self.synced };
        let mut position = self.used;
        let mut positions = Vec::new();
        for draft in drafts {
            draft.stamp(self.name.place, position, group);
            positions.push(position);
            position += draft.span();
        }
        positions
    }

    fn put<'a>(
        &mut self,
        drafts: impl Iterator<Item = &'a Draft>,
        end: u64,
        syncs: bool,
    ) -> io::Result<()> {
        let parts: Vec<_> = drafts.flat_map(Draft::parts).collect();
        let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        self.file.write_parts_at(&mut slices, self.used)?;
        if syncs {
            self.file.sync()?;
            self.syncs += 1;
            self.synced = end;
        }
        self.used = end;
        Ok(())
    }

    /// Makes what was written durable, if it is not.
    fn sync(&mut self) -> io::Result<()> {
        if self.synced < self.used {
            self.file.sync()?;
            self.syncs += 1;
            self.synced = self.used;
        }
        Ok(())
    }

    /// The entries of the index for these chunks.
    fn index<'a>(
        &mut self,
        headers: impl Iterator<Item = &'a Header>,
        positions: &[u64],
    ) -> Vec<IndexEntry> {
        let ends = positions.iter().skip(1).copied().chain([self.used]);
        let mut entries = Vec::new();
        for ((header, &position), end) in headers.zip(positions).zip(ends) {
            let is_checkpoint = header.kind == Kind::Checkpoint;
            if is_checkpoint || self.since_entry >= INDEX_SPACING {
                let kind = if is_checkpoint { EntryKind::Checkpoint } else { EntryKind::Chunk };
                let (offset, timestamp_ms) = (header.first_offset, header.timestamp_ms);
                entries.push(IndexEntry { kind, offset, timestamp_ms, position });
                self.since_entry = 0;
            }
            if is_checkpoint {
                self.since_checkpoint = 0;
            }
            self.since_entry = self.since_entry.saturating_add(end - position);
            self.since_checkpoint = self.since_checkpoint.saturating_add(end - position);
        }
        entries
    }
}

/// Everything that is kept by name, as it is written.
fn checkpoint(tracking: &Tracking, first_offset: u64, timestamp_ms: i64) -> Draft {
    let mut trailer = Vec::new();
    tracking.encode(&mut trailer);
    let header = Header {
        kind: Kind::Checkpoint,
        entries: 0,
        records: 0,
        timestamp_ms,
        first_offset,
        checksum: 0,
        data: 0,
        trailer: 0,
        filter: 0,
    };
    Draft::new(header, Vec::new(), trailer, Vec::new())
}
