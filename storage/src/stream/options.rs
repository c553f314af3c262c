//! Settings of streams.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::log::{Damage, Durability, Watcher};

/// The largest segment that a stream may have `[rabbitmq streams]`.
pub const SEGMENT_OCTETS_MAX: u64 = 3_000_000_000;

/// Called when a damaged chunk was found and passed over, by the thread that found it.
pub type DamageWatcher = Arc<dyn Fn(&Damage) + Send + Sync>;

/// Settings of all streams of a broker.
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamOptions {
    /// What a committed message survives; [`Durability::Fsync`] by default. On disk
    /// [`Durability::Memory`] is taken for [`Durability::Buffered`].
    pub durability: Durability,
    /// Octets of a chunk's data from which on it takes no more entries; 64 KiB by default.
    pub chunk_octets: usize,
    /// Octets of chunks that wait for the disk from which on the streams
    /// [are behind](crate::Streams::is_behind); 64 MiB by default.
    pub backlog_octets: usize,
    /// Octets of one stream that are written under one sync, about; 8 MiB by default.
    pub group_octets: usize,
    /// How long an offset by name waits at most that nobody waits for; 200 ms by default.
    pub wait_at_most: Duration,
    /// How long after a failure of the disk writing is tried again; 1 s by default.
    pub retry_after: Duration,
    /// Files that are kept open for reading, at most; 128 by default.
    pub open_files: usize,
    /// Called after a failure of the disk began, after it ended, and after the streams, having
    /// been behind, are so no more; none by default.
    pub watcher: Option<Watcher>,
    /// Called for damaged chunks that readers come across; none by default.
    pub damaged: Option<DamageWatcher>,
}

impl fmt::Debug for StreamOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StreamOptions")
            .field("durability", &self.durability)
            .field("chunk_octets", &self.chunk_octets)
            .field("backlog_octets", &self.backlog_octets)
            .field("group_octets", &self.group_octets)
            .field("wait_at_most", &self.wait_at_most)
            .field("retry_after", &self.retry_after)
            .field("open_files", &self.open_files)
            .finish_non_exhaustive()
    }
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            chunk_octets: 64 << 10,
            backlog_octets: 64 << 20,
            group_octets: 8 << 20,
            wait_at_most: Duration::from_millis(200),
            retry_after: Duration::from_secs(1),
            open_files: 128,
            watcher: None,
            damaged: None,
        }
    }
}

impl StreamOptions {
    /// With this durability.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// With this watcher.
    #[must_use]
    pub fn watcher(mut self, watcher: Watcher) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Tells of damaged chunks.
    #[must_use]
    pub fn damaged(mut self, watcher: DamageWatcher) -> Self {
        self.damaged = Some(watcher);
        self
    }
}

/// Settings of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Octets from which on a segment is full, up to [`SEGMENT_OCTETS_MAX`]; 500,000,000 by
    /// default.
    pub segment_octets: u64,
    /// What of a stream is kept.
    pub retention: Retention,
    /// Octets of the filter of a chunk, 16 to 255; 16 by default.
    pub filter_octets: u8,
}

impl Default for StreamSettings {
    fn default() -> Self {
        let retention = Retention::default();
        Self { segment_octets: 500_000_000, retention, filter_octets: 16 }
    }
}

/// What of a stream is kept: whole segments, the one that is being written always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Octets of segments at most; `None`, the default, for any number.
    pub max_octets: Option<u64>,
    /// How old the last message of a segment may be, in milliseconds; `None`, the default, for any
    /// age.
    pub max_age_ms: Option<u64>,
}
