//! Finds the records of a segment by reading all of it.

use crate::disk::DiskFile;
use crate::error::Result;
use crate::log::content::Content;
use crate::log::frame::{ALIGN, CUT, HEADER, Header};

/// Octets that are read at a time.
const WINDOW: usize = 1 << 20;

/// A record that was found.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) offset: u64,
    pub(crate) span: u32,
    pub(crate) group: u64,
    pub(crate) ordinal: u32,
    pub(crate) last: bool,
    pub(crate) content: Content,
}

impl Record {
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.span)
    }
}

/// A place where no record is although one should or could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Nothing behind this looks as if it had been a record.
    pub(crate) broken_to: u64,
}

impl Hole {
    pub(crate) fn new(from: u64, to: u64) -> Self {
        Self { from, to, broken_to: to }
    }
}

/// What a segment holds.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) records: Vec<Record>,
    /// Between records, in order; the last one may be behind the last record.
    pub(crate) holes: Vec<Hole>,
}

impl Scanned {
    pub(crate) fn used(&self) -> u64 {
        self.records.last().map_or(0, Record::end)
    }

    /// Forgets what is behind this.
    pub(crate) fn end_at(&mut self, end: u64) {
        self.records.retain(|record| record.offset < end);
        self.holes.retain(|hole| hole.from < end);
        for hole in &mut self.holes {
            hole.to = hole.to.min(end);
            hole.broken_to = hole.broken_to.min(hole.to);
        }
    }

    pub(crate) fn last_group(&self) -> u64 {
        self.records.iter().map(|record| record.group).max().unwrap_or(0)
    }
}

/// A window on a file that moves forward.
struct Window<'a> {
    file: &'a dyn DiskFile,
    length: u64,
    begin: u64,
    octets: Vec<u8>,
}

impl Window<'_> {
    /// Up to `wanted` octets from `offset` on, fewer at the end of the file.
    fn at(&mut self, offset: u64, wanted: usize) -> Result<&[u8]> {
        let rest = self.length.saturating_sub(offset);
        let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(wanted);
        let held = offset.checked_sub(self.begin).and_then(|skip| usize::try_from(skip).ok());
        let held = held.filter(|skip| skip + wanted <= self.octets.len());
        let skip = match held {
            Some(skip) => skip,
            None => {
                let filled = usize::try_from(rest).unwrap_or(usize::MAX).min(wanted.max(WINDOW));
                self.octets.resize(filled, 0);
                self.begin = offset;
                self.file.read_at(&mut self.octets, offset)?;
                0
            }
        };
        Ok(self.octets.get(skip..skip + wanted).unwrap_or_default())
    }
}

/// What is found at a place.
enum Found {
    Record(Box<Record>),
    /// Nothing, but it may have been one.
    Broken,
    Cut,
    Nothing,
}

fn look(window: &mut Window<'_>, segment: u64, offset: u64) -> Result<Found> {
    let octets = window.at(offset, HEADER)?;
    if octets.starts_with(&CUT) {
        return Ok(Found::Cut);
    }
    let Some(header) = Header::parse(octets, segment) else { return Ok(Found::Nothing) };
    let octets = window.at(offset, HEADER + header.head)?;
    if !header.head_is_sound(octets, segment, offset) {
        return Ok(Found::Broken);
    }
    let octets = window.at(offset, header.span())?;
    let sound = octets.len() == header.span() && header.body_is_sound(octets);
    let head = header.head_of(octets).filter(|_| sound);
    let content = head.and_then(|head| Content::decode(header.kind, head));
    Ok(content.map_or(Found::Broken, |content| {
        Found::Record(Box::new(Record {
            offset,
            span: header.span() as u32,
            group: header.group,
            ordinal: header.ordinal,
            last: header.last,
            content,
        }))
    }))
}

/// Reads a segment.
///
/// # Errors
/// If the medium fails. Damage is not an error.
pub(crate) fn scan(file: &dyn DiskFile, segment: u64) -> Result<Scanned> {
    let length = file.len()?;
    let mut window = Window { file, length, begin: 0, octets: Vec::new() };
    let mut scanned = Scanned::default();
    let mut offset = 0;
    // Where records ended, and up to where something since looks as if it had been one.
    let mut hole: Option<(u64, Option<u64>)> = None;
    while offset + HEADER as u64 <= length {
        match look(&mut window, segment, offset)? {
            Found::Record(record) => {
                if let Some((from, _)) = hole.take() {
                    scanned.holes.push(Hole::new(from, offset));
                }
                offset = record.end();
                scanned.records.push(*record);
            }
            Found::Cut => {
                if let Some((from, _)) = hole.take_if(|(_, broken)| broken.is_some()) {
                    scanned.holes.push(Hole::new(from, offset));
                }
                // A record behind it is one that a start which was cut off has yet to cut.
                hole.get_or_insert((offset, None));
                offset += ALIGN as u64;
            }
            Found::Broken => {
                hole.get_or_insert((offset, None)).1 = Some(offset + HEADER as u64);
                offset += ALIGN as u64;
            }
            Found::Nothing => {
                hole.get_or_insert((offset, None));
                offset += ALIGN as u64;
            }
        }
    }
    if let Some((from, Some(broken_to))) = hole {
        scanned.holes.push(Hole { from, to: length, broken_to });
    }
    Ok(scanned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::log::batch::LogBatch;
    use crate::testing::SimulatedDisk;

    /// Three settlements in a row, the second with these octets at its beginning instead.
    fn with_second(octets: &[u8]) -> Scanned {
        let file = SimulatedDisk::new(1).open("log", true).unwrap();
        let mut offset = 0;
        for at in 0..3 {
            let mut batch = LogBatch::new();
            batch.purged(1, at);
            batch.stamp(1, offset, 7);
            file.write_at(batch.as_octets(), offset).unwrap();
            let end = offset + batch.octets() as u64;
            if at == 1 {
                let octets = octets.iter().copied().cycle().take(batch.octets());
                file.write_at(&octets.collect::<Vec<_>>(), offset).unwrap();
            }
            offset = end;
        }
        scan(&*file, 1).unwrap()
    }

    #[test]
    fn a_record_behind_what_was_cut_off_is_behind_a_hole() {
        for octets in [&CUT[..], b"whatever", b"whatever\0LVRTCUT"] {
            let scanned = with_second(octets);
            let [before, after] = scanned.records.as_slice() else { panic!("{scanned:?}") };
            assert_eq!(scanned.holes, [Hole::new(before.end(), after.offset)]);
        }
    }
}
