//! Readers: each goes its own way through a stream, chunk by chunk.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::stream::Stream;
use crate::stream::bloom::ChunkFilter;
use crate::stream::chunk::{Chunk, Kind};
use crate::stream::locate::Start;
use crate::stream::record::{ALIGN, Parsed, Record};
use crate::stream::recovery;
use crate::stream::scan::{Item, Scanner};
use crate::stream::segments::Segment;

/// Octets that are read at a time, unless one chunk has more.
const READ_AHEAD: u64 = 64 << 10;

/// Reads a stream from some place on. It keeps no file open, and no memory but what was read
/// ahead.
pub struct StreamReader {
    stream: Arc<Stream>,
    segment: u64,
    position: u64,
    offset: u64,
    start: u64,
    /// What was read of the segment, and where it begins.
    ahead: Bytes,
    ahead_at: u64,
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StreamReader")
            .field("stream", &self.stream.id)
            .field("next_offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// What comes next in a stream.
enum Step {
    /// A chunk, which is not wanted if it is not there.
    Chunk(Record, Option<Chunk>),
    /// Something else was passed over.
    Passed,
    /// Nothing, at present.
    End,
}

impl Stream {
    /// A reader from a place on.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn reader(self: &Arc<Self>, start: Start) -> Result<StreamReader> {
        let located = self.locate(start)?;
        Ok(StreamReader {
            stream: Arc::clone(self),
            segment: located.segment,
            position: located.position,
            offset: located.offset,
            start: located.wanted,
            ahead: Bytes::new(),
            ahead_at: 0,
        })
    }
}

impl StreamReader {
    /// The next chunk of messages that is committed. `None` at the end, until
    /// [watchers](Stream::watch) are called; and if the stream is deleted. Where retention has
    /// removed what came next it goes on with the first chunk there is. A damaged chunk is
    /// passed over, and [reported](crate::StreamOptions::damaged).
    ///
    /// # Errors
    /// If the disk fails. The same chunk can be asked for again.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        self.next_matching(&ChunkFilter::default())
    }

    /// The same, passing over the chunks that a filter rules out.
    ///
    /// # Errors
    /// Those of [`StreamReader::next_chunk`].
    pub fn next_matching(&mut self, filter: &ChunkFilter) -> Result<Option<Chunk>> {
        loop {
            match self.step(filter)? {
                Step::Chunk(record, chunk) => {
                    self.position = record.end();
                    self.offset = record.header.next_offset();
                    if chunk.is_some() {
                        return Ok(chunk);
                    }
                }
                Step::Passed => {}
                Step::End => {
                    self.release();
                    return Ok(None);
                }
            }
        }
    }

    /// The first offset that was asked for: what is before it in its chunk is not wanted.
    pub fn start_offset(&self) -> u64 {
        self.start
    }

    /// The offset of what it reads next.
    pub fn next_offset(&self) -> u64 {
        self.offset
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Gives back what was read ahead. It goes on where it was.
    pub fn release(&mut self) {
        self.ahead = Bytes::new();
    }

    fn step(&mut self, filter: &ChunkFilter) -> Result<Step> {
        let state = self.stream.state.lock();
        let Some(segment) = state.segments.from(self.segment).copied() else {
            return Ok(Step::End);
        };
        let number = segment.name.place.segment;
        let is_last = state.segments.is_last(number);
        drop(state);
        if number != self.segment {
            // The one it was in is gone.
            (self.segment, self.position) = (number, 0);
            self.offset = self.offset.max(segment.name.first_offset);
            self.release();
        }
        let Some(end) = self.stream.end_of(segment)? else { return Ok(Step::Passed) };
        if self.position >= end.position {
            if is_last {
                return Ok(Step::End);
            }
            (self.segment, self.position) = (number + 1, 0);
            self.release();
            return Ok(Step::Passed);
        }
        self.read(segment, end.position, filter)
    }

    /// Reads what is at the position.
    fn read(&mut self, segment: Segment, end: u64, filter: &ChunkFilter) -> Result<Step> {
        let mut needed = READ_AHEAD.min(end - self.position);
        loop {
            let Some(octets) = self.octets(segment, needed, end)? else {
                return Ok(Step::Passed);
            };
            match Record::parse(&octets, segment.name.place, self.position) {
                Parsed::Record(record) if record.end() > end => break,
                Parsed::Record(record) if record.header.kind != Kind::User => {
                    self.position = record.end();
                    return Ok(Step::Passed);
                }
                Parsed::Record(record) if !filter.matches(record.filter(&octets)) => {
                    return Ok(Step::Chunk(record, None));
                }
                Parsed::Record(record) if record.span() <= octets.len() as u64 => {
                    if !record.data_is_sound(&octets) {
                        break;
                    }
                    let filter = octets.slice_ref(record.filter(&octets));
                    let (header, octets) = (record.header, octets.slice(record.chunk()));
                    return Ok(Step::Chunk(record, Some(Chunk { header, octets, filter })));
                }
                Parsed::Record(record) if record.span() > needed => needed = record.span(),
                Parsed::Short(more) => {
                    let more = more as u64;
                    if more <= needed || self.position + more > end {
                        break;
                    }
                    needed = more;
                }
                // The file is shorter than it was.
                Parsed::Record(_) | Parsed::Nothing => break,
            }
        }
        self.pass_damage(segment, end)?;
        Ok(Step::Passed)
    }

    /// At least so many octets from the position on, as far as they were committed; more if they
    /// were read already. `None` if the segment was removed.
    fn octets(&mut self, segment: Segment, needed: u64, end: u64) -> Result<Option<Bytes>> {
        let known = self.ahead_at..self.ahead_at + self.ahead.len() as u64;
        let is_known = known.contains(&self.position)
            && (known.end - self.position >= needed || self.has_record(segment));
        if !is_known {
            let Some(file) = self.stream.open(segment)? else { return Ok(None) };
            let mut octets = vec![0; needed.min(end - self.position) as usize];
            match file.read_at(&mut octets, self.position) {
                Ok(()) => {}
                // It ends before it should: the rest is damaged.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    octets.truncate(file.len()?.saturating_sub(self.position) as usize);
                    if !octets.is_empty() {
                        file.read_at(&mut octets, self.position)?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            (self.ahead, self.ahead_at) = (octets.into(), self.position);
        }
        let at = (self.position - self.ahead_at) as usize;
        Ok(Some(self.ahead.slice(at..)))
    }

    /// Whether what was read has all of the next record.
    fn has_record(&self, segment: Segment) -> bool {
        let at = (self.position - self.ahead_at) as usize;
        let octets = self.ahead.get(at..).unwrap_or_default();
        match Record::parse(octets, segment.name.place, self.position) {
            Parsed::Record(record) => record.span() <= octets.len() as u64,
            _ => false,
        }
    }

    /// Goes on behind what is no record.
    fn pass_damage(&mut self, segment: Segment, end: u64) -> Result<()> {
        let from = self.position;
        self.release();
        self.position = end;
        if let Some(file) = self.stream.open(segment)? {
            // A record whose data is damaged still says where it ends.
            let place = segment.name.place;
            let scanner = Scanner::new(&*file, place, from, end)?;
            let mut scanner = scanner.checking_data();
            if let Some(Item::Hole(hole)) = scanner.next()? {
                self.position = hole.end.next_multiple_of(ALIGN);
                let damage = recovery::damage(segment.name, &hole);
                self.stream.report(place.segment, &damage);
            }
        }
        Ok(())
    }
}
