//! Opens the segments that are there: finds the live messages, cuts off what a crash left half
//! written, and reports what is damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::content::Target;
use crate::log::engine::Engine;
use crate::log::frame::CUT;
use crate::log::index::{self, Entry, EntryContent, Index, IndexBuilder};
use crate::log::judgement::{Judged, judge};
use crate::log::live::Location;
use crate::log::options::LogOptions;
use crate::log::scan::{Hole, scan};
use crate::log::segment::{FileKind, Segment, index_name, log_name, spare_name};
use crate::log::settled::{Lookup, SettledSet};
use crate::log::state::State;

/// A part of a file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the directory.
    pub file: String,
    /// Where it begins, in octets.
    pub offset: u64,
    /// Octets up to the next good record, or to the end of the file.
    pub octets: u64,
}

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whether the log was closed in order, or is new.
    pub clean: bool,
    /// What a crash left half written, which was cut off. Nothing of it was ever completed.
    pub torn: Vec<Damage>,
    /// What was completed and is lost. Whatever the damage did not touch is kept. Damage to the
    /// payloads of finished segments is found when they are read, or by a verification.
    pub damage: Vec<Damage>,
    /// For every queue that has left a trace and was not deleted, the lowest sequence that may be
    /// used for its next message.
    pub queues: BTreeMap<QueueId, u64>,
    /// Queues that were deleted and have left a trace of that. Whatever is stored for such a number
    /// from now on is gone at the next start.
    pub deleted: BTreeSet<QueueId>,
    /// The highest number of a queue that has left a trace, deleted or not; 0 if none has.
    pub queue_max: QueueId,
}

/// A segment that was looked at.
struct Loaded {
    file: Arc<dyn DiskFile>,
    length: u64,
    records: Records,
}

/// Where the records of a segment are to be had.
enum Records {
    /// In its side file.
    SideFile,
    /// They were read.
    Read(Judged),
    /// They were read, and what counts is here.
    Index(Index),
}

/// The names in a directory, sorted.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) logs: BTreeSet<u64>,
    pub(crate) indexes: BTreeSet<u64>,
    spares: BTreeSet<u64>,
}

impl Names {
    pub(crate) fn read(disk: &dyn Disk) -> Result<Self> {
        let mut names = Self::default();
        for name in disk.list()? {
            match FileKind::of(&name) {
                Some(FileKind::Log(number)) => names.logs.insert(number),
                Some(FileKind::Index(number)) => names.indexes.insert(number),
                Some(FileKind::Spare(number)) => names.spares.insert(number),
                None => false,
            };
        }
        Ok(names)
    }

    fn last(&self) -> u64 {
        let all = self.logs.iter().chain(&self.indexes).chain(&self.spares);
        all.max().copied().unwrap_or(0)
    }
}

struct Recovery<'a> {
    disk: &'a dyn Disk,
    /// Nothing is changed.
    read_only: bool,
    names: Names,
    loaded: BTreeMap<u64, Loaded>,
    settled: SettledSet,
    last_group: u64,
    recovered: Recovered,
}

/// Called for each live message: its target, the octets of its record, its meta.
type Found<'a> = &'a mut dyn FnMut(Target, u32, &[u8]);

/// Opens a log.
///
/// # Errors
/// If the disk fails. Damage is not an error.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    found: Found<'_>,
) -> Result<(Engine, Recovered)> {
    let mut recovery = Recovery::new(&*disk, false)?;
    let next_segment = recovery.names.last() + 1;
    let mut state = recovery.run(found)?;
    let spares = recovery.tidy(&mut state)?;
    let (group, recovered) = (recovery.last_group + 1, recovery.recovered);
    let state = Arc::new(Mutex::new(state));
    Ok((Engine::new(disk, options, state, next_segment, group, spares), recovered))
}

/// Tells what opening a log would find, and changes nothing. `found` is called as by
/// [`Log::open`](crate::Log::open). The log must not be open.
///
/// # Errors
/// If the disk fails. Damage is no error.
pub fn inspect(disk: &dyn Disk, found: &mut dyn FnMut(Target, u32, &[u8])) -> Result<Recovered> {
    let mut recovery = Recovery::new(disk, true)?;
    recovery.run(found)?;
    Ok(recovery.recovered)
}

impl<'a> Recovery<'a> {
    fn new(disk: &'a dyn Disk, read_only: bool) -> Result<Self> {
        Ok(Self {
            disk,
            read_only,
            names: Names::read(disk)?,
            loaded: BTreeMap::new(),
            settled: SettledSet::default(),
            last_group: 0,
            recovered: Recovered::default(),
        })
    }

    fn run(&mut self, found: Found<'_>) -> Result<State> {
        self.load()?;
        self.judge()?;
        let mut state = State::default();
        self.build(&mut state, found)?;
        self.summarize(&state);
        Ok(state)
    }

    /// Opens every segment, and reads those whose side files do not do.
    fn load(&mut self) -> Result<()> {
        let last = self.names.logs.last().copied();
        for &number in &self.names.logs {
            let file = self.disk.open(&log_name(number), false)?;
            let length = file.len()?;
            let mut index = None;
            if self.names.indexes.contains(&number) && Some(number) != last {
                index = index::read(&*self.disk.open(&index_name(number), false)?, number)?;
            }
            if let Some(index) = index.take_if(|index| index.used > length) {
                let octets = index.used - length;
                let file = log_name(number);
                self.recovered.damage.push(Damage { file, offset: length, octets });
            }
            let records = match index {
                Some(index) => {
                    self.last_group = self.last_group.max(index.last_group);
                    index.settlements().for_each(|range| self.settled.insert(range));
                    Records::SideFile
                }
                None => {
                    let scanned = scan(&*file, number)?;
                    self.last_group = self.last_group.max(scanned.last_group());
                    Records::Read(Judged::unjudged(scanned))
                }
            };
            self.loaded.insert(number, Loaded { file, length, records });
        }
        Ok(())
    }

    /// Tells what was completed from what was not, and cuts off the latter.
    fn judge(&mut self) -> Result<()> {
        let last = self.names.logs.last().copied();
        self.recovered.clean = last.is_none();
        for (&number, loaded) in &mut self.loaded {
            let Records::Read(judged) = &mut loaded.records else { continue };
            let is_last = Some(number) == last;
            let scanned = std::mem::take(judged).into_scanned();
            let mut judged = judge(scanned, self.last_group, is_last);
            let damage = |hole: &Hole| Damage {
                file: log_name(number),
                offset: hole.from,
                octets: hole.to - hole.from,
            };
            self.recovered.damage.extend(judged.damage.iter().map(damage));
            self.recovered.torn.extend(judged.torn.iter().map(damage));
            if is_last {
                self.recovered.clean = judged.take_clean_stop();
            }
            if !self.read_only {
                for hole in &judged.cut {
                    cut(&*loaded.file, *hole)?;
                }
                // What is found may be in the system's memory only.
                loaded.file.sync()?;
            }
            let index = index_of(&judged, number, self.last_group);
            index.settlements().for_each(|range| self.settled.insert(range));
            if !self.read_only && judged.damage.is_empty() {
                // It only saves time, so that it may fail.
                let _ = index.write(self.disk, number);
            }
            loaded.records = Records::Index(index);
        }
        Ok(())
    }

    /// Notes what each segment holds and where live messages are.
    fn build(&mut self, state: &mut State, found: Found<'_>) -> Result<()> {
        let mut settled = Lookup::new(&self.settled);
        for (&number, loaded) in &mut self.loaded {
            let records = std::mem::replace(&mut loaded.records, Records::SideFile);
            let index = match records {
                Records::Index(index) => index,
                // Read a second time rather than kept: there may be many.
                Records::SideFile | Records::Read(_) => {
                    let file = index_name(number);
                    let index = index::read(&*self.disk.open(&file, false)?, number)?;
                    index.ok_or(Error::Damaged { file, offset: 0 })?
                }
            };
            let mut segment = Segment::new(loaded.file.clone(), loaded.length);
            segment.used = index.used;
            state.segments.insert(number, segment);
            for entry in index.entries() {
                note(state, number, &entry, &mut settled, found);
            }
        }
        Ok(())
    }

    /// Tells what queues there are.
    fn summarize(&mut self, state: &State) {
        let queues = &mut self.recovered.queues;
        for segment in state.segments.values() {
            for (&queue, hull) in segment.present.iter().chain(&segment.settled) {
                let next = queues.entry(queue).or_default();
                *next = (*next).max(hull.last.saturating_add(1));
            }
        }
        self.recovered.queue_max = queues.last_key_value().map_or(0, |(queue, _)| *queue);
        let deleted = queues.iter().filter(|(_, next)| **next == u64::MAX);
        self.recovered.deleted = deleted.map(|(queue, _)| *queue).collect();
        queues.retain(|_, next| *next < u64::MAX);
    }

    /// Empties segments without a record, removes side files without a segment.
    fn tidy(&self, state: &mut State) -> Result<Vec<String>> {
        let mut spares: Vec<String> = self.names.spares.iter().copied().map(spare_name).collect();
        let empty: Vec<u64> = state
            .segments
            .iter()
            .filter(|(_, segment)| segment.present.is_empty() && segment.settled.is_empty())
            .map(|(number, _)| *number)
            .collect();
        for number in empty {
            self.disk.rename(&log_name(number), &spare_name(number))?;
            spares.push(spare_name(number));
            state.segments.remove(&number);
        }
        for number in self.disk_indexes()? {
            if !state.segments.contains_key(&number) {
                self.disk.remove(&index_name(number))?;
            }
        }
        self.disk.sync_directory()?;
        Ok(spares)
    }

    /// The side files that are there by now.
    fn disk_indexes(&self) -> Result<BTreeSet<u64>> {
        Ok(Names::read(self.disk)?.indexes)
    }
}

fn note(
    state: &mut State,
    number: u64,
    entry: &Entry<'_>,
    settled: &mut Lookup<'_>,
    found: Found<'_>,
) {
    let location = Location { segment: number, offset: entry.offset, span: entry.span };
    match &entry.content {
        EntryContent::Message { targets, meta } => {
            if let Some(segment) = state.segments.get_mut(&number) {
                segment.note_message(targets.clone(), u64::from(entry.span));
            }
            for target in targets.clone().filter(|target| !settled.contains(*target)) {
                state.place(location, target);
                found(target, entry.span, meta);
            }
        }
        EntryContent::Settled(ranges) => {
            if let Some(segment) = state.segments.get_mut(&number) {
                ranges.clone().for_each(|range| segment.note_settled(range));
            }
        }
        EntryContent::CleanStop => {}
    }
}

/// The side file of a segment that was read.
pub(crate) fn index_of(judged: &Judged, number: u64, last_group: u64) -> Index {
    let mut index = IndexBuilder::new();
    judged.records.iter().for_each(|record| index.record(record));
    let last_group = judged.records.iter().map(|r| r.group).max().unwrap_or(0).min(last_group);
    index.finish(number, judged.used, last_group)
}

/// Writes over a part of a file, so that it is never again taken for records.
fn cut(file: &dyn DiskFile, hole: Hole) -> Result<()> {
    const PIECE: usize = 64 << 10;
    let pattern = CUT.repeat(PIECE / CUT.len());
    let mut from = hole.from;
    while from < hole.to {
        let octets = usize::try_from(hole.to - from).unwrap_or(PIECE).min(PIECE);
        file.write_at(pattern.get(..octets).unwrap_or_default(), from)?;
        from += octets as u64;
    }
    Ok(())
}
