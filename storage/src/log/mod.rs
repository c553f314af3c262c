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
mod verify;
mod writer;

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
pub use self::store::{LogUsage, MessageStore, StoredMessage, commit};
pub use self::verify::verify;
pub use self::writer::Done;
use crate::disk::Disk;
use crate::error::Result;
use crate::key::QueueId;
use crate::log::state::SharedState;
use crate::log::writer::Writer;

/// Messages on a disk.
#[derive(Debug)]
pub struct Log {
    state: SharedState,
    writer: Writer,
    durability: Durability,
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
        let durability = options.durability;
        let (engine, recovered) = recovery::open(disk, options, found)?;
        let state = engine.state.clone();
        let writer = Writer::start(engine)?;
        Ok((Self { state, writer, durability }, recovered))
    }

    /// Tries at once to write what could not be written, instead of after
    /// [`LogOptions::retry_after`].
    pub fn retry(&self) {
        self.writer.retry();
    }
}

impl MessageStore for Log {
    fn submit(&self, batch: LogBatch, done: Done) -> Result<()> {
        self.writer.submit(batch, done)
    }

    fn is_behind(&self) -> bool {
        self.writer.is_behind()
    }

    fn read(&self, target: Target) -> Result<Option<StoredMessage>> {
        reading::read(&self.state, target)
    }

    fn read_many(
        &self,
        queue: QueueId,
        sequences: &[u64],
        octets_max: usize,
    ) -> Vec<Result<Option<StoredMessage>>> {
        reading::read_many(&self.state, queue, sequences, octets_max)
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
