//! What is known of a segment while the log is open.

use std::sync::Arc;

use crate::disk::DiskFile;
use crate::key::QueueMap;
use crate::log::content::{Range, Target};

/// The first and the last sequence of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hull {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Hull {
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<dyn DiskFile>,
    /// Octets of the file.
    pub(crate) capacity: u64,
    /// Octets with records.
    pub(crate) used: u64,
    /// Places of messages that were written, and those of them that are live.
    pub(crate) places: u64,
    pub(crate) live: u64,
    /// Octets of message records.
    message_octets: u64,
    /// Octets of settlements that compaction found to matter.
    pub(crate) forwarded: u64,
    /// Per queue the sequences that the file holds, live or not.
    pub(crate) present: QueueMap<Hull>,
    /// Per queue the sequences that the file says are settled.
    pub(crate) settled: QueueMap<Hull>,
    /// A record could not be read: it is not moved again.
    pub(crate) damaged: bool,
}

impl Segment {
    pub(crate) fn new(file: Arc<dyn DiskFile>, capacity: u64) -> Self {
        Self {
            file,
            capacity,
            used: 0,
            places: 0,
            live: 0,
            message_octets: 0,
            forwarded: 0,
            present: QueueMap::default(),
            settled: QueueMap::default(),
            damaged: false,
        }
    }

    /// Notes that the file holds, or may hold, a message of these targets; tells how many.
    pub(crate) fn note_message(&mut self, targets: impl Iterator<Item = Target>, span: u64) -> u64 {
        self.message_octets += span;
        let before = self.places;
        for target in targets {
            widen(&mut self.present, target.range());
            self.places += 1;
        }
        self.places - before
    }

    pub(crate) fn note_settled(&mut self, range: Range) {
        widen(&mut self.settled, range);
    }

    /// About how many octets are needed.
    pub(crate) fn live_octets(&self) -> u64 {
        let share = u128::from(self.message_octets) * u128::from(self.live);
        let messages = share.checked_div(u128::from(self.places)).map_or(0, |octets| octets as u64);
        messages + self.forwarded
    }
}

pub(crate) fn widen(hulls: &mut QueueMap<Hull>, range: Range) {
    let Range { queue, first, last } = range;
    let hull = hulls.entry(queue).or_insert(Hull { first, last });
    hull.first = hull.first.min(first);
    hull.last = hull.last.max(last);
}

pub(crate) fn log_name(segment: u64) -> String {
    format!("segment-{segment:016x}.log")
}

pub(crate) fn index_name(segment: u64) -> String {
    format!("segment-{segment:016x}.idx")
}

pub(crate) fn spare_name(segment: u64) -> String {
    format!("spare-{segment:016x}.log")
}

/// The name of a file that was found where a segment should be, and is none of this log.
pub(crate) fn foreign_name(segment: u64) -> String {
    format!("foreign-{segment:016x}.log")
}

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Log(u64),
    Index(u64),
    Spare(u64),
}

impl FileKind {
    pub(crate) fn of(name: &str) -> Option<Self> {
        let number = |digits: &str| (digits.len() == 16).then(|| u64::from_str_radix(digits, 16));
        if let Some(digits) = name.strip_prefix("spare-") {
            return number(digits.strip_suffix(".log")?)?.ok().map(Self::Spare);
        }
        let rest = name.strip_prefix("segment-")?;
        if let Some(digits) = rest.strip_suffix(".log") {
            return number(digits)?.ok().map(Self::Log);
        }
        number(rest.strip_suffix(".idx")?)?.ok().map(Self::Index)
    }
}
