//! The log: messages, and what became of them, in segments that are only appended to.
//!
//! Read from the top: [`store`] says what a log does, [`writer`] forms groups of batches,
//! [`engine`] writes them, [`reading`] reads them, [`recovery`] opens what is there, [`compaction`]
//! keeps it bounded, [`space`] and [`overtaking`] see to full disks. [`manifest`] and [`progress`]
//! say what should be there, and [`expected`] whether it is.
//! [`frame`], [`content`] and [`index`] are the octets; [`live`], [`segment`] and [`state`] what is
//! kept in memory.

mod batch;
mod compaction;
mod content;
mod damage;
mod engine;
mod expected;
mod frame;
mod index;
mod judgement;
mod live;
mod manifest;
mod memory;
mod options;
mod overtaking;
mod progress;
mod reading;
mod recovery;
mod scan;
mod segment;
mod settled;
mod space;
mod state;
mod store;
mod usage;
mod verify;
mod writer;

use std::fmt;
use std::sync::Arc;

pub use self::batch::LogBatch;
pub use self::content::{Range, Target};
pub use self::damage::Damage;
#[cfg(feature = "sled")]
pub(crate) use self::manifest::MANIFEST;
pub use self::memory::MemoryLog;
pub use self::options::{Durability, LogOptions, Stopwatch, Watcher};
#[cfg(feature = "sled")]
pub(crate) use self::recovery::adopt;
pub use self::recovery::{Recovered, inspect};
pub use self::store::{MessageStore, StoredMessage, commit};
pub use self::usage::{IoUsage, LogUsage};
pub use self::verify::verify;
pub use self::writer::Done;
use crate::disk::Disk;
use crate::error::Result;
use crate::key::QueueId;
use crate::log::state::SharedState;
use crate::log::writer::Writer;

/// Messages on a disk.
pub struct Log {
    state: SharedState,
    writer: Writer,
    durability: Durability,
    stopwatch: Option<Stopwatch>,
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Log");
        shown.field("state", &self.state).field("writer", &self.writer);
        shown.field("durability", &self.durability).finish_non_exhaustive()
    }
}

impl Log {
    /// Opens the log that is on a disk, or begins one. `found` is called for every live message
    /// of every queue, with its target, the octets of its record and its meta: in the order of
    /// segments and offsets, so that the sequences of a queue nearly always ascend. They do not
    /// where messages were moved to keep the disk bounded, and `found` is called twice for one
    /// target if a crash interrupted that.
    ///
    /// # Errors
    /// If the disk fails. Damage is no error: it is reported, and what is good is there.
    pub fn open(
        disk: Arc<dyn Disk>,
        mut options: LogOptions,
        found: &mut dyn FnMut(Target, u32, &[u8]),
    ) -> Result<(Self, Recovered)> {
        if options.durability == Durability::Memory {
            options.durability = Durability::Buffered;
        }
        let (durability, stopwatch) = (options.durability, options.stopwatch.clone());
        let (engine, recovered) = recovery::open(disk, options, found)?;
        let state = engine.state.clone();
        let writer = Writer::start(engine)?;
        Ok((Self { state, writer, durability, stopwatch }, recovered))
    }

    /// Reads, counts that, and takes its time.
    fn timed<T>(&self, read: impl FnOnce() -> T, octets: impl FnOnce(&T) -> usize) -> T {
        let now_us = || self.stopwatch.as_ref().map_or(0, |stopwatch| stopwatch());
        let began_us = now_us();
        let found = read();
        let took_us = now_us().saturating_sub(began_us);
        let octets = octets(&found);
        if octets > 0 {
            self.state.lock().reads.add(octets as u64, took_us);
        }
        found
    }

    /// Tries at once to write what could not be written, instead of after
    /// [`LogOptions::retry_after`].
    pub fn retry(&self) {
        self.writer.retry();
    }
}

/// What a read has brought.
fn octets(found: &Result<Option<StoredMessage>>) -> usize {
    found.as_ref().ok().and_then(Option::as_ref).map_or(0, |it| it.meta.len() + it.payload.len())
}

impl MessageStore for Log {
    fn submit(&self, batch: LogBatch, done: Done) -> Result<()> {
        self.writer.submit(batch, done)
    }

    fn is_behind(&self) -> bool {
        self.writer.is_behind()
    }

    fn read(&self, target: Target) -> Result<Option<StoredMessage>> {
        self.timed(|| reading::read(&self.state, target), octets)
    }

    fn read_many(
        &self,
        queue: QueueId,
        sequences: &[u64],
        octets_max: usize,
    ) -> Vec<Result<Option<StoredMessage>>> {
        let read = || reading::read_many(&self.state, queue, sequences, octets_max);
        self.timed(read, |found| found.iter().map(self::octets).sum())
    }

    fn sequences(&self, queue: QueueId, from: u64, max: usize) -> Vec<u64> {
        let state = self.state.lock();
        let live = state.live(queue).into_iter();
        live.flat_map(|live| live.iter_from(from)).map(|(sequence, _)| sequence).take(max).collect()
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn failure(&self) -> Option<String> {
        self.writer.failure()
    }

    fn usage(&self) -> LogUsage {
        let state = self.state.lock();
        LogUsage {
            segments: state.segments.len(),
            octets: state.segments.values().map(|segment| segment.capacity).sum(),
            messages: state.segments.values().map(|segment| segment.live).sum(),
            syncs: state.syncs,
            sync_us: state.sync_us,
            writes: state.writes,
            reads: state.reads,
        }
    }

    fn close(&self) -> Result<()> {
        self.writer.close()
    }
}

impl Drop for Log {
    /// Closes it; whoever wants to know whether that went well has called `close`.
    fn drop(&mut self) {
        let _ = self.writer.close();
    }
}
