//! Looks at streams that are not open, and changes nothing.

use std::io;
use std::ops::Range;

use crate::disk::Disk;
use crate::error::Result;
use crate::key::QueueId;
use crate::log::Damage;
use crate::stream::files::SegmentName;
use crate::stream::recovery::{self, Survey, holds_something};
use crate::stream::scan::Scanner;

/// A stream on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundStream {
    /// Its number.
    pub id: QueueId,
    /// Number of its segments.
    pub segments: usize,
    /// Octets of their files.
    pub octets: u64,
    /// The first offset that is retained.
    pub first_offset: u64,
    /// The offset of the next message.
    pub next_offset: u64,
    /// Offsets that are kept by a name.
    pub offsets: Vec<(String, u64)>,
    /// What a crash has left half written in the last segment.
    pub torn: Vec<Damage>,
    /// What was committed and is lost, as far as the last segment was read.
    pub damage: Vec<Damage>,
}

/// The streams on a disk, read as when they are opened.
///
/// # Errors
/// If the disk fails. Damage is not an error.
pub fn inspect_streams(disk: &dyn Disk) -> Result<Vec<FoundStream>> {
    let names = recovery::list(disk)?;
    let mut found = Vec::new();
    for names in names.chunk_by(|a, b| a.place.stream == b.place.stream) {
        let (Some(first), Some(&last)) = (names.first(), names.last()) else { continue };
        let file = disk.open(&last.chunks(), false)?;
        let (survey, _) = recovery::survey(disk, names)?;
        let damage = |hole| recovery::damage(last, hole);
        let torn = survey.torn.iter().filter(|hole| holds_something(&*file, hole));
        let offsets = survey.tail.tracking.offsets();
        found.push(FoundStream {
            id: last.place.stream,
            segments: names.len(),
            octets: octets(disk, names)?,
            first_offset: first.first_offset,
            next_offset: survey.tail.next_offset,
            offsets: offsets.map(|(name, offset)| (name.as_str().to_owned(), offset)).collect(),
            torn: torn.map(damage).collect(),
            damage: survey.damage.iter().map(damage).collect(),
        });
    }
    Ok(found)
}

fn octets(disk: &dyn Disk, names: &[SegmentName]) -> io::Result<u64> {
    names.iter().map(|name| disk.open(&name.chunks(), false)?.len()).sum()
}

/// Reads every segment of every stream, messages included, and tells what is damaged. What a crash
/// has left half written at the end of a stream is none, nor is what is left of streams that are
/// gone.
///
/// # Errors
/// If the disk fails. Damage is not an error.
pub fn verify_streams(disk: &dyn Disk, is_gone: &dyn Fn(QueueId) -> bool) -> Result<Vec<Damage>> {
    let mut names = recovery::list(disk)?;
    names.retain(|name| !is_gone(name.place.stream));
    let mut found = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let next = names.get(at + 1).filter(|next| next.place.stream == name.place.stream);
        let holes = damage(disk, *name, next.map(|next| next.first_offset))?;
        found.extend(holes.iter().map(|hole| recovery::damage(*name, hole)));
    }
    Ok(found)
}

/// Damage of a segment, which ends with an offset unless it is the last one.
fn damage(
    disk: &dyn Disk,
    name: SegmentName,
    end_offset: Option<u64>,
) -> io::Result<Vec<Range<u64>>> {
    let file = disk.open(&name.chunks(), false)?;
    let mut scanner = Scanner::new(&*file, name.place, 0, u64::MAX)?.checking_data();
    let mut survey = Survey::new(0, name.first_offset);
    survey.read(&mut scanner, end_offset)?;
    Ok(survey.damage)
}
