//! How much a log holds, and what it has done with the disk.

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogUsage {
    /// Segment files, the one that is being written among them.
    pub segments: usize,
    /// Octets of these files.
    pub octets: u64,
    /// Live messages; one that is in several queues counts for each.
    pub messages: u64,
    /// Syncs of these files since the log was opened.
    pub syncs: u64,
    /// How long they have taken, in microseconds; 0 without a
    /// [stopwatch](crate::LogOptions::stopwatch).
    pub sync_us: u64,
    /// What was written to these files.
    pub writes: IoUsage,
    /// What was read back: one message, or several of a queue together.
    pub reads: IoUsage,
}

/// What was read or written since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoUsage {
    /// How often.
    pub count: u64,
    /// How much.
    pub octets: u64,
    /// How long that has taken, in microseconds; 0 without a
    /// [stopwatch](crate::LogOptions::stopwatch).
    pub us: u64,
}

impl IoUsage {
    /// Once more.
    pub(crate) fn add(&mut self, octets: u64, us: u64) {
        self.count += 1;
        self.octets += octets;
        self.us += us;
    }
}
