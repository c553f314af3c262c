//! Opens the segments of a stream that are there: finds where the last one ends, cuts off what a
//! crash left half written, and reports what is damaged.
//!
//! All but the last segment were synced before the next one was begun, and end where that begins:
//! nothing is read of them. Of the last one what follows the last entry of the index that says so
//! is read; everything that is kept by name is there.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::Result;
use crate::log::{Damage, Durability};
use crate::stream::chunk::Kind;
use crate::stream::engine::{Active, Engine};
use crate::stream::files::{FileName, Files, SegmentName};
use crate::stream::index::{EntryKind, Index, IndexEntry};
use crate::stream::options::StreamSettings;
use crate::stream::record::{Group, Record};
use crate::stream::scan::{Item, Scanner};
use crate::stream::segments::{End, Segment, Segments};
use crate::stream::state::{ChunkPlace, State};
use crate::stream::tracking::{Tracking, changes};

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

/// The segments on a disk, by stream and number.
///
/// # Errors
/// If the disk fails.
pub(crate) fn list(disk: &dyn Disk) -> io::Result<Vec<SegmentName>> {
    let names = disk.list()?.into_iter();
    let chunks = names.filter_map(|name| match FileName::parse(&name)? {
        FileName::Chunks(name) => Some(name),
        FileName::Index(_) => None,
    });
    let mut chunks: Vec<_> = chunks.collect();
    chunks.sort_unstable();
    Ok(chunks)
}

/// Side files on a disk whose segments are gone.
///
/// # Errors
/// If the disk fails.
pub(crate) fn remove_orphans(disk: &dyn Disk, segments: &[SegmentName]) -> io::Result<()> {
    for name in disk.list()? {
        if let Some(FileName::Index(segment)) = FileName::parse(&name)
            && segments.binary_search(&segment).is_err()
        {
            disk.remove(&name)?;
        }
    }
    Ok(())
}

/// The last segment as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// Where its records end.
    pub(crate) end: u64,
    pub(crate) next_offset: u64,
    pub(crate) timestamp_ms: i64,
    pub(crate) tracking: Tracking,
    pub(crate) last_chunk: Option<(u64, u64)>,
    group: u32,
    since_checkpoint: u64,
}

/// A part of a segment that is no record, and what was known before it.
struct Doubt {
    hole: Range<u64>,
    before: Tail,
    /// Damage that was known before it.
    damage: usize,
}

/// Goes through the end of the last segment.
pub(crate) struct Survey {
    pub(crate) tail: Tail,
    /// Holes that may be torn writes, or damage.
    doubts: Vec<Doubt>,
    pub(crate) damage: Vec<Range<u64>>,
    pub(crate) torn: Vec<Range<u64>>,
    /// Records behind the first hole that is in doubt.
    behind: Vec<u64>,
    /// Everything that is kept by name was found.
    knows_names: bool,
}

impl Survey {
    pub(crate) fn new(position: u64, first_offset: u64) -> Self {
        let tail = Tail {
            end: position,
            next_offset: first_offset,
            timestamp_ms: i64::MIN,
            tracking: Tracking::default(),
            last_chunk: None,
            group: 0,
            since_checkpoint: 0,
        };
        let (doubts, damage, torn, behind) = Default::default();
        Self { tail, doubts, damage, torn, behind, knows_names: false }
    }

    /// Reads everything from its position on: of the last segment, or of one that ends with an
    /// offset.
    pub(crate) fn read(
        &mut self,
        scanner: &mut Scanner<'_>,
        end_offset: Option<u64>,
    ) -> io::Result<()> {
        let mut hole: Option<Range<u64>> = None;
        while let Some(item) = scanner.next()? {
            match item {
                Item::Hole(found) => widen(&mut hole, found),
                // Something that lies there from before it was cut off.
                Item::Record(record) if self.is_stale(&record) => {
                    widen(&mut hole, record.position..record.end());
                }
                // What a segment holds that was given up is in the next one.
                Item::Record(record) if end_offset.is_some_and(|end| ends(&record, end)) => break,
                Item::Record(record) => {
                    if let Some(hole) = hole.take() {
                        self.doubt(hole);
                    }
                    self.judge(record.group);
                    if !self.doubts.is_empty() {
                        self.behind.push(record.position);
                    }
                    let trailer = record.trailer(scanner.head(&record)?).to_vec();
                    self.take(&record, &trailer);
                }
            }
        }
        let (at_end, is_finished) = (hole, end_offset.is_some());
        if let Some(hole) = at_end.filter(|_| Some(self.tail.next_offset) != end_offset) {
            self.doubt(hole);
        }
        if is_finished {
            self.judge(Group { number: u32::MAX, start: u64::MAX });
        }
        self.conclude();
        Ok(())
    }

    fn is_stale(&self, record: &Record) -> bool {
        record.group.number < self.tail.group
            || record.group.start > record.position
            || record.header.first_offset < self.tail.next_offset
    }

    fn doubt(&mut self, hole: Range<u64>) {
        let (before, damage) = (self.tail.clone(), self.damage.len());
        self.doubts.push(Doubt { hole, before, damage });
    }

    /// What lies before a group was synced before the group was written.
    fn judge(&mut self, group: Group) {
        let synced = self.doubts.iter().take_while(|doubt| doubt.hole.start < group.start).count();
        if synced > 0 {
            self.damage.extend(self.doubts.drain(..synced).map(|doubt| doubt.hole));
            let first = self.doubts.first().map_or(u64::MAX, |doubt| doubt.hole.start);
            self.behind.retain(|position| *position > first);
        }
    }

    fn take(&mut self, record: &Record, trailer: &[u8]) {
        let tail = &mut self.tail;
        if record.header.kind == Kind::Checkpoint {
            tail.tracking = Tracking::default();
            tail.since_checkpoint = 0;
            self.knows_names = true;
        }
        changes(trailer).for_each(|change| tail.tracking.apply(change));
        if record.header.kind == Kind::User {
            tail.last_chunk = Some((record.position, record.header.first_offset));
        }
        tail.end = record.end();
        tail.next_offset = record.header.next_offset();
        tail.timestamp_ms = tail.timestamp_ms.max(record.header.timestamp_ms);
        tail.group = record.group.number;
        tail.since_checkpoint = tail.since_checkpoint.saturating_add(record.span());
    }

    /// What is still in doubt was never synced: the segment ends before it.
    fn conclude(&mut self) {
        let mut doubts = std::mem::take(&mut self.doubts).into_iter();
        if let Some(Doubt { hole, before, damage }) = doubts.next() {
            let torn_records = !self.behind.is_empty();
            self.tail = before;
            self.damage.truncate(damage);
            if torn_records || !hole.is_empty() {
                self.torn.push(hole);
            }
            self.torn.extend(doubts.map(|doubt| doubt.hole));
        }
    }
}

fn widen(hole: &mut Option<Range<u64>>, found: Range<u64>) {
    match hole {
        Some(hole) => hole.end = found.end,
        None => *hole = Some(found),
    }
}

/// Whether a record is behind the end of a segment that ends with this offset.
pub(crate) fn ends(record: &Record, end_offset: u64) -> bool {
    let header = &record.header;
    let is_user = header.kind == Kind::User;
    header.next_offset() > end_offset || is_user && header.first_offset >= end_offset
}

/// Looks at the end of the last of these segments, from the last place on before which nothing has
/// to be known. Also tells how many entries its side file has.
///
/// # Errors
/// If the disk fails.
pub(crate) fn survey(disk: &dyn Disk, names: &[SegmentName]) -> io::Result<(Survey, u64)> {
    let Some((last, before)) = names.split_last() else { return Ok((Survey::new(0, 0), 0)) };
    let (mut survey, entries) = survey_one(disk, *last, None)?;
    // If it has not got any names yet they are at the end of the one before.
    let mut end_offset = last.first_offset;
    for name in before.iter().rev() {
        if survey.knows_names {
            break;
        }
        let (earlier, _) = survey_one(disk, *name, Some(end_offset))?;
        end_offset = name.first_offset;
        survey.begin_with(earlier);
    }
    Ok((survey, entries))
}

fn survey_one(
    disk: &dyn Disk,
    name: SegmentName,
    end_offset: Option<u64>,
) -> io::Result<(Survey, u64)> {
    let file = disk.open(&name.chunks(), false)?;
    let index = Index::open(disk, name)?;
    let (entries, checkpoint) = match &index {
        Some(index) => index.sound(EntryKind::Checkpoint)?,
        None => (0, None),
    };
    if let Some(IndexEntry { offset, position, .. }) = checkpoint.filter(|c| c.position > 0) {
        let mut scanner = Scanner::new(&*file, name.place, position, u64::MAX)?.checking_data();
        let mut survey = Survey::new(position, offset);
        survey.read(&mut scanner, end_offset)?;
        // Else the index speaks of what never got there.
        if survey.tail.end > position && survey.starts_well(position) {
            return Ok((survey, entries));
        }
    }
    let mut scanner = Scanner::new(&*file, name.place, 0, u64::MAX)?.checking_data();
    let mut survey = Survey::new(0, name.first_offset);
    survey.read(&mut scanner, end_offset)?;
    Ok((survey, 0))
}

impl Survey {
    /// Whether there is a record where it began.
    fn starts_well(&self, position: u64) -> bool {
        let holes = self.damage.iter().chain(&self.torn);
        holes.into_iter().all(|hole| hole.start != position)
    }

    /// Names that are not in it are as they were at the end of an earlier segment.
    fn begin_with(&mut self, earlier: Self) {
        let mut octets = Vec::new();
        self.tail.tracking.encode(&mut octets);
        self.tail.tracking = earlier.tail.tracking;
        changes(&octets).for_each(|change| self.tail.tracking.apply(change));
        self.tail.timestamp_ms = self.tail.timestamp_ms.max(earlier.tail.timestamp_ms);
        self.knows_names = earlier.knows_names;
    }
}

/// A stream that is opened.
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) state: State,
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
    let mut engine = Engine {
        stream,
        files: files.clone(),
        durability,
        active: None,
        next_segment: 1,
        tracking: Tracking::default(),
        next_offset: 0,
        last_timestamp_ms: i64::MIN,
        drafts: Vec::new(),
    };
    let mut recovered = RecoveredStream::default();
    let Some(&last) = names.last() else {
        let state = State::new(settings, Segments::default(), 0, i64::MIN, Tracking::default());
        return Ok(Opened { engine, state, recovered });
    };
    let file = files.disk.open(&last.chunks(), false)?;
    let (survey, entries) = survey(&*files.disk, names)?;
    cut_off(&*file, &survey)?;
    let allocated = file.len()?;
    let damage = |hole: &Range<u64>| damage(last, hole);
    recovered.damage = survey.damage.iter().map(damage).collect();
    // What was allocated and never written is none.
    let written = survey.behind.last().is_some();
    let torn = survey.torn.iter().filter(|hole| written || holds_something(&*file, hole));
    recovered.torn = torn.map(damage).collect();

    let Tail { end, next_offset, timestamp_ms, tracking, last_chunk, .. } = survey.tail;
    engine.active = Some(Active {
        name: last,
        file,
        used: end,
        begun: 0,
        allocated: allocated.max(end),
        syncs: survey.tail.group,
        synced: end,
        since_entry: u64::MAX,
        since_checkpoint: if end == 0 { u64::MAX } else { survey.tail.since_checkpoint },
    });
    engine.next_segment = last.place.segment + 1;
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
    Ok(Opened { engine, state, recovered })
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
