//! Opens the segments that are there: finds the live messages, cuts off what a crash left half
//! written, and reports what is damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::key::QueueId;
#[cfg(feature = "sled")]
use crate::ledger::Growth;
use crate::log::content::Target;
use crate::log::damage::Damage;
use crate::log::engine::{Engine, Writing};
use crate::log::expected::{self, Expected, Origin, Unlisted};
use crate::log::frame::CUT;
use crate::log::index::{self, Entry, EntryContent, Index, IndexBuilder};
use crate::log::judgement::{Judged, judge};
use crate::log::live::Location;
use crate::log::manifest::{Listed, Manifest, Segments};
use crate::log::options::LogOptions;
use crate::log::progress::ProgressFile;
use crate::log::scan::{Hole, scan};
use crate::log::segment::{FileKind, Segment, foreign_name, index_name, log_name, spare_name};
use crate::log::settled::{Lookup, SettledSet};
use crate::log::state::State;

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Whether the log was closed in order, or is new.
    pub clean: bool,
    /// Nothing was there.
    pub is_new: bool,
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
    /// They were read, and what counts is here; with the checksum of the side file, 0 if there is
    /// none.
    Index(Index, u32),
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
    expected: Expected,
    /// Segments that are not needed any more.
    freed: BTreeSet<u64>,
    /// Segments that do not belong here.
    foreign: BTreeSet<u64>,
    /// What the new manifest says of those that do.
    listed: BTreeMap<u64, Listed>,
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
    let mut recovery = Recovery::new(&*disk, options.identity, false)?;
    let next_segment = recovery.names.last().max(recovery.expected.highest()) + 1;
    let mut state = recovery.run(found)?;
    let Expected { identity, has_whole_progress, .. } = recovery.expected;
    let segments = recovery.segments(&mut state);
    // What is not listed any more may go, and what goes is not listed any more.
    let growth = options.manifest_growth();
    let mut manifest = if recovery.recovered.is_new && identity == 0 {
        Manifest::new(Arc::clone(&disk), identity, growth, segments)
    } else {
        Manifest::begin(Arc::clone(&disk), identity, growth, segments)?
    };
    let spares = recovery.tidy(&state)?;
    recovery.freed.iter().for_each(|number| manifest.is_gone(*number));
    let (group, recovered) = (recovery.last_group + 1, recovery.recovered);
    let state = Arc::new(Mutex::new(state));
    let progress = ProgressFile::new(Arc::clone(&disk), identity, has_whole_progress);
    let writing = Writing { manifest, progress, spares };
    Ok((Engine::new(disk, options, state, next_segment, group, writing), recovered))
}

/// Begins the manifest of a log that has none, as older versions wrote it.
///
/// # Errors
/// If the disk fails.
#[cfg(feature = "sled")]
pub(crate) fn adopt(disk: Arc<dyn Disk>, identity: u64) -> Result<()> {
    let names = Names::read(&*disk)?;
    let mut segments = Segments::default();
    for number in names.logs {
        let capacity = disk.open(&log_name(number), false)?.len()?;
        let index = match disk.open(&index_name(number), false) {
            Ok(file) => index::read(&*file, number)?.map_or(0, |index| index.checksum()),
            Err(_) => 0,
        };
        segments.listed.insert(number, Listed { capacity, extent: None, index });
        segments.highest = number;
    }
    ProgressFile::new(Arc::clone(&disk), identity, false).keep_whole(&*disk)?;
    Manifest::begin(disk, identity, Growth::COMMON, segments)?;
    Ok(())
}

/// Tells what opening a log would find, and changes nothing. `found` is called as by
/// [`Log::open`](crate::Log::open). The log must not be open. `identity` is that of its options.
///
/// # Errors
/// If the disk fails. Damage is no error.
pub fn inspect(
    disk: &dyn Disk,
    identity: u64,
    found: &mut dyn FnMut(Target, u32, &[u8]),
) -> Result<Recovered> {
    let mut recovery = Recovery::new(disk, identity, true)?;
    recovery.run(found)?;
    Ok(recovery.recovered)
}

impl<'a> Recovery<'a> {
    fn new(disk: &'a dyn Disk, identity: u64, read_only: bool) -> Result<Self> {
        let names = Names::read(disk)?;
        let expected = Expected::read(disk, identity, !names.logs.is_empty())?;
        let is_new = !expected.is_begun && names.logs.is_empty();
        let mut damage = expected.damage.clone();
        damage.extend(expected.missing(&names.logs));
        Ok(Self {
            disk,
            read_only,
            names,
            expected,
            freed: BTreeSet::new(),
            foreign: BTreeSet::new(),
            listed: BTreeMap::new(),
            recovered: Recovered { is_new, damage, ..Recovered::default() },
            loaded: BTreeMap::new(),
            settled: SettledSet::default(),
            last_group: 0,
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
        self.last_group = self.expected.group().map_or(0, |group| group + 1);
        for number in self.names.logs.clone() {
            let file = self.disk.open(&log_name(number), false)?;
            let length = file.len()?;
            let origin = self.expected.origin(number, &*file)?;
            if origin == Origin::Freed {
                self.freed.insert(number);
                continue;
            }
            if origin == Origin::Foreign {
                self.set_aside(number, length);
                continue;
            }
            let mut index = None;
            let is_sure = origin == Origin::Own || !self.expected.is_known();
            if is_sure && self.names.indexes.contains(&number) && Some(number) != last {
                index = index::read(&*self.disk.open(&index_name(number), false)?, number)?;
                index = index.filter(|index| self.expected.vouches_for(number, index));
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
                    match self.expected.unlisted(number, &scanned) {
                        Unlisted::Foreign => {
                            self.set_aside(number, length);
                            continue;
                        }
                        Unlisted::Rewound(damage) => self.recovered.damage.push(damage),
                        Unlisted::No => {}
                    }
                    self.last_group = self.last_group.max(scanned.last_group());
                    Records::Read(Judged::unjudged(scanned))
                }
            };
            self.loaded.insert(number, Loaded { file, length, records });
        }
        Ok(())
    }

    /// A file does not belong here: what it says is not to be heard.
    fn set_aside(&mut self, number: u64, octets: u64) {
        self.recovered.damage.push(Damage { file: log_name(number), offset: 0, octets });
        self.foreign.insert(number);
    }

    /// Tells what was completed from what was not, and cuts off the latter.
    fn judge(&mut self) -> Result<()> {
        let last = self.loaded.last_key_value().map(|(number, _)| *number);
        self.recovered.clean = last.is_none() && self.recovered.damage.is_empty();
        for (&number, loaded) in &mut self.loaded {
            let Records::Read(judged) = &mut loaded.records else { continue };
            let is_last = Some(number) == last;
            let scanned = std::mem::take(judged).into_scanned();
            let bounds = self.expected.bounds(number);
            let mut judged = judge(scanned, self.last_group, is_last, bounds);
            let place = |hole: &Hole| expected::damage(number, hole);
            self.recovered.damage.extend(judged.damage.iter().map(place));
            if judged.damage.is_empty() {
                self.recovered.damage.extend(self.expected.cut_off(number, loaded.length));
            }
            self.recovered.torn.extend(judged.torn.iter().map(place));
            if is_last {
                self.recovered.clean = judged.take_clean_stop();
            }
            if !self.read_only {
                cut_off(&*loaded.file, &judged.cut)?;
            }
            let index = index_of(&judged, number, self.last_group);
            index.settlements().for_each(|range| self.settled.insert(range));
            let mut checksum = 0;
            // It only saves time, so that it may fail.
            if !self.read_only && judged.damage.is_empty() && index.write(self.disk, number).is_ok()
            {
                checksum = index.checksum();
            }
            loaded.records = Records::Index(index, checksum);
        }
        Ok(())
    }

    /// Notes what each segment holds and where live messages are.
    fn build(&mut self, state: &mut State, found: Found<'_>) -> Result<()> {
        let mut settled = Lookup::new(&self.settled);
        for (&number, loaded) in &mut self.loaded {
            let records = std::mem::replace(&mut loaded.records, Records::SideFile);
            let (index, checksum) = match records {
                Records::Index(index, checksum) => (index, checksum),
                // Read a second time rather than kept: there may be many.
                Records::SideFile | Records::Read(_) => {
                    let file = index_name(number);
                    let index = index::read(&*self.disk.open(&file, false)?, number)?;
                    let index = index.ok_or(Error::Damaged { file, offset: 0 })?;
                    let checksum = index.checksum();
                    (index, checksum)
                }
            };
            if !self.read_only {
                let known = self.expected.listed(number).and_then(|listed| listed.extent);
                let extent = match known {
                    Some(_) => known,
                    None => expected::extent_of(&*loaded.file, number, &index)?,
                };
                let listed = Listed { capacity: loaded.length, extent, index: checksum };
                self.listed.insert(number, listed);
            }
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

    /// What the new manifest is to say. Segments without a record are not needed any more.
    fn segments(&mut self, state: &mut State) -> Segments {
        let empty: Vec<u64> = state
            .segments
            .iter()
            .filter(|(_, segment)| segment.present.is_empty() && segment.settled.is_empty())
            .map(|(number, _)| *number)
            .collect();
        for number in empty {
            state.segments.remove(&number);
            self.listed.remove(&number);
            self.freed.insert(number);
        }
        let highest = self.names.last().max(self.expected.highest());
        Segments { listed: std::mem::take(&mut self.listed), freed: self.freed.clone(), highest }
    }

    /// Empties segments that are not needed, renames those that do not belong here, removes side
    /// files without a segment.
    fn tidy(&self, state: &State) -> Result<Vec<String>> {
        let mut spares: Vec<String> = self.names.spares.iter().copied().map(spare_name).collect();
        for &number in &self.freed {
            self.disk.rename(&log_name(number), &spare_name(number))?;
            spares.push(spare_name(number));
        }
        for &number in &self.foreign {
            self.disk.rename(&log_name(number), &foreign_name(number))?;
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

/// Cuts off what was not completed. A power cut may leave any part of that: what is left counts as
/// little as before, since a hole is before it, or what was written here.
fn cut_off(file: &dyn DiskFile, holes: &[Hole]) -> Result<()> {
    holes.iter().try_for_each(|hole| cut(file, *hole))?;
    // What is found may be in the system's memory only.
    Ok(file.sync()?)
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
