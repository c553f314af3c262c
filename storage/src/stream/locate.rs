//! Where in a stream a reader begins, and how segments end that nobody has looked at.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::Result;
use crate::stream::Stream;
use crate::stream::chunk::Kind;
use crate::stream::engine::INDEX_SPACING;
use crate::stream::index::{self, EntryKind, Index, IndexEntry};
use crate::stream::record::Record;
use crate::stream::scan::{Item, Scanner};
use crate::stream::segments::{End, Segment};
use crate::stream::state::ChunkPlace;
use crate::stream::survey;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first chunk that is retained.
    First,
    /// With the last chunk of messages; as [`Start::Next`] if there is none.
    Last,
    /// With what is committed from now on.
    Next,
    /// With the chunk that holds this offset; the first one if it is not retained, and if it is
    /// not there yet with what is committed from now on.
    Offset(u64),
    /// With the first chunk that is not older, in milliseconds since 1970; as [`Start::Next`] if
    /// all are.
    Timestamp(i64),
}

/// The first and the last chunk of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkIds {
    /// The first offset of the first one.
    pub first: u64,
    /// The first offset of the last one.
    pub last: u64,
}

/// A place to begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    pub(crate) segment: u64,
    pub(crate) position: u64,
    /// The offset of what comes there.
    pub(crate) offset: u64,
    /// What is before it is not wanted.
    pub(crate) wanted: u64,
}

impl Stream {
    /// The first and the last chunk of messages that are committed; `None` if there is none.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn chunk_ids(&self) -> Result<Option<ChunkIds>> {
        let Some(last) = self.last_chunk()? else { return Ok(None) };
        let first = self.find(None, |record| record.header.kind == Kind::User, |_| false)?;
        let first = first.map_or(last.first_offset, |place| place.first_offset);
        Ok(Some(ChunkIds { first, last: last.first_offset }))
    }

    /// The last chunk of messages that is committed, by its first offset; `None` if there is none.
    /// As a rule it is known.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn last_chunk_id(&self) -> Result<Option<u64>> {
        Ok(self.last_chunk()?.map(|last| last.first_offset))
    }

    /// Where a reader begins.
    pub(crate) fn locate(&self, start: Start) -> Result<Located> {
        match start {
            Start::First => Ok(self.beginning()),
            Start::Next => Ok(self.end()),
            Start::Last => Ok(self.last_chunk()?.map_or_else(|| self.end(), Located::at)),
            Start::Offset(offset) => self.locate_offset(offset),
            Start::Timestamp(timestamp_ms) => self.locate_timestamp(timestamp_ms),
        }
    }

    fn beginning(&self) -> Located {
        let state = self.state.lock();
        let segment = state.segments.first().map_or(0, |first| first.name.place.segment);
        let offset = state.first_offset();
        Located { segment, position: 0, offset, wanted: offset }
    }

    fn end(&self) -> Located {
        let state = self.state.lock();
        let offset = state.committed;
        let last = state.segments.last();
        Located {
            segment: last.map_or(0, |last| last.name.place.segment),
            position: last.and_then(|last| last.end).map_or(0, |end| end.position),
            offset,
            wanted: offset,
        }
    }

    fn locate_offset(&self, offset: u64) -> Result<Located> {
        let end = self.end();
        if offset >= end.offset {
            return Ok(Located { wanted: offset, ..end });
        }
        let segment = self.state.lock().segments.holding(offset).copied();
        let Some(segment) = segment else { return Ok(self.beginning()) };
        let holds = |record: &Record| {
            record.header.kind == Kind::User && record.header.next_offset() > offset
        };
        let found = self.find(Some(segment), holds, |entry| entry.offset <= offset)?;
        let Some(found) = found else { return Ok(self.end()) };
        Ok(Located { wanted: offset.max(found.first_offset), ..Located::at(found) })
    }

    fn locate_timestamp(&self, timestamp_ms: i64) -> Result<Located> {
        self.know_all_ends()?;
        let state = self.state.lock();
        let is_reached = |segment: &&Segment| {
            segment.end.is_none_or(|end| end.timestamp_ms >= timestamp_ms && end.position > 0)
        };
        let segment = state.segments.iter().find(is_reached).copied();
        drop(state);
        let Some(segment) = segment else { return Ok(self.end()) };
        let is_new = |record: &Record| {
            record.header.kind == Kind::User && record.header.timestamp_ms >= timestamp_ms
        };
        let found = self.find(Some(segment), is_new, |e| e.timestamp_ms < timestamp_ms)?;
        Ok(found.map_or_else(|| self.end(), Located::at))
    }

    /// The last chunk of messages.
    fn last_chunk(&self) -> Result<Option<ChunkPlace>> {
        let state = self.state.lock();
        if let Some(last) = state.last_chunk
            && state.segments.iter().any(|known| known.name.place.segment == last.segment)
        {
            return Ok(Some(last));
        }
        let segments: Vec<Segment> = state.segments.iter().rev().copied().collect();
        drop(state);
        for segment in segments {
            let Some(end) = self.end_of(segment)? else { continue };
            // From a place from which on it cannot be far.
            let mut from = self.entry(segment, |_| true)?;
            loop {
                let found = self.last_chunk_from(segment, from, end.position)?;
                if found.is_some() {
                    let mut state = self.state.lock();
                    state.last_chunk = state.last_chunk.or(found);
                    return Ok(found);
                }
                if from == 0 {
                    break;
                }
                from = 0;
            }
        }
        Ok(None)
    }

    fn last_chunk_from(&self, segment: Segment, from: u64, end: u64) -> Result<Option<ChunkPlace>> {
        let mut last = None;
        self.walk(segment, from, end, |record| {
            if record.header.kind == Kind::User {
                last = Some(place(segment, record));
            }
            false
        })?;
        Ok(last)
    }

    /// The first chunk from the beginning of a segment on that is `wanted`. It is not before the
    /// last entry of the index that is `before` it.
    fn find(
        &self,
        segment: Option<Segment>,
        wanted: impl Fn(&Record) -> bool,
        before: impl Fn(&IndexEntry) -> bool,
    ) -> Result<Option<ChunkPlace>> {
        let mut number = segment.map_or(0, |segment| segment.name.place.segment);
        let mut is_first = true;
        loop {
            let Some(segment) = self.state.lock().segments.from(number).copied() else {
                return Ok(None);
            };
            let from = if is_first { self.entry(segment, &before)? } else { 0 };
            is_first = false;
            let mut found = None;
            if let Some(end) = self.end_of(segment)? {
                self.walk(segment, from, end.position, |record| {
                    found = wanted(record).then(|| place(segment, record));
                    found.is_some()
                })?;
            }
            if found.is_some() {
                return Ok(found);
            }
            number = segment.name.place.segment + 1;
        }
    }

    /// Where in a segment the last entry of the index is that is `before`; its beginning if none
    /// is.
    fn entry(&self, segment: Segment, before: impl Fn(&IndexEntry) -> bool) -> Result<u64> {
        let state = self.state.lock();
        if state.segments.is_last(segment.name.place.segment)
            && let Some(entry) = state.search_entries(&before)
        {
            return Ok(entry.position);
        }
        drop(state);
        let index = Index::open(&*self.shared.files.disk, segment.name)?;
        let found = index.map_or(Ok(None), |index| index.search(before))?;
        Ok(found.map_or(0, |entry| entry.position))
    }

    /// Goes through the records of a segment until told that it is enough.
    fn walk(
        &self,
        segment: Segment,
        from: u64,
        end: u64,
        mut each: impl FnMut(&Record) -> bool,
    ) -> Result<()> {
        let Some(file) = self.open(segment)? else { return Ok(()) };
        let mut scanner = Scanner::new(&*file, segment.name.place, from, end)?;
        while let Some(item) = scanner.next()? {
            if let Item::Record(record) = item
                && each(&record)
            {
                break;
            }
        }
        Ok(())
    }

    /// The chunks of a segment; `None` if it was removed meanwhile.
    pub(crate) fn open(&self, segment: Segment) -> io::Result<Option<Arc<dyn DiskFile>>> {
        match self.shared.files.chunks(segment.name) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.has(segment) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has(&self, segment: Segment) -> bool {
        let number = segment.name.place.segment;
        let state = self.state.lock();
        state.segments.from(number).is_some_and(|known| known.name == segment.name)
    }

    /// How a segment ends; `None` if it was removed meanwhile.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn end_of(&self, segment: Segment) -> io::Result<Option<End>> {
        let number = segment.name.place.segment;
        let state = self.state.lock();
        let Some(known) = state.segments.from(number).filter(|s| s.name == segment.name) else {
            return Ok(None);
        };
        if known.end.is_some() {
            return Ok(known.end);
        }
        let next_offset = state.segments.end_offset(number).unwrap_or(u64::MAX);
        drop(state);
        let disk = &*self.shared.files.disk;
        let index = Index::open(disk, segment.name)?;
        let noted = index.as_ref().map_or(Ok(None), Index::end)?;
        let end = match noted.filter(|entry| entry.offset == next_offset) {
            Some(IndexEntry { position, timestamp_ms, .. }) => End { position, timestamp_ms },
            None => {
                let Some(file) = self.open(segment)? else { return Ok(None) };
                let (end, entries) = read_whole(&*file, segment, next_offset)?;
                // For the next time. If it cannot be written it is read again then.
                drop(index);
                let _ = disk.remove(&segment.name.index());
                let _ = index::append(disk, segment.name, 0, &entries, true);
                end
            }
        };
        self.state.lock().segments.note_end(number, end);
        Ok(Some(end))
    }

    /// Looks at the ends of all segments that nobody has looked at.
    pub(crate) fn know_all_ends(&self) -> io::Result<()> {
        loop {
            let unknown = self.state.lock().segments.unknown();
            let Some((segment, _)) = unknown else { return Ok(()) };
            self.end_of(segment)?;
        }
    }
}

/// Finds out how a finished segment ends whose side file does not say so.
fn read_whole(
    file: &dyn DiskFile,
    segment: Segment,
    next_offset: u64,
) -> io::Result<(End, Vec<IndexEntry>)> {
    let mut scanner = Scanner::new(file, segment.name.place, 0, u64::MAX)?;
    let mut end = End { position: 0, timestamp_ms: i64::MIN };
    let mut entries: Vec<IndexEntry> = Vec::new();
    let mut offset = segment.name.first_offset;
    while let Some(item) = scanner.next()? {
        let Item::Record(record) = item else { continue };
        let Record { position, header, .. } = record;
        // What a segment holds that was given up is in the next one.
        if survey::ends(&record, next_offset) {
            break;
        }
        let is_checkpoint = header.kind == Kind::Checkpoint;
        let is_due = entries.last().is_none_or(|last| position - last.position >= INDEX_SPACING);
        if is_checkpoint || is_due {
            let kind = if is_checkpoint { EntryKind::Checkpoint } else { EntryKind::Chunk };
            let (offset, timestamp_ms) = (header.first_offset, header.timestamp_ms);
            entries.push(IndexEntry { kind, offset, timestamp_ms, position });
        }
        end.timestamp_ms = end.timestamp_ms.max(header.timestamp_ms);
        end.position = record.end();
        offset = header.next_offset();
    }
    if offset < next_offset {
        // Readers are to find that something is missing.
        end.position = file.len()?;
    }
    let End { position, timestamp_ms } = end;
    entries.push(IndexEntry { kind: EntryKind::End, offset: next_offset, timestamp_ms, position });
    Ok((end, entries))
}

fn place(segment: Segment, record: &Record) -> ChunkPlace {
    ChunkPlace {
        segment: segment.name.place.segment,
        position: record.position,
        first_offset: record.header.first_offset,
    }
}

impl Located {
    fn at(place: ChunkPlace) -> Self {
        let ChunkPlace { segment, position, first_offset } = place;
        Self { segment, position, offset: first_offset, wanted: first_offset }
    }
}
