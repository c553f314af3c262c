//! What a queue does that is a stream.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use leveret_storage::{Done, Gate, Start, Stream, StreamBatch};

use crate::error::{Error, NotImplemented, Result};
use crate::message::Message;
use crate::queue::consumers::{ConsumerId, ConsumerSpec, Passing};
use crate::queue::effects::Effects;
use crate::queue::ended::Ended;
use crate::queue::fifo::entry::Entry;
use crate::queue::stream::readers::{Readers, Unsettled};
use crate::queue::stream::turns::Standing;
use crate::queue::stream::{Reading, StreamQueue, log_settings};
use crate::queue::{Outstanding, Queue, Settings, Settlement};
use crate::time::clock::Timestamp;

impl Queue {
    /// With a log: it is a stream.
    pub(crate) fn with_log(mut self, log: Arc<Stream>, is_in_memory: bool, now: Timestamp) -> Self {
        let timeout_ms = self.storage.timeout_ms();
        let settings = Settings::within(&self.attributes.arguments, &[], timeout_ms);
        let readers = Readers::new(settings.consumer_timeout_ms, now);
        let stream = StreamQueue::new(self.name.clone(), log, is_in_memory, readers);
        self.stream = Some(Box::new(stream));
        self
    }

    /// What it is as a stream, if it is one.
    pub(crate) fn stream(&self) -> Option<&StreamQueue> {
        self.stream.as_deref()
    }

    /// Fails with 540 if it is a stream, which cannot do that.
    pub(in crate::queue) fn refuse_if_stream(&self, method: &'static str) -> Result<()> {
        if self.stream.is_none() {
            return Ok(());
        }
        Err(NotImplemented::MethodOfStream(method, self.resource()).into())
    }

    pub(in crate::queue) fn set_stream_settings(
        self: &Arc<Self>,
        settings: &Settings,
        effects: &mut Effects,
    ) {
        if let Some(stream) = &self.stream {
            stream.log().set_settings(log_settings(settings));
            stream.readers.lock().set_timeout(settings.consumer_timeout_ms);
            effects.note_read(self);
        }
    }

    pub(in crate::queue) fn hold_stream(self: &Arc<Self>, held: bool, effects: &mut Effects) {
        if let Some(stream) = &self.stream {
            stream.readers.lock().set_held(held);
            effects.note_read(self);
        }
    }

    pub(in crate::queue) fn release_stream(self: &Arc<Self>, count: usize, effects: &mut Effects) {
        if let Some(stream) = &self.stream {
            stream.readers.lock().release(count);
            effects.note_read(self);
        }
    }

    /// Appends messages to a stream; tells the offset of the first. `done` is called once they are
    /// committed.
    pub(crate) fn append_to_log(
        self: &Arc<Self>,
        stream: &StreamQueue,
        messages: &[Message],
        now: Timestamp,
        effects: &mut Effects,
        done: Done,
    ) -> Option<u64> {
        self.note_appended(messages, now);
        let first = stream.append(messages, now, done);
        if let Some(first) = first {
            self.note_offsets(stream.log().id(), first, messages);
        }
        effects.note_read(self);
        first
    }

    /// The same, if the first message gets this offset; else nothing, and `done` is told.
    pub(crate) fn append_expecting(
        self: &Arc<Self>,
        stream: &StreamQueue,
        offset: u64,
        messages: &[Message],
        now: Timestamp,
        effects: &mut Effects,
        done: Done,
    ) -> Option<u64> {
        let first = stream.append_at(offset, messages, now, done)?;
        self.note_appended(messages, now);
        self.note_offsets(stream.log().id(), first, messages);
        effects.note_read(self);
        Some(first)
    }

    /// Appends messages behind a gate: they have their offsets, of which it tells the first, and
    /// are not written before that is open.
    pub(crate) fn append_gated(
        self: &Arc<Self>,
        stream: &StreamQueue,
        messages: &[Message],
        now: Timestamp,
        effects: &mut Effects,
        done: Done,
    ) -> Option<(u64, Gate)> {
        self.note_appended(messages, now);
        let (first, gate) = stream.append_gated(messages, now, done)?;
        self.note_offsets(stream.log().id(), first, messages);
        effects.note_read(self);
        Some((first, gate))
    }

    /// Appends what the stream protocol brought. `messages` are only asked for if somebody wants to
    /// know of them.
    pub(crate) fn append_batch(
        self: &Arc<Self>,
        batch: &StreamBatch,
        messages: impl FnOnce() -> Vec<Message>,
        now: Timestamp,
        effects: &mut Effects,
        done: Done,
    ) {
        let Some(stream) = &self.stream else { return };
        let messages = if self.journal.is_some() { messages() } else { Vec::new() };
        self.note_appended(&messages, now);
        if let Some(first) = stream.append_batch(batch, now, done) {
            self.note_offsets(stream.log().id(), first, &messages);
        }
        effects.note_read(self);
    }

    /// Registers a consumer of a stream. It gets its first message when it is resumed. Errors: 404,
    /// 406, 541.
    pub(crate) fn add_reader(
        self: &Arc<Self>,
        spec: ConsumerSpec,
        reading: Reading,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<ConsumerId> {
        let stream = self.stream.as_ref().filter(|_| !self.is_deleted());
        let stream = stream.ok_or_else(|| Error::NotFound(self.resource()))?;
        let failed = |error: leveret_storage::Error| Error::Storage(error.to_string());
        let group = reading.turns.and_then(|turns| Some((turns, reading.name.clone()?)));
        let known = spec.clone();
        let id = stream.add_consumer(spec, reading, now).map_err(failed)?;
        let joined = match &group {
            Some((turns, name)) => self.join_group((id, &known), name, *turns, effects),
            None => Ok(()),
        };
        let joined = if self.is_deleted() { Err(Error::NotFound(self.resource())) } else { joined };
        if let Err(error) = joined {
            self.remove_reader(stream, id, now, effects);
            return Err(error);
        }
        self.note_reader(&known, true, now);
        Ok(id)
    }

    /// Removes consumers of a stream. What they had stays where it is.
    pub(in crate::queue) fn remove_readers(
        self: &Arc<Self>,
        stream: &StreamQueue,
        consumers: &[ConsumerId],
        left: impl FnOnce() -> Vec<(Settlement, Vec<u64>)>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        for id in consumers {
            if let Some(spec) = self.remove_reader(stream, *id, now, effects) {
                self.note_reader(&spec, false, now);
            }
        }
        left().into_iter().for_each(|(settlement, ids)| stream.settle(ids, settlement, now));
    }

    /// Deliveries of a stream are settled.
    pub(in crate::queue) fn settle_read(
        &self,
        stream: &StreamQueue,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
    ) {
        if self.journal.is_none() {
            return stream.settle(ids, settlement, now);
        }
        let ids: Vec<u64> = ids.into_iter().collect();
        let offsets = stream.readers.lock().offsets(&ids);
        self.note_read_settled(stream.log().id(), &offsets, settlement, now);
        stream.settle(ids, settlement, now);
    }

    fn remove_reader(
        self: &Arc<Self>,
        stream: &StreamQueue,
        id: ConsumerId,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Option<ConsumerSpec> {
        let removed = stream.readers.lock().remove(id, now)?;
        if removed.standing != Standing::Always
            && let Some(name) = removed.name()
        {
            self.leave_group((id, &removed.spec), &name, effects);
        }
        Some(removed.spec)
    }

    /// Reads for one of the consumers of a stream, and hands over what it takes. Tells whether
    /// there may be more to do. Reads the log with no lock held.
    pub(crate) fn serve_reader(&self, now: Timestamp, effects: &mut Effects) -> bool {
        let Some(stream) = &self.stream else { return false };
        let committed = stream.log().committed_offset();
        let Some(mut turn) = stream.readers.lock().next_turn(committed) else { return false };
        if let Some(name) = turn.seek.take() {
            let stored = stream.seek(&mut turn.cursor, &name);
            stream.readers.lock().begin_behind(turn.consumer, stored);
        }
        let read = turn.cursor.read(turn.max).unwrap_or_else(|error| {
            tracing::error!("{} cannot be read: {error}", self.resource());
            Vec::new()
        });
        let count = read.len();
        let Effects { deliveries, wakeups, .. } = effects;
        let mut readers = stream.readers.lock();
        let outlet = readers.hand_over(turn, read, committed, now, deliveries);
        readers.count_read(count, !stream.is_in_memory);
        self.note_read(stream.log().id(), &readers, deliveries, now);
        match outlet {
            Some(outlet) if !deliveries.is_empty() => {
                outlet.deliver(Passing::given(deliveries.drain(..)), wakeups);
            }
            _ => {}
        }
        deliveries.clear();
        true
    }

    /// The first messages of a stream.
    pub(crate) fn read_first(&self, max: usize) -> Result<Vec<Entry>> {
        let Some(stream) = &self.stream else { return Ok(Vec::new()) };
        stream.read(Start::First, max).map_err(|error| Error::Storage(error.to_string()))
    }

    /// The deliveries of a stream that are not settled, oldest first.
    pub(in crate::queue) fn unsettled(&self, stream: &StreamQueue) -> Vec<Outstanding> {
        let unsettled = stream.readers.lock().unsettled();
        let mut found = Vec::with_capacity(unsettled.len());
        for (offset, Unsettled { consumer_tag, channel, delivered_at }) in unsettled {
            let entry = stream.read(Start::Offset(offset), 1).unwrap_or_else(|error| {
                tracing::error!("{} cannot be read: {error}", self.resource());
                Vec::new()
            });
            // What is gone by now cannot be shown.
            let entry = entry.into_iter().find(|entry| entry.sequence == offset);
            found.extend(entry.map(|entry| Outstanding {
                entry,
                consumer_tag,
                channel,
                delivered_at,
            }));
        }
        found
    }

    /// Ends a stream; `None` if it had ended before.
    pub(in crate::queue) fn end_stream(
        &self,
        stream: &StreamQueue,
        now: Timestamp,
    ) -> Option<Ended> {
        let mut readers = stream.readers.lock();
        if self.is_deleted() {
            return None;
        }
        self.deleted.store(true, Ordering::Release);
        readers.iter().for_each(|reader| self.note_reader(&reader.spec, false, now));
        Some(Ended::of_stream(std::mem::replace(&mut *readers, Readers::new(0, now))))
    }
}
