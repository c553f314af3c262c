//! The side file of a segment: what its records say, without the payloads.
//!
//! ```text
//! "LVRTIDX1", segment (u64), octets used (u64), last group (u64)
//! per record: gap before it and its span, both in units of 8 octets; kind; then
//!   message: number of targets, per target queue and sequence; length of meta, meta
//!   settled: number of ranges, per range queue, first, last - first
//! CRC-32 of all that (u32)
//! ```
//!
//! Numbers of records are unsigned LEB128. A side file that is missing or damaged costs no more
//! than reading the segment: nothing relies on it.

use crate::disk::{Disk, DiskFile};
use crate::error::Result;
use crate::log::content::{self, Content, Range, Target};
use crate::log::frame::{ALIGN, Kind};
use crate::log::scan::Record;
use crate::log::segment::index_name;

const MAGIC: &[u8; 8] = b"LVRTIDX1";
const PREFIX: usize = 32;
const CHECKSUM: usize = 4;

/// A side file that is being made.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    octets: Vec<u8>,
    end: u64,
}

impl IndexBuilder {
    pub(crate) fn new() -> Self {
        Self { octets: vec![0; PREFIX], end: 0 }
    }

    fn begin(&mut self, offset: u64, span: u64, kind: Kind) {
        put(&mut self.octets, offset.saturating_sub(self.end) / ALIGN as u64);
        put(&mut self.octets, span / ALIGN as u64);
        self.octets.push(kind as u8);
        self.end = offset + span;
    }

    pub(crate) fn message(
        &mut self,
        offset: u64,
        span: u64,
        targets: impl Iterator<Item = Target> + Clone,
        meta: &[u8],
    ) {
        self.begin(offset, span, Kind::Message);
        put(&mut self.octets, targets.clone().count() as u64);
        for target in targets {
            put(&mut self.octets, target.queue);
            put(&mut self.octets, target.sequence);
        }
        put(&mut self.octets, meta.len() as u64);
        self.octets.extend_from_slice(meta);
    }

    pub(crate) fn settled(
        &mut self,
        offset: u64,
        span: u64,
        ranges: impl Iterator<Item = Range> + Clone,
    ) {
        self.begin(offset, span, Kind::Settled);
        put(&mut self.octets, ranges.clone().count() as u64);
        for range in ranges {
            put(&mut self.octets, range.queue);
            put(&mut self.octets, range.first);
            put(&mut self.octets, range.last.wrapping_sub(range.first));
        }
    }

    pub(crate) fn record(&mut self, record: &Record) {
        let span = u64::from(record.span);
        match &record.content {
            Content::Message { targets, meta } => {
                self.message(record.offset, span, targets.iter().copied(), meta);
            }
            Content::Settled(ranges) => {
                self.settled(record.offset, span, ranges.iter().copied());
            }
            Content::CleanStop => {}
        }
    }

    /// The next record, and moves the position behind it.
    pub(crate) fn next(&self, position: &mut Position) -> Option<Entry<'_>> {
        position.next(self.octets.get(PREFIX..)?)
    }

    /// Adds a record by its head.
    pub(crate) fn head(&mut self, kind: Kind, offset: u64, span: usize, head: &[u8]) {
        let span = span as u64;
        match kind {
            Kind::Message => {
                if let Some((targets, meta)) = content::targets_and_meta(head) {
                    self.message(offset, span, targets, meta);
                }
            }
            Kind::Settled => {
                if let Some(ranges) = content::ranges(head) {
                    self.settled(offset, span, ranges);
                }
            }
            // Recovery takes the mark away, so that it stands for one stop.
            Kind::CleanStop => {}
        }
    }

    /// The finished side file.
    pub(crate) fn finish(mut self, segment: u64, used: u64, last_group: u64) -> Index {
        let prefix = [segment.to_le_bytes(), used.to_le_bytes(), last_group.to_le_bytes()].concat();
        let prefix = [MAGIC.as_slice(), &prefix].concat();
        self.octets.iter_mut().zip(prefix).for_each(|(to, from)| *to = from);
        self.octets.extend_from_slice(&crc32fast::hash(&self.octets).to_le_bytes());
        self.octets.shrink_to_fit();
        Index { octets: self.octets, used, last_group }
    }
}

/// A side file. Its records stay encoded: a few octets each.
#[derive(Debug)]
pub(crate) struct Index {
    octets: Vec<u8>,
    pub(crate) used: u64,
    pub(crate) last_group: u64,
}

/// What a side file says of a record.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) offset: u64,
    pub(crate) span: u32,
    pub(crate) content: EntryContent<'a>,
}

impl Entry<'_> {
    fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.span))
    }
}

#[derive(Clone, Debug)]
pub(crate) enum EntryContent<'a> {
    Message { targets: Targets<'a>, meta: &'a [u8] },
    Settled(Ranges<'a>),
    CleanStop,
}

/// Encoded targets.
#[derive(Clone, Debug)]
pub(crate) struct Targets<'a>(&'a [u8]);

impl Iterator for Targets<'_> {
    type Item = Target;

    fn next(&mut self) -> Option<Target> {
        Some(Target { queue: take(&mut self.0)?, sequence: take(&mut self.0)? })
    }
}

/// Encoded ranges.
#[derive(Clone, Debug)]
pub(crate) struct Ranges<'a>(&'a [u8]);

impl Iterator for Ranges<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        let (queue, first) = (take(&mut self.0)?, take(&mut self.0)?);
        Some(Range { queue, first, last: first.wrapping_add(take(&mut self.0)?) })
    }
}

/// How far the records of a side file were walked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Position {
    at: usize,
    end: u64,
}

impl Position {
    fn next<'a>(&mut self, records: &'a [u8]) -> Option<Entry<'a>> {
        let mut rest = records.get(self.at..)?;
        let entry = decode_entry(&mut rest, self.end)?;
        *self = Self { at: records.len() - rest.len(), end: entry.end() };
        Some(entry)
    }
}

impl Index {
    /// The checksum that it ends with; never 0, which stands for none.
    pub(crate) fn checksum(&self) -> u32 {
        self.octets.last_chunk().map_or(0, |checksum| u32::from_le_bytes(*checksum)).max(1)
    }

    /// Writes it. It is not synced.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn write(&self, disk: &dyn Disk, segment: u64) -> Result<()> {
        disk.open(&index_name(segment), true)?.write_at(&self.octets, 0)?;
        Ok(())
    }

    /// The next record, and moves the position behind it.
    pub(crate) fn next(&self, position: &mut Position) -> Option<Entry<'_>> {
        let records = self.octets.get(PREFIX..self.octets.len().saturating_sub(CHECKSUM))?;
        position.next(records)
    }

    /// All records, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut position = Position::default();
        std::iter::from_fn(move || self.next(&mut position))
    }

    /// Every settlement.
    pub(crate) fn settlements(&self) -> impl Iterator<Item = Range> {
        self.entries()
            .filter_map(|entry| match entry.content {
                EntryContent::Settled(ranges) => Some(ranges),
                EntryContent::Message { .. } | EntryContent::CleanStop => None,
            })
            .flatten()
    }

    /// Takes the octets of a side file, if they are in order.
    fn check(octets: Vec<u8>, segment: u64) -> Option<Self> {
        let (covered, checksum) = octets.split_last_chunk::<CHECKSUM>()?;
        if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (magic, rest) = covered.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (used, rest) = rest.split_first_chunk::<8>()?;
        let (last_group, records) = rest.split_first_chunk::<8>()?;
        if magic != MAGIC || u64::from_le_bytes(*number) != segment {
            return None;
        }
        let (used, last_group) = (u64::from_le_bytes(*used), u64::from_le_bytes(*last_group));
        let (mut rest, mut end) = (records, 0);
        while !rest.is_empty() {
            end = decode_entry(&mut rest, end)?.end();
        }
        (end <= used).then_some(Self { octets, used, last_group })
    }
}

/// Reads a side file; none if it is not in order.
///
/// # Errors
/// If the medium fails.
pub(crate) fn read(file: &dyn DiskFile, segment: u64) -> Result<Option<Index>> {
    // 1 GiB: more than the records of the largest segment say.
    let length = file.len()?;
    if !((PREFIX + CHECKSUM) as u64..1 << 30).contains(&length) {
        return Ok(None);
    }
    let mut octets = vec![0; length as usize];
    file.read_at(&mut octets, 0)?;
    Ok(Index::check(octets, segment))
}

fn decode_entry<'a>(rest: &mut &'a [u8], end: u64) -> Option<Entry<'a>> {
    let offset = take(rest)?.checked_mul(ALIGN as u64)?.checked_add(end)?;
    let span = u32::try_from(take(rest)?.checked_mul(ALIGN as u64)?).ok()?;
    let (&kind, after) = rest.split_first()?;
    *rest = after;
    let content = match Kind::from_number(kind)? {
        Kind::Message => {
            let targets = Targets(take_numbers(rest, 2)?);
            let length = usize::try_from(take(rest)?).ok()?;
            let (meta, after) = rest.split_at_checked(length)?;
            *rest = after;
            EntryContent::Message { targets, meta }
        }
        Kind::Settled => EntryContent::Settled(Ranges(take_numbers(rest, 3)?)),
        Kind::CleanStop => EntryContent::CleanStop,
    };
    offset.checked_add(u64::from(span))?;
    Some(Entry { offset, span, content })
}

/// The octets of a counted list whose items have so many numbers each.
fn take_numbers<'a>(rest: &mut &'a [u8], each: u64) -> Option<&'a [u8]> {
    let numbers = take(rest)?.checked_mul(each)?;
    let all = *rest;
    for _ in 0..numbers {
        take(rest)?;
    }
    all.get(..all.len() - rest.len())
}

fn put(octets: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

fn take(octets: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7F) << shift;
        if octet < 0x80 {
            return Some(number);
        }
    }
    None
}
