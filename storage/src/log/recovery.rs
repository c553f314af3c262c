//! Opens the segments that are there: finds the live messages, cuts off what a crash left half
//! written, and reports what is damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::Result;
use crate::key::QueueId;
use crate::log::content::{Content, Range};
use crate::log::engine::Engine;
use crate::log::frame::CUT;
use crate::log::index::{self, IndexBuilder};
use crate::log::judgement::{Judged, judge};
use crate::log::live::Location;
use crate::log::options::LogOptions;
use crate::log::scan::{Hole, Record, scan};
use crate::log::segment::{FileKind, Segment, index_name, log_name, spare_name};
use crate::log::settled::SettledSet;
use crate::log::state::{SharedState, State};

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

/// A live message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredMessage {
    /// Its sequence in the queue.
    pub sequence: u64,
    /// Octets of its record: payload, targets, meta, and 32 more.
    pub octets: u32,
    /// What it was stored with.
    pub meta: Box<[u8]>,
}

/// The live messages of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredQueue {
    /// The lowest sequence that may be used for the next message.
    pub next_sequence: u64,
    /// Its messages, in the order of their sequences.
    pub messages: Vec<RecoveredMessage>,
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
    /// Every queue that has left a trace and was not deleted.
    pub queues: BTreeMap<QueueId, RecoveredQueue>,
}

/// A segment that was looked at.
struct Loaded {
    file: Arc<dyn DiskFile>,
    length: u64,
    /// None if the side file has them.
    judged: Option<Judged>,
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
    names: Names,
    loaded: BTreeMap<u64, Loaded>,
    settled: SettledSet,
    last_group: u64,
    recovered: Recovered,
}

/// Opens a log.
///
/// # Errors
/// If the disk fails. Damage is not an error.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    state: SharedState,
) -> Result<(Engine, Recovered)> {
    let names = Names::read(&*disk)?;
    let next_segment = names.last() + 1;
    let mut recovery = Recovery {
        disk: &*disk,
        names,
        loaded: BTreeMap::new(),
        settled: SettledSet::default(),
        last_group: 0,
        recovered: Recovered::default(),
    };
    recovery.load()?;
    recovery.judge()?;
    recovery.build(&mut state.lock())?;
    let spares = recovery.tidy(&mut state.lock())?;
    let (group, recovered) = (recovery.last_group + 1, recovery.recovered);
    Ok((Engine::new(disk, options, state, next_segment, group, spares), recovered))
}

impl Recovery<'_> {
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
            let judged = match index {
                Some(index) => {
                    self.last_group = self.last_group.max(index.last_group);
                    settlements(&index.records).for_each(|range| self.settled.insert(range));
                    None
                }
                None => {
                    let scanned = scan(&*file, number)?;
                    self.last_group = self.last_group.max(scanned.last_group());
                    Some(Judged::unjudged(scanned))
                }
            };
            self.loaded.insert(number, Loaded { file, length, judged });
        }
        Ok(())
    }

    /// Tells what was completed from what was not, and cuts off the latter.
    fn judge(&mut self) -> Result<()> {
        let last = self.names.logs.last().copied();
        self.recovered.clean = last.is_none();
        for (&number, loaded) in &mut self.loaded {
            let Some(judged) = loaded.judged.take() else { continue };
            let is_last = Some(number) == last;
            let mut judged = judge(judged.into_scanned(), self.last_group, is_last);
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
            for hole in &judged.cut {
                cut(&*loaded.file, *hole)?;
            }
            // What is found may be in the system's memory only.
            loaded.file.sync()?;
            settlements(&judged.records).for_each(|range| self.settled.insert(range));
            loaded.judged = Some(judged);
        }
        Ok(())
    }

    /// Notes what each segment holds and where live messages are.
    fn build(&mut self, state: &mut State) -> Result<()> {
        for (&number, loaded) in &mut self.loaded {
            let mut segment = Segment::new(loaded.file.clone(), loaded.length);
            let records = match loaded.judged.take() {
                Some(judged) => {
                    segment.used = judged.used;
                    if judged.damage.is_empty() {
                        write_index(self.disk, number, &judged, self.last_group);
                    }
                    judged.records
                }
                None => {
                    let file = self.disk.open(&index_name(number), false)?;
                    let index = index::read(&*file, number)?;
                    segment.used = index.as_ref().map_or(loaded.length, |index| index.used);
                    index.map(|index| index.records).unwrap_or_default()
                }
            };
            state.segments.insert(number, segment);
            for record in records {
                note(state, &mut self.recovered, &self.settled, number, record);
            }
        }
        for range in self.settled.ranges() {
            let queue = self.recovered.queues.entry(range.queue).or_default();
            queue.next_sequence = queue.next_sequence.max(range.last.saturating_add(1));
        }
        self.recovered.queues.retain(|_, queue| queue.next_sequence < u64::MAX);
        for queue in self.recovered.queues.values_mut() {
            // A message is there twice if a crash interrupted its being moved.
            if !queue.messages.is_sorted_by(|a, b| a.sequence < b.sequence) {
                queue.messages.sort_by_key(|message| message.sequence);
                queue.messages.dedup_by_key(|message| message.sequence);
            }
        }
        Ok(())
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
        for number in &self.names.indexes {
            if !state.segments.contains_key(number) {
                self.disk.remove(&index_name(*number))?;
            }
        }
        self.disk.sync_directory()?;
        Ok(spares)
    }
}

fn settlements(records: &[Record]) -> impl Iterator<Item = Range> {
    records.iter().flat_map(|record| match &record.content {
        Content::Settled(ranges) => ranges.iter().copied(),
        Content::Message { .. } | Content::CleanStop => [].iter().copied(),
    })
}

fn note(
    state: &mut State,
    recovered: &mut Recovered,
    settled: &SettledSet,
    number: u64,
    record: Record,
) {
    let location = Location { segment: number, offset: record.offset, span: record.span };
    let span = u64::from(record.span);
    match record.content {
        Content::Message { targets, meta } => {
            if let Some(segment) = state.segments.get_mut(&number) {
                segment.note_message(targets.iter().copied(), span);
            }
            for target in targets {
                let queue = recovered.queues.entry(target.queue).or_default();
                queue.next_sequence = queue.next_sequence.max(target.sequence.saturating_add(1));
                if !settled.contains(target) {
                    state.place(location, target);
                    let (sequence, octets) = (target.sequence, record.span);
                    let message = RecoveredMessage { sequence, octets, meta: meta.clone() };
                    queue.messages.push(message);
                }
            }
        }
        Content::Settled(ranges) => {
            if let Some(segment) = state.segments.get_mut(&number) {
                ranges.into_iter().for_each(|range| segment.note_settled(range));
            }
        }
        Content::CleanStop => {}
    }
}

/// Writes the side file of a segment that was read. It only saves time, so that it may fail.
fn write_index(disk: &dyn Disk, number: u64, judged: &Judged, last_group: u64) {
    let mut index = IndexBuilder::new();
    judged.records.iter().for_each(|record| index.record(record));
    let last_group = judged.records.iter().map(|r| r.group).max().unwrap_or(0).min(last_group);
    let _ = index.write(disk, number, judged.used, last_group);
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
