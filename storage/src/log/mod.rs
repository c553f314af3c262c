//! The log: messages, and what became of them, in segments that are only appended to.
//!
//! Read from the top: [`store`] says what a log does, [`writer`] forms groups of batches,
//! [`engine`] writes them, [`recovery`] opens what is there, [`compaction`] keeps it bounded.
//! [`frame`], [`content`] and [`index`] are the octets; [`live`], [`segment`] and [`state`] what is
//! kept in memory.

mod batch;
mod compaction;
mod content;
mod engine;
mod frame;
mod index;
mod judgement;
mod live;
mod memory;
mod options;
mod recovery;
mod scan;
mod segment;
mod settled;
mod state;
mod store;
mod verify;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

pub use self::batch::LogBatch;
pub use self::content::{Range, Target};
pub use self::memory::MemoryLog;
pub use self::options::{Durability, LogOptions};
pub use self::recovery::{Damage, Recovered, RecoveredMessage, RecoveredQueue};
pub use self::store::{MessageStore, StoredMessage, commit};
pub use self::verify::verify;
pub use self::writer::Done;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::frame::Header;
use crate::log::segment::log_name;
use crate::log::state::{SharedState, State};
use crate::log::writer::Writer;

/// Messages on a disk.
#[derive(Debug)]
pub struct Log {
    state: SharedState,
    writer: Writer,
    durability: Durability,
}

/// How much a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogUsage {
    /// Segment files, the one that is being written among them.
    pub segments: usize,
    /// Octets of these files.
    pub octets: u64,
    /// Live messages; one that is in several queues counts for each.
    pub messages: u64,
}

impl Log {
    /// Opens the log that is on a disk, or begins one.
    ///
    /// # Errors
    /// If the disk fails. Damage is no error: it is reported, and what is good is there.
    pub fn open(disk: Arc<dyn Disk>, mut options: LogOptions) -> Result<(Self, Recovered)> {
        if options.durability == Durability::Memory {
            options.durability = Durability::Buffered;
        }
        let state: SharedState = Arc::new(Mutex::new(State::default()));
        let durability = options.durability;
        let (engine, recovered) = recovery::open(disk, options, state.clone())?;
        let writer = Writer::start(engine)?;
        Ok((Self { state, writer, durability }, recovered))
    }

    /// How much there is.
    pub fn usage(&self) -> LogUsage {
        let state = self.state.lock();
        LogUsage {
            segments: state.segments.len(),
            octets: state.segments.values().map(|segment| segment.capacity).sum(),
            messages: state.segments.values().map(|segment| segment.live).sum(),
        }
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

    fn would_block(&self) -> bool {
        self.writer.would_block()
    }

    fn read(&self, target: Target) -> Result<Option<StoredMessage>> {
        let mut before = None;
        loop {
            let found = self.state.lock().locate(target);
            let Some((location, file)) = found else { return Ok(None) };
            let mut octets = vec![0; location.span as usize];
            let read = file.read_at(&mut octets, location.offset);
            let header = Header::parse(&octets, location.segment)
                .filter(|header| header.head_is_sound(&octets, location.segment, location.offset))
                .filter(|header| header.body_is_sound(&octets));
            if let (Ok(()), Some(header)) = (&read, header) {
                let head = header.head_of(&octets).and_then(content::targets_and_meta);
                let meta = head.map_or(0, |(_, meta)| meta.len());
                let (octets, end) = (Bytes::from(octets), frame::HEADER + header.head);
                let meta = octets.slice(end - meta..end);
                let payload = octets.slice(end..end + header.body);
                return Ok(Some(StoredMessage { meta, payload }));
            }
            // It may have been moved, and its file used again, since it was looked up.
            if before == Some(location) {
                read?;
                let file = log_name(location.segment);
                return Err(Error::Damaged { file, offset: location.offset });
            }
            before = Some(location);
        }
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
