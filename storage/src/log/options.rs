//! Settings of a log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::Growth;

/// Called by a log's thread, with no lock of the log held, when something has changed that those
/// who hold back wait for. It must be quick.
pub type Watcher = Arc<dyn Fn() + Send + Sync>;

/// Tells a time in microseconds, from whatever beginning.
pub type Stopwatch = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a completed batch survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: it was written and synced (`fdatasync`).
    #[default]
    Fsync,
    /// The end of the process, by whatever means, but not that of the machine: it was written. A
    /// power cut leaves a first part of what was written since the last sync, if the file system
    /// writes in order, and may leave less.
    Buffered,
    /// Nothing: it is kept in memory.
    Memory,
}

/// Settings of a [`Log`](crate::Log).
#[derive(Clone)]
#[non_exhaustive]
pub struct LogOptions {
    /// What a completed batch survives; [`Durability::Fsync`] by default. A log on disk takes
    /// [`Durability::Memory`] for [`Durability::Buffered`].
    pub durability: Durability,
    /// Tells files that belong to this log from those of others; 0, the default, if it is not
    /// known.
    pub identity: u64,
    /// Octets of a segment file, 4 KiB to 16 GiB; 64 MiB by default. A batch that is larger gets
    /// a segment of its own.
    pub segment_octets: u64,
    /// Emptied segment files that are kept for use again; 1 by default.
    pub spares: usize,
    /// Octets of batches that wait for the disk from which on the log
    /// [is behind](crate::MessageStore::is_behind); 64 MiB by default.
    pub backlog_octets: usize,
    /// Octets of batches that are written under one sync, at most; 8 MiB by default.
    pub group_octets: usize,
    /// Octets that compaction copies between two groups, at most; 1 MiB by default. One record
    /// more is always copied, however large.
    pub compaction_octets: usize,
    /// How long a batch waits at most that [may](crate::LogBatch::may_wait); 20 ms by default.
    pub wait_at_most: Duration,
    /// How long after a failure of the disk writing is tried again; 1 s by default.
    pub retry_after: Duration,
    /// Called after a failure of the disk began, after it ended, and after the log, having been
    /// [behind](crate::MessageStore::is_behind), is so no more; none by default.
    pub watcher: Option<Watcher>,
    /// What syncs are timed with; none by default.
    pub stopwatch: Option<Stopwatch>,
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogOptions")
            .field("durability", &self.durability)
            .field("identity", &self.identity)
            .field("segment_octets", &self.segment_octets)
            .field("spares", &self.spares)
            .field("backlog_octets", &self.backlog_octets)
            .field("group_octets", &self.group_octets)
            .field("compaction_octets", &self.compaction_octets)
            .field("wait_at_most", &self.wait_at_most)
            .field("retry_after", &self.retry_after)
            .field("watcher", &self.watcher.is_some())
            .field("stopwatch", &self.stopwatch.is_some())
            .finish()
    }
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            identity: 0,
            segment_octets: 64 << 20,
            spares: 1,
            backlog_octets: 64 << 20,
            group_octets: 8 << 20,
            compaction_octets: 1 << 20,
            wait_at_most: Duration::from_millis(20),
            retry_after: Duration::from_secs(1),
            watcher: None,
            stopwatch: None,
        }
    }
}

impl LogOptions {
    /// With segments of so many octets.
    #[must_use]
    pub fn segment_octets(mut self, octets: u64) -> Self {
        self.segment_octets = octets.clamp(4 << 10, 16 << 30).next_multiple_of(8);
        self
    }

    /// How the manifest grows.
    pub(crate) fn manifest_growth(&self) -> Growth {
        let step = (self.segment_octets / 16).clamp(Growth::LEAST, Growth::COMMON.step);
        Growth { step, long: 4 * step }
    }

    /// With files that belong to this identity.
    #[must_use]
    pub fn identity(mut self, identity: u64) -> Self {
        self.identity = identity;
        self
    }

    /// With this durability.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// With this stopwatch.
    #[must_use]
    pub fn stopwatch(mut self, stopwatch: Stopwatch) -> Self {
        self.stopwatch = Some(stopwatch);
        self
    }

    /// The time in microseconds; 0 without a stopwatch.
    pub(crate) fn now_us(&self) -> u64 {
        self.stopwatch.as_ref().map_or(0, |stopwatch| stopwatch())
    }

    /// With this watcher.
    #[must_use]
    pub fn watcher(mut self, watcher: Watcher) -> Self {
        self.watcher = Some(watcher);
        self
    }
}
