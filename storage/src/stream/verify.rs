//! Looks at streams that are not open, and changes nothing.

use std::io;
use std::ops::Range;

use crate::disk::Disk;
use crate::error::Result;
use crate::key::QueueId;
use crate::log::Damage;
use crate::stream::files::SegmentName;
use crate::stream::missing::missing;
use crate::stream::progress;
use crate::stream::recovery::{self, holds_something};
use crate::stream::scan::Scanner;
use crate::stream::survey::{self, Known, Survey};

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
    let mut found = Vec::new();
    for (id, names) in recovery::list(disk)? {
        let said = progress::read(disk, id)?.map(|(_, said)| said);
        let next_offset = said.map_or(0, |said| said.next_offset);
        let (survey, _) = survey::survey(disk, &names, said.as_ref())?;
        let mut stream = FoundStream {
            id,
            segments: names.len(),
            octets: octets(disk, &names)?,
            first_offset: names.first().map_or(next_offset, |first| first.first_offset),
            next_offset: survey.tail.next_offset.max(next_offset),
            damage: missing(&names, said.as_ref()),
            ..FoundStream::default()
        };
        if let Some(&last) = names.last() {
            let file = disk.open(&last.chunks(), false)?;
            let damage = |hole| recovery::damage(last, hole);
            let torn = survey.torn.iter().filter(|hole| holds_something(&*file, hole));
            let offsets = survey.tail.tracking.offsets();
            stream.offsets = offsets.map(|(name, at)| (name.as_str().to_owned(), at)).collect();
            stream.torn = torn.map(damage).collect();
            stream.damage.extend(survey.damage.iter().map(damage));
        }
        found.push(stream);
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
    let mut streams = recovery::list(disk)?;
    streams.retain(|id, _| !is_gone(*id));
    let mut found = Vec::new();
    for (id, names) in streams {
        let said = progress::read(disk, id)?.map(|(_, said)| said);
        found.extend(missing(&names, said.as_ref()));
        for (at, name) in names.iter().enumerate() {
            let known = match names.get(at + 1) {
                Some(next) => Known::up_to(next.first_offset),
                None => Known::of_last(*name, said.as_ref()),
            };
            let holes = damage(disk, *name, known)?;
            found.extend(holes.iter().map(|hole| recovery::damage(*name, hole)));
        }
    }
    Ok(found)
}

/// Damage of a segment.
fn damage(disk: &dyn Disk, name: SegmentName, known: Known) -> io::Result<Vec<Range<u64>>> {
    let file = disk.open(&name.chunks(), false)?;
    let mut scanner = Scanner::new(&*file, name.place, 0, u64::MAX)?.checking_data();
    let mut survey = Survey::new(0, name.first_offset);
    survey.read(&mut scanner, known)?;
    Ok(survey.damage)
}
