//! Reads the end of a stream: what is there, what is damaged, and what a crash has torn.

use std::io;
use std::ops::Range;

use crate::disk::Disk;
use crate::stream::chunk::Kind;
use crate::stream::files::SegmentName;
use crate::stream::index::{EntryKind, Index, IndexEntry};
use crate::stream::progress::Progress;
use crate::stream::record::{Group, Record};
use crate::stream::scan::{Item, Scanner};
use crate::stream::tracking::{Tracking, changes};

/// The last segment as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// Where its records end.
    pub(crate) end: u64,
    pub(crate) next_offset: u64,
    pub(crate) timestamp_ms: i64,
    pub(crate) tracking: Tracking,
    pub(crate) last_chunk: Option<(u64, u64)>,
    pub(crate) group: u32,
    pub(crate) since_checkpoint: u64,
}

/// What is known of a segment before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The offset at which it ends; `None` if it is the last one.
    end_offset: Option<u64>,
    /// So many octets of the last one are durable, at least.
    used: u64,
}

impl Known {
    /// It ends with an offset.
    pub(crate) fn up_to(end_offset: u64) -> Self {
        Self { end_offset: Some(end_offset), used: 0 }
    }

    /// It is the last one, and this was said last of the stream.
    pub(crate) fn of_last(name: SegmentName, said: Option<&Progress>) -> Self {
        let used = said.filter(|said| said.last == name).map_or(0, |said| said.used);
        Self { end_offset: None, used }
    }
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
    pub(crate) behind: Vec<u64>,
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

    /// Reads everything from its position on: of the last segment, or of one of which it is known
    /// where it ends.
    pub(crate) fn read(&mut self, scanner: &mut Scanner<'_>, known: Known) -> io::Result<()> {
        let Known { end_offset, used } = known;
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
        let is_short = end_offset.is_some_and(|end| self.tail.next_offset < end);
        match at_end {
            Some(hole) if !is_finished && (hole.start + 1..hole.end).contains(&used) => {
                self.doubt(hole.start..used);
                self.judge(Group { number: u32::MAX, start: used });
                self.doubt(used..hole.end);
            }
            Some(hole) if !is_finished || is_short => self.doubt(hole),
            None if is_short => self.doubt(self.tail.end..self.tail.end + 1),
            None if self.tail.end < used => self.doubt(self.tail.end..used),
            _ => {}
        }
        let start = if is_finished { u64::MAX } else { used };
        self.judge(Group { number: u32::MAX, start });
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
pub(crate) fn survey(
    disk: &dyn Disk,
    names: &[SegmentName],
    said: Option<&Progress>,
) -> io::Result<(Survey, u64)> {
    let Some((last, before)) = names.split_last() else { return Ok((Survey::new(0, 0), 0)) };
    let (mut survey, entries) = survey_one(disk, *last, Known::of_last(*last, said))?;
    // If it has not got any names yet they are at the end of the one before.
    let mut end_offset = last.first_offset;
    for name in before.iter().rev() {
        if survey.knows_names {
            break;
        }
        let (earlier, _) = survey_one(disk, *name, Known::up_to(end_offset))?;
        end_offset = name.first_offset;
        survey.begin_with(earlier);
    }
    Ok((survey, entries))
}

fn survey_one(disk: &dyn Disk, name: SegmentName, known: Known) -> io::Result<(Survey, u64)> {
    let file = disk.open(&name.chunks(), false)?;
    let index = Index::open(disk, name)?;
    let (entries, checkpoint) = match &index {
        Some(index) => index.sound(EntryKind::Checkpoint)?,
        None => (0, None),
    };
    if let Some(IndexEntry { offset, position, .. }) = checkpoint.filter(|c| c.position > 0) {
        let mut scanner = Scanner::new(&*file, name.place, position, u64::MAX)?.checking_data();
        let mut survey = Survey::new(position, offset);
        survey.read(&mut scanner, known)?;
        // Else the index speaks of what never got there.
        if survey.tail.end > position && survey.starts_well(position) {
            return Ok((survey, entries));
        }
    }
    let mut scanner = Scanner::new(&*file, name.place, 0, u64::MAX)?.checking_data();
    let mut survey = Survey::new(0, name.first_offset);
    survey.read(&mut scanner, known)?;
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
