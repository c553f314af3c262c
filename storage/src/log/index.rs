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
use crate::log::content::{Content, Range, Target};
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
            // Recovery takes the mark away, so that it stands for one stop.
            Content::CleanStop => {}
        }
    }

    /// Writes the side file. It is not synced.
    pub(crate) fn write(
        mut self,
        disk: &dyn Disk,
        segment: u64,
        used: u64,
        last_group: u64,
    ) -> Result<()> {
        let prefix = [segment.to_le_bytes(), used.to_le_bytes(), last_group.to_le_bytes()].concat();
        let prefix = [MAGIC.as_slice(), &prefix].concat();
        self.octets.iter_mut().zip(prefix).for_each(|(to, from)| *to = from);
        self.octets.extend_from_slice(&crc32fast::hash(&self.octets).to_le_bytes());
        disk.open(&index_name(segment), true)?.write_at(&self.octets, 0)?;
        Ok(())
    }
}

/// What a side file says.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) records: Vec<Record>,
    pub(crate) used: u64,
    pub(crate) last_group: u64,
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
    Ok(decode(&octets, segment))
}

fn decode(octets: &[u8], segment: u64) -> Option<Index> {
    let (covered, checksum) = octets.split_last_chunk::<CHECKSUM>()?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (magic, rest) = covered.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (used, rest) = rest.split_first_chunk::<8>()?;
    let (last_group, mut rest) = rest.split_first_chunk::<8>()?;
    if magic != MAGIC || u64::from_le_bytes(*number) != segment {
        return None;
    }
    let (used, last_group) = (u64::from_le_bytes(*used), u64::from_le_bytes(*last_group));
    let mut records = Vec::new();
    let mut end = 0_u64;
    while !rest.is_empty() {
        let record = decode_record(&mut rest, end, last_group)?;
        end = record.end();
        records.push(record);
    }
    (end <= used).then_some(Index { records, used, last_group })
}

fn decode_record(rest: &mut &[u8], end: u64, group: u64) -> Option<Record> {
    let offset = take(rest)?.checked_mul(ALIGN as u64)?.checked_add(end)?;
    let span = u32::try_from(take(rest)?.checked_mul(ALIGN as u64)?).ok()?;
    let (&kind, after) = rest.split_first()?;
    *rest = after;
    let content = match Kind::from_number(kind)? {
        Kind::Message => {
            let mut targets = Vec::new();
            for _ in 0..take(rest)? {
                targets.push(Target { queue: take(rest)?, sequence: take(rest)? });
            }
            let length = usize::try_from(take(rest)?).ok()?;
            let (meta, after) = rest.split_at_checked(length)?;
            *rest = after;
            Content::Message { targets, meta: meta.into() }
        }
        Kind::Settled => {
            let mut ranges = Vec::new();
            for _ in 0..take(rest)? {
                let (queue, first) = (take(rest)?, take(rest)?);
                ranges.push(Range { queue, first, last: first.wrapping_add(take(rest)?) });
            }
            Content::Settled(ranges)
        }
        Kind::CleanStop => Content::CleanStop,
    };
    offset.checked_add(u64::from(span))?;
    Some(Record { offset, span, group, ordinal: 0, last: true, content })
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
