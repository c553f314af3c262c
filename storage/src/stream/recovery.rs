//! Opens the segments of a stream that are there: finds where the last one ends, cuts off what a
//! crash left half written, and reports what is damaged.
//!
//! All but the last segment were synced before the next one was begun, and end where that begins:
//! nothing is read of them. Of the last one what follows the last entry of the index that says so
//! is read; everything that is kept by name is there.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::Result;
use crate::key::QueueId;
use crate::log::{Damage, Durability};
use crate::stream::engine::{Active, Engine};
use crate::stream::files::{FileName, Files, SegmentName};
use crate::stream::missing::missing;
use crate::stream::options::StreamSettings;
use crate::stream::progress::{self, ProgressFile};
use crate::stream::segments::{End, Segment, Segments};
use crate::stream::state::{ChunkPlace, State};
use crate::stream::survey::{Survey, Tail, survey};
use crate::stream::tracking::Tracking;

/// What is written over places that are cut off.
pub(crate) const CUT: &[u8; 8] = b"\0LVRTCUT";

/// What was found when a stream was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredStream {
    /// What a crash left half written, which was cut off. Nothing of it was ever committed.
    pub torn: Vec<Damage>,
    /// What was committed and is lost, as far as it was read. Other chunks are kept.
    pub damage: Vec<Damage>,
}

/// The streams on a disk with their segments in order, those among them of which nothing else is
/// left than how far they were.
///
/// # Errors
/// If the disk fails.
pub(crate) fn list(disk: &dyn Disk) -> io::Result<BTreeMap<QueueId, Vec<SegmentName>>> {
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for name in disk.list()? {
        match FileName::parse(&name) {
            Some(FileName::Chunks(name)) => {
                streams.entry(name.place.stream).or_default().push(name);
            }
            Some(FileName::Progress(stream)) => drop(streams.entry(stream).or_default()),
            Some(FileName::Index(_)) | None => {}
        }
    }
    streams.values_mut().for_each(|segments| segments.sort_unstable());
    Ok(streams)
}

/// Side files on a disk whose segments are gone.
///
/// # Errors
/// If the disk fails.
pub(crate) fn remove_orphans(
    disk: &dyn Disk,
    streams: &BTreeMap<QueueId, Vec<SegmentName>>,
) -> io::Result<()> {
    for name in disk.list()? {
        if let Some(FileName::Index(segment)) = FileName::parse(&name)
            && streams
                .get(&segment.place.stream)
                .is_none_or(|segments| segments.binary_search(&segment).is_err())
        {
            disk.remove(&name)?;
        }
    }
    Ok(())
}

/// A stream that is opened.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) state: State,
    pub(crate) progress: ProgressFile,
    pub(crate) recovered: RecoveredStream,
}

/// Opens a stream with these segments, which are in order; or begins one if there are none.
///
/// # Errors
/// If the disk fails.
pub(crate) fn open(
    files: Arc<Files>,
    durability: Durability,
    settings: StreamSettings,
    stream: u64,
    names: &[SegmentName],
) -> Result<Opened> {
    let said = progress::read(&*files.disk, stream)?;
    let progress = ProgressFile::new(files.disk.clone(), stream, said);
    let said = said.map(|(_, said)| said);
    let mut recovered =
        RecoveredStream { damage: missing(names, said.as_ref()), ..RecoveredStream::default() };
    let mut engine = Engine::new(files.clone(), durability, stream, said.as_ref());
    let Some(&last) = names.last() else {
        let next_offset = engine.next_offset;
        let segments = Segments::default();
        let state = State::new(settings, segments, next_offset, i64::MIN, Tracking::default());
        return Ok(Opened { engine, state, progress, recovered });
    };
    let file = files.disk.open(&last.chunks(), false)?;
    let (survey, entries) = survey(&*files.disk, names, said.as_ref())?;
    cut_off(&*file, &survey)?;
    let allocated = file.len()?;
    let damage = |hole: &Range<u64>| damage(last, hole);
    recovered.damage.extend(survey.damage.iter().map(damage));
    // What was allocated and never written is none.
    let written = survey.behind.last().is_some();
    let torn = survey.torn.iter().filter(|hole| written || holds_something(&*file, hole));
    recovered.torn = torn.map(damage).collect();

    let Tail { end, next_offset, timestamp_ms, tracking, last_chunk, .. } = survey.tail;
    let next_offset = next_offset.max(engine.next_offset);
    let active = Active {
        name: last,
        file,
        used: end,
        begun: 0,
        allocated: allocated.max(end),
        syncs: survey.tail.group,
        synced: end,
        since_entry: u64::MAX,
        since_checkpoint: if end == 0 { u64::MAX } else { survey.tail.since_checkpoint },
    };
    // The one behind it is missing: nothing more is written to this one.
    engine.active = Some(active).filter(|_| engine.next_segment <= last.place.segment + 1);
    engine.next_segment = engine.next_segment.max(last.place.segment + 1);
    engine.tracking = tracking.clone();
    engine.next_offset = next_offset;
    let mut list: VecDeque<_> = names.iter().map(|&name| Segment { name, end: None }).collect();
    if let Some(segment) = list.back_mut() {
        segment.end = Some(End { position: end, timestamp_ms });
    }
    let segments = Segments::new(list, entries);
    engine.last_timestamp_ms = timestamp_ms;
    let mut state = State::new(settings, segments, next_offset, timestamp_ms, tracking);
    let segment = last.place.segment;
    state.last_chunk =
        last_chunk.map(|(position, first_offset)| ChunkPlace { segment, position, first_offset });
    Ok(Opened { engine, state, progress, recovered })
}

/// Sees to it that nothing behind the end is ever taken for a record, and that what is before it
/// stays.
fn cut_off(file: &dyn DiskFile, survey: &Survey) -> io::Result<()> {
    for position in &survey.behind {
        file.write_at(CUT, *position)?;
    }
    if survey.tail.end > 0 || !survey.behind.is_empty() {
        file.sync()?;
    }
    Ok(())
}

pub(crate) fn damage(name: SegmentName, hole: &Range<u64>) -> Damage {
    Damage { file: name.chunks(), offset: hole.start, octets: hole.end - hole.start }
}

/// Whether a part of a file is something else than zeros.
pub(crate) fn holds_something(file: &dyn DiskFile, range: &Range<u64>) -> bool {
    const STEP: u64 = 64 << 10;
    let mut position = range.start;
    let mut octets = Vec::new();
    while position < range.end {
        octets.resize((range.end - position).min(STEP) as usize, 0);
        if file.read_at(&mut octets, position).is_err() || octets.iter().any(|octet| *octet != 0) {
            return true;
        }
        position += octets.len() as u64;
    }
    false
}
