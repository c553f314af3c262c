//! Streams: queues that keep everything, and are read from anywhere `[rabbitmq streams]`.
//!
//! Unlike other queues a stream is not a machine in memory but its log, which is in
//! `leveret_storage`, on disk or in memory. What is here is who reads it: [`readers`] are the
//! consumers and their windows, [`cursor`] the place of one of them, [`progress`] how far one with
//! a name is; [`queue`] is what a queue does that is a stream. The log is never asked while the
//! readers are locked.

pub(crate) mod age;
pub(crate) mod cursor;
pub(crate) mod filter;
pub(crate) mod groups;
mod line;
pub(crate) mod offsets;
mod overdue;
mod progress;
mod queue;
pub(crate) mod readers;
mod serving;
pub(crate) mod start;
mod status;
pub(crate) mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};

use leveret_storage::{
    Content, Done, Gate, NewEntry, Retention, Start, Stream, StreamBatch, StreamSettings,
};

use self::cursor::{Cursor, Read};
use self::filter::Filter;
use self::groups::Groups;
use self::progress::Outcome;
use self::readers::Readers;
use self::turns::Standing;
use crate::base::lock::Mutex;
use crate::base::names::QueueName;
use crate::base::rank;
use crate::limits::STREAM_FILTER_BYTES_MIN;
use crate::message::{Message, amqp10};
use crate::queue::consumers::{ConsumerId, ConsumerSpec};
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::settling::Settlement;
use crate::queue::fifo::state::Counts;
use crate::queue::settings::Settings;
use crate::time::clock::Timestamp;

/// What a consumer of a stream asks for.
pub(crate) struct Reading {
    /// Where it begins, unless its name says so.
    pub start: Start,
    /// What it wants.
    pub filter: Filter,
    /// The name by which the stream keeps how far it is.
    pub name: Option<String>,
    /// With a name: that it takes turns with others of that name.
    pub turns: Option<Turns>,
}

/// That a consumer takes turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    /// Which partition of a super stream the stream is, from 0; `None` if that does not matter.
    pub partition: Option<usize>,
}

/// A stream of a virtual host.
pub(crate) struct StreamQueue {
    name: QueueName,
    log: Arc<Stream>,
    /// What is in memory goes away with the broker.
    is_in_memory: bool,
    pub(in crate::queue) readers: Mutex<Readers, rank::Readers>,
    /// Of its readers over the stream protocol, those who take turns.
    pub(crate) groups: Mutex<Groups, rank::Groups>,
    /// Octets that count as memory.
    footprint: AtomicIsize,
    /// When retention is looked at next, in milliseconds; 0 for never.
    retained_at: AtomicU64,
}

/// The settings of its log.
pub(crate) fn log_settings(settings: &Settings) -> StreamSettings {
    let default = StreamSettings::default();
    StreamSettings {
        segment_octets: settings.stream_segment_bytes.unwrap_or(default.segment_octets),
        retention: Retention {
            max_octets: settings.length.max_length_bytes,
            max_age_ms: settings.max_age_ms,
        },
        filter_octets: settings.stream_filter_bytes.unwrap_or(STREAM_FILTER_BYTES_MIN),
    }
}

fn ms(now: Timestamp) -> i64 {
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

impl StreamQueue {
    pub(crate) fn new(
        name: QueueName,
        log: Arc<Stream>,
        is_in_memory: bool,
        readers: Readers,
    ) -> Self {
        Self {
            name,
            log,
            is_in_memory,
            readers: Mutex::new(readers),
            groups: Mutex::default(),
            footprint: AtomicIsize::new(0),
            retained_at: AtomicU64::new(0),
        }
    }

    /// Its log.
    pub(crate) fn log(&self) -> &Arc<Stream> {
        &self.log
    }

    /// Appends messages; tells the offset of the first. `done` is called once they are committed.
    pub(crate) fn append(&self, messages: &[Message], now: Timestamp, done: Done) -> Option<u64> {
        self.append_batch(&self.batch(messages), now, done)
    }

    /// The same, if the first message gets this offset; else nothing, and `done` is told.
    pub(crate) fn append_at(
        &self,
        offset: u64,
        messages: &[Message],
        now: Timestamp,
        done: Done,
    ) -> Option<u64> {
        let mut batch = self.batch(messages);
        batch.expect(offset);
        self.append_batch(&batch, now, done)
    }

    /// The same behind a gate: they are not written before that is open.
    pub(crate) fn append_gated(
        &self,
        messages: &[Message],
        now: Timestamp,
        done: Done,
    ) -> Option<(u64, Gate)> {
        let batch = self.batch(messages);
        let appended = self.log.append_gated(&batch, ms(now), done);
        let (appended, gate) = self.count_appended(&batch, now, appended)?;
        Some((appended.first_offset, gate))
    }

    /// Messages as the log takes them.
    fn batch(&self, messages: &[Message]) -> StreamBatch {
        let mut batch = StreamBatch::new();
        let mut sections = Vec::with_capacity(256);
        for message in messages {
            sections.clear();
            amqp10::encode(message, &mut sections);
            let parts = [sections.as_slice(), message.body()];
            let entry = NewEntry {
                publishing_id: 0,
                filter: amqp10::filter_value(message),
                content: Content::Message(&parts),
            };
            if let Err(error) = batch.push(entry) {
                tracing::error!("a message cannot be stored in stream '{}': {error}", self.name);
            }
        }
        batch
    }

    /// The same with what is encoded already.
    pub(crate) fn append_batch(
        &self,
        batch: &StreamBatch,
        now: Timestamp,
        done: Done,
    ) -> Option<u64> {
        let appended = self.log.append(batch, ms(now), done);
        Some(self.count_appended(batch, now, appended)?.first_offset)
    }

    /// Counts a batch, if the log has taken it.
    fn count_appended<T>(
        &self,
        batch: &StreamBatch,
        now: Timestamp,
        appended: leveret_storage::Result<T>,
    ) -> Option<T> {
        // It is not where it was expected to be; or the broker is being closed, and its clients
        // hear no more of it.
        let appended = appended.inspect_err(|error| tracing::debug!("not stored: {error}")).ok()?;
        self.readers.lock().count_appended(batch.messages(), !self.is_in_memory, now);
        Some(appended)
    }

    /// Octets in memory more (or, negative, less) than when it was asked last.
    pub(crate) fn grown(&self) -> isize {
        if !self.is_in_memory {
            return 0;
        }
        let is_gone = self.log.is_deleted();
        let octets = if is_gone { 0 } else { self.log.usage().octets.cast_signed() as isize };
        octets - self.footprint.swap(octets, Ordering::AcqRel)
    }

    /// Registers a consumer. It gets its first message when it is resumed.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn add_consumer(
        &self,
        spec: ConsumerSpec,
        reading: Reading,
        now: Timestamp,
    ) -> leveret_storage::Result<ConsumerId> {
        let Reading { mut start, filter, name, turns } = reading;
        let stored = name.as_deref().and_then(|name| self.log.stored_offset(name));
        if let Some(stored) = stored {
            start = Start::Offset(stored.saturating_add(1));
        }
        let cursor = Cursor::new(self.log.reader(start)?, filter, self.name.as_str());
        let name = name.map(|name| (Arc::from(name), stored));
        let standing = if turns.is_some() { Standing::Waiting } else { Standing::Always };
        Ok(self.readers.lock().add(spec, cursor, name, standing, now))
    }

    /// Settles deliveries: they open the windows of their consumers, and move those on that have
    /// names.
    pub(crate) fn settle(
        &self,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
    ) {
        let is_ack = settlement == Settlement::Ack;
        let outcome = match settlement {
            Settlement::Ack | Settlement::Reject => Some(Outcome::Done),
            Settlement::Requeue | Settlement::RequeueLast { .. } => Some(Outcome::Wanted),
            Settlement::Abandon => None,
        };
        let news = self.readers.lock().settle(ids, outcome, is_ack, now);
        news.iter().for_each(|(name, offset)| self.keep_offset(name, *offset));
        self.settle_groups();
    }

    /// Whoever bears a name has done with everything up to an offset.
    pub(crate) fn keep_offset(&self, name: &str, offset: u64) {
        // Somebody else may have the same name, and be further.
        if self.log.stored_offset(name).is_none_or(|stored| stored < offset)
            && let Err(error) = self.log.store_offset(name, offset, None)
        {
            tracing::debug!("offset of '{name}' in stream '{}' not kept: {error}", self.name);
        }
    }

    /// Counts at this moment.
    pub(crate) fn counts(&self) -> Counts {
        let readers = self.readers.lock();
        let (unacked, consumers) = (readers.unsettled_count(), readers.len());
        drop(readers);
        Counts {
            ready: usize::try_from(self.log.usage().messages).unwrap_or(usize::MAX),
            unacked,
            consumers,
            declared_consumers: 0,
            discarded: 0,
            footprint: 0,
        }
    }

    /// Removes what is not retained any more; tells when there will be more of it, if that is news.
    pub(crate) fn retain(&self, now: Timestamp) -> Option<Timestamp> {
        let next = match self.log.retain(ms(now)) {
            Ok(next) => next.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            Err(error) => {
                tracing::error!("retention of stream '{}' failed: {error}", self.name);
                return None;
            }
        };
        let known = self.retained_at.swap(next, Ordering::AcqRel);
        (next != 0 && next != known).then(|| Timestamp::from_millis(next))
    }

    /// Up to `max` messages from a place on.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn read(&self, start: Start, max: usize) -> leveret_storage::Result<Vec<Entry>> {
        let mut cursor =
            Cursor::new(self.log.reader(start)?, Filter::default(), self.name.as_str());
        let mut found = Vec::new();
        while found.len() < max {
            let read = cursor.read(max - found.len())?;
            let Some(last) = read.last() else { break };
            cursor.advance(last.after);
            found.extend(read.into_iter().map(Read::into_entry));
        }
        Ok(found)
    }
}
