//! What has to survive a restart: virtual hosts, exchanges, queues, bindings, policies and users as
//! [`records`], messages in a log ([`messages`]). [`recovery`] finds them again.
//!
//! A message is handed to the store before it enters its queues, so that whatever becomes of it
//! there is handed in later. Nobody waits for the store under a lock: it calls back.

mod health;
pub(crate) mod messages;
mod moved;
mod queue_ids;
pub(crate) mod records;
pub(crate) mod recovered;
pub(crate) mod recovery;
pub(crate) mod stream_logs;
mod syncer;
mod users;
mod waits;

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use leveret_storage::{
    Batch, DefinitionKind, Done, Durability, Key, LogBatch, LogUsage, MessageStore, Prefix, Range,
    Store, StoredMessage, Streams, Target, scan,
};
use smallvec::SmallVec;

pub(crate) use self::health::Health;
use self::messages::Beside;
pub(crate) use self::moved::{Moved, Place, Places, Staged, Stays};
pub(crate) use self::queue_ids::QueueIds;
use self::records::ReturnRecord;
use self::syncer::Syncer;
pub(crate) use self::users::are_recorded as are_users_recorded;
use crate::access::AccessControl;
use crate::base::ids::StoreId;
use crate::base::lock::{Mutex, RwLock};
use crate::base::rank;
use crate::base::wake::Wake;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::message::stored::{Gone, Returned};
use crate::persist::records::{DELETED, REDELIVERED};
use crate::queue::Queue;
use crate::queue::aside::Aside;
use crate::time::clock::Timestamp;

/// Runs in one record.
const RUNS_MAX: usize = 256;

/// The store of a broker.
pub(crate) struct Persistence {
    /// `None` once the broker is closed: another may open it, though somebody still holds a
    /// channel of this one.
    records: RwLock<Option<Arc<dyn Store>>, rank::Records>,
    log: Arc<dyn MessageStore>,
    streams: Arc<Streams>,
    syncer: Syncer,
    ids: QueueIds,
    health: Arc<Health>,
}

/// Calls back when something is stored; if it never will be, nothing happens.
pub(crate) fn then(stored: impl FnOnce() + Send + 'static) -> Done {
    Box::new(move |result| {
        if result.is_ok() {
            stored();
        }
    })
}

/// Nobody waits.
pub(crate) fn nothing() -> Done {
    Box::new(|_| {})
}

impl Persistence {
    /// Over these stores. `health` is told by the log when its own changes.
    pub(crate) fn new(
        records: Arc<dyn Store>,
        log: Arc<dyn MessageStore>,
        streams: Arc<Streams>,
        health: Arc<Health>,
        ids: QueueIds,
    ) -> Self {
        let syncer = Syncer::new(records.clone(), health.clone());
        // They tell the health of changes, and so must not be kept by it.
        let disk = (Arc::downgrade(&log), Arc::downgrade(&streams));
        health.watch(move || {
            let log = disk.0.upgrade().and_then(|log| log.failure());
            log.or_else(|| disk.1.upgrade().and_then(|streams| streams.failure()))
        });
        let records = RwLock::new(Some(records));
        Self { records, log, streams, syncer, ids, health }
    }

    /// The logs of streams.
    pub(crate) fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// A number that no queue or exchange ever had in this store. Errors: 541.
    pub(crate) fn new_id(&self) -> Result<StoreId> {
        let records = self.records()?;
        self.ids.next(&*records).map_err(|error| self.records_failed(&error))
    }

    fn records(&self) -> Result<Arc<dyn Store>> {
        self.records.read().clone().ok_or(Error::ChannelClosed)
    }

    fn records_failed(&self, error: &leveret_storage::Error) -> Error {
        tracing::error!("definitions cannot be stored: {error}");
        Error::Storage(error.to_string())
    }

    /// Makes changes of records, all or none. They are durable after [`Persistence::sync`].
    /// Errors: 541.
    pub(crate) fn commit(&self, batch: Batch) -> Result<()> {
        let records = self.records()?;
        let receipt = records.commit(batch).map_err(|error| {
            if !matches!(error, leveret_storage::Error::TooLarge) {
                // Who does not hear of it now, because what he deleted is gone all the same,
                // hears of it when he waits for that to be durable.
                self.health.records_have_failed();
            }
            self.records_failed(&error)
        })?;
        self.syncer.committed(receipt);
        Ok(())
    }

    /// Records users and permissions, now and after each change.
    pub(crate) fn record_users(&self, access: &Arc<AccessControl>) {
        self.syncer.record_users(access);
    }

    /// Records a virtual host, with what is known of it as JSON. The error, if there is one, is in
    /// the log.
    pub(crate) fn put_virtual_host(&self, name: &str, metadata: Vec<u8>) {
        let mut batch = Batch::new();
        batch.put(Key::definition(DefinitionKind::VirtualHost, [name]), metadata);
        let _ = self.commit(batch);
        self.sync_soon();
    }

    /// Forgets a virtual host, in which there is nothing any more. As above.
    pub(crate) fn forget_virtual_host(&self, name: &str) {
        let mut batch = Batch::new();
        batch.delete(Key::definition(DefinitionKind::VirtualHost, [name]));
        let _ = self.commit(batch);
        self.sync_soon();
    }

    /// Notes a runtime parameter, or that there is none any more. As above.
    pub(crate) fn put_parameter(&self, key: &[&str], value: Option<Vec<u8>>) {
        let key = Key::definition(DefinitionKind::Parameter, key.iter().copied());
        let mut batch = Batch::new();
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
        let _ = self.commit(batch);
        self.sync_soon();
    }

    /// Notes that a queue, or an exchange that keeps messages, is deleted.
    pub(crate) fn note_deleted(&self, id: StoreId, batch: &mut Batch) {
        let states = Prefix::queue_states_of(id);
        self.keys(states).into_iter().flatten().for_each(|key| batch.delete(key));
        batch.put(Key::queue_state(id, DELETED), Vec::new());
    }

    /// What was committed becomes durable in a while, though nobody waits for it.
    pub(crate) fn sync_soon(&self) {
        self.syncer.sync_soon();
    }

    /// Keys of all records with a prefix. Errors: 541.
    pub(crate) fn keys(&self, prefix: Prefix) -> Result<Vec<Key>> {
        self.first_keys(prefix, usize::MAX)
    }

    /// Keys of the first records with a prefix. Errors: 541.
    pub(crate) fn first_keys(&self, prefix: Prefix, max: usize) -> Result<Vec<Key>> {
        let records = self.records()?;
        let entries: leveret_storage::Result<Vec<_>> = scan(&*records, prefix).take(max).collect();
        let entries = entries.map_err(|error| self.records_failed(&error))?;
        Ok(entries.into_iter().map(|(key, _)| key).collect())
    }

    /// Calls back once all that was stored or committed before is durable.
    pub(crate) fn sync(&self, done: impl FnOnce(bool) + Send + 'static) {
        let done = Arc::new(Mutex::<_, rank::Stored>::new(Some(done)));
        let left = Arc::new(AtomicUsize::new(3));
        let failed = Arc::new(AtomicBool::new(false));
        let part = || -> Done {
            let (done, left, failed) = (done.clone(), left.clone(), failed.clone());
            Box::new(move |result| {
                failed.fetch_or(result.is_err(), Ordering::AcqRel);
                if left.fetch_sub(1, Ordering::AcqRel) == 1
                    && let Some(done) = done.lock().take()
                {
                    done(!failed.load(Ordering::Acquire));
                }
            })
        };
        self.syncer.sync(part());
        self.streams.barrier(part());
        self.barrier(part());
    }

    /// Calls back once all records that were committed before are durable; never if that fails.
    pub(crate) fn after_recorded(&self, done: impl FnOnce() + Send + 'static) {
        self.syncer.sync(Box::new(move |result| {
            if result.is_ok() {
                done();
            }
        }));
    }

    /// Waits until all that was stored or committed before is durable. Errors: 541.
    pub(crate) fn wait_until_durable(&self) -> Result<()> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.sync(move |is_durable| {
            // The receiver is there for as long as its thread waits.
            let _ = sender.send(is_durable);
        });
        match receiver.recv() {
            Ok(true) => Ok(()),
            _ => Err(Error::Storage("the disk fails".into())),
        }
    }

    /// Calls back once all messages that were stored before are durable.
    pub(crate) fn after_stored(&self, done: impl FnOnce() + Send + 'static) {
        self.barrier(then(done));
    }

    fn barrier(&self, done: Done) {
        self.submit(LogBatch::new(), done);
    }

    fn submit(&self, batch: LogBatch, done: Done) {
        if let Err(error) = self.log.submit(batch, done) {
            // Only a broker that is being closed gets here: its clients hear no more of it.
            tracing::debug!("not stored: {error}");
        }
    }

    /// Stores messages that go to these queues, each beginning at its place, as far as they have to
    /// be. Tells whether there is one; only then `done` is asked for and called back. `moved` is
    /// where the messages come from, and is settled with the same write: after a crash they are in
    /// one place.
    pub(crate) fn store(
        &self,
        queues: &[Arc<Queue>],
        places: &Places,
        messages: &[Message],
        moved: &Moved<'_>,
        now: Timestamp,
        done: impl FnOnce() -> Done,
    ) -> bool {
        let mut batch = LogBatch::new();
        self.add(&mut batch, queues, places, messages, now);
        let any = !batch.is_empty();
        if any {
            batch.settled(&ranges(moved.left));
            if let Some(stays) = &moved.stays {
                self.encode(&mut batch, &[stays.target], &stays.message, &stays.beside());
            }
            self.submit(batch, done());
        }
        any
    }

    /// Stores what has to be of the messages that were set aside, with one write. Nobody is called
    /// back: who has to know asks for [`Persistence::after_stored`].
    pub(crate) fn store_aside(&self, aside: &mut Aside, now: Timestamp) {
        let mut batch = LogBatch::new();
        aside.store(|queue, messages| {
            let first = queue.reserve(messages.len());
            let place = Place { first, offset: None };
            self.add(&mut batch, slice::from_ref(queue), &[place], messages, now);
            first
        });
        if !batch.is_empty() {
            self.submit(batch, nothing());
        }
    }

    /// Adds messages that go to these queues to what is written together, as far as they have to be
    /// stored.
    fn add(
        &self,
        batch: &mut LogBatch,
        queues: &[Arc<Queue>],
        places: &[Place],
        messages: &[Message],
        now: Timestamp,
    ) {
        let mut has_room = false;
        let mut targets: SmallVec<[Target; 4]> = SmallVec::new();
        let mut deadlines: SmallVec<[(StoreId, Timestamp); 4]> = SmallVec::new();
        let mut offsets: SmallVec<[(StoreId, u64); 1]> = SmallVec::new();
        for (number, message) in (0..).zip(messages) {
            targets.clear();
            deadlines.clear();
            offsets.clear();
            for (queue, place) in queues.iter().zip(places) {
                let id = queue.storage().id;
                let target = Target { queue: id, sequence: place.first + number };
                if let Some(offset) = place.offset {
                    targets.push(target);
                    offsets.push((id, offset + number));
                    continue;
                }
                if !queue.must_store(message) {
                    continue;
                }
                targets.push(target);
                let expires_at = queue.expiry_of(message, now);
                if expires_at < Timestamp::NEVER {
                    deadlines.push((id, expires_at));
                }
            }
            if targets.is_empty() {
                continue;
            }
            if !has_room {
                batch.reserve(messages.iter().map(|message| message.footprint() + 64).sum());
                has_room = true;
            }
            let beside = Beside { deadlines: &deadlines, offsets: &offsets, ..Beside::default() };
            self.encode(batch, &targets, message, &beside);
        }
    }

    fn encode(
        &self,
        batch: &mut LogBatch,
        targets: &[Target],
        message: &Message,
        beside: &Beside<'_>,
    ) {
        if let Err(error) = messages::encode(batch, targets, message, beside) {
            tracing::error!("a message cannot be stored: {error}");
        }
    }

    /// Stores a message that an exchange keeps until it is due.
    pub(crate) fn store_delayed(
        &self,
        target: Target,
        message: &Message,
        due: Timestamp,
        routing_keys: Option<&[Vec<u8>]>,
    ) {
        let mut batch = LogBatch::new();
        let deadlines = [(target.queue, due)];
        let beside = Beside { deadlines: &deadlines, routing_keys, ..Beside::default() };
        self.encode(&mut batch, &[target], message, &beside);
        self.submit(batch, nothing());
    }

    /// Stores messages of a queue that are there only for lack of memory.
    pub(crate) fn spill(&self, queue: StoreId, messages: &[(u64, Message, Timestamp)]) {
        self.put(queue, messages, &[], true);
    }

    /// Stores messages of a queue, with their sequences and when they expire. `moved` is where they
    /// were before, and is settled with the same write. What is `transient` is not to survive a
    /// restart.
    pub(crate) fn put(
        &self,
        queue: StoreId,
        messages: &[(u64, Message, Timestamp)],
        moved: &[Gone],
        transient: bool,
    ) {
        let mut batch = LogBatch::new();
        for (sequence, message, expires_at) in messages {
            let deadline = [(queue, *expires_at)];
            let deadlines = if *expires_at < Timestamp::NEVER { &deadline[..] } else { &[] };
            let beside = Beside { transient, deadlines, ..Beside::default() };
            self.encode(&mut batch, &[Target { queue, sequence: *sequence }], message, &beside);
        }
        batch.settled(&ranges(moved));
        self.submit(batch, nothing());
    }

    /// Messages are gone for good. Nobody waits for it.
    pub(crate) fn forget(&self, gone: &mut Vec<Gone>) {
        let mut batch = settling(gone);
        batch.may_overtake();
        gone.clear();
        self.submit(batch, nothing());
    }

    /// The same of messages that are gone because they were stored elsewhere before.
    pub(crate) fn forget_moved(&self, moved: &mut Vec<Gone>) {
        let batch = settling(moved);
        moved.clear();
        self.submit(batch, nothing());
    }

    /// Calls `done` back, and if a stream has the messages by then that were stored for it, they
    /// are gone here.
    pub(crate) fn unstage(&self, staged: Gone, done: Done) -> Done {
        let log = Arc::clone(&self.log);
        Box::new(move |result| {
            if result.is_ok() {
                let mut batch = settling(&[staged]);
                batch.may_overtake();
                if let Err(error) = log.submit(batch, nothing()) {
                    tracing::debug!("not stored: {error}");
                }
            }
            done(result);
        })
    }

    /// Remembers how often messages were returned. That becomes durable with the next records.
    pub(crate) fn count_returns(&self, returned: &mut Vec<Returned>) {
        let mut batch = Batch::new();
        for returned in returned.drain(..) {
            let key = Key::queue_state(returned.queue, returned.sequence);
            match ReturnRecord::of(&returned) {
                None => batch.delete(key),
                Some(record) => batch.put(key, record.encode()),
            }
        }
        // The error is in the log; a count that is too low after a restart harms nobody.
        let _ = self.commit(batch);
        self.syncer.sync_soon();
    }

    /// Queues have handed out messages: how far, is remembered in a moment.
    pub(crate) fn note_handed_out(&self, queues: &mut Vec<Arc<Queue>>) {
        self.syncer.note_handed_out(queues);
    }

    /// Messages that were paged out, as many as were read; one that is lost is `None`. `None` if
    /// the store fails.
    pub(crate) fn read(
        &self,
        queue: StoreId,
        sequences: &[u64],
        octets_max: usize,
    ) -> Option<Vec<Option<StoredMessage>>> {
        let mut messages = Vec::with_capacity(sequences.len());
        for (read, sequence) in
            self.log.read_many(queue, sequences, octets_max).into_iter().zip(sequences)
        {
            match read {
                Ok(Some(message)) => messages.push(Some(message)),
                Err(error @ leveret_storage::Error::Io(_)) if messages.is_empty() => {
                    tracing::error!("a message cannot be read: {error}");
                    return None;
                }
                Err(leveret_storage::Error::Io(_)) => break,
                Ok(None) => {
                    tracing::error!("message {sequence} of queue {queue} is not in the store");
                    messages.push(None);
                }
                Err(error) => {
                    tracing::error!("message {sequence} of queue {queue} is lost: {error}");
                    messages.push(None);
                }
            }
        }
        Some(messages)
    }

    /// Messages that somebody looks at, as many as were read; `None` for those that are not there,
    /// or cannot be read. The error is what the disk says.
    pub(crate) fn look_up(
        &self,
        queue: StoreId,
        sequences: &[u64],
        octets_max: usize,
    ) -> Result<Vec<Option<StoredMessage>>, String> {
        let read = self.log.read_many(queue, sequences, octets_max).into_iter();
        let found = read.map(|read| match read {
            Ok(found) => Ok(found),
            Err(error @ leveret_storage::Error::Io(_)) => Err(error.to_string()),
            Err(error) => {
                tracing::error!("a message of queue {queue} is lost: {error}");
                Ok(None)
            }
        });
        found.collect()
    }

    /// Messages of a queue that can be read, from this one on.
    pub(crate) fn written(&self, queue: StoreId, from: u64, max: usize) -> Vec<u64> {
        self.log.sequences(queue, from, max)
    }

    /// What the completion of a publish promises.
    pub(crate) fn durability(&self) -> Durability {
        self.log.durability()
    }

    /// How much the log holds.
    pub(crate) fn usage(&self) -> LogUsage {
        self.log.usage()
    }

    /// What the disk says while it fails.
    pub(crate) fn failure(&self) -> Option<String> {
        self.log.failure().or_else(|| self.streams.failure())
    }

    /// Whether publishers are to wait: the disk does not keep up.
    pub(crate) fn is_behind(&self) -> bool {
        self.log.is_behind() || self.streams.is_behind()
    }

    /// Whether publishers are blocked, because nothing can be stored at present.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.health.records_failed.load(Ordering::SeqCst) || self.failure().is_some()
    }

    /// Wakes `sleeper` when it may go on: looks again after every change.
    pub(crate) fn wake_when_changed(&self, sleeper: &Arc<dyn Wake>) {
        self.health.waiting.add(sleeper);
        if !self.is_behind() && !self.is_alarmed() {
            self.health.changed();
        }
    }

    /// Remembers over a stop in order which messages of a queue were delivered before. What
    /// quorum queues count is remembered already.
    ///
    /// # Errors
    /// If the record store fails.
    pub(crate) fn put_redelivered(&self, queue: StoreId, sequences: &[u64]) -> Result<()> {
        let mut batch = Batch::new();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &sequence in sequences {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == sequence => *last = sequence,
                _ => runs.push((sequence, sequence)),
            }
        }
        for (item, runs) in (REDELIVERED..).zip(runs.chunks(RUNS_MAX)) {
            let octets = runs.iter().flat_map(|(first, last)| [*first, *last]);
            let octets: Vec<u8> = octets.flat_map(u64::to_le_bytes).collect();
            batch.put(Key::queue_state(queue, item), octets);
        }
        self.commit(batch)
    }

    /// Makes everything durable and ends.
    pub(crate) fn close(&self) {
        self.syncer.close();
        if let Some(Err(error)) = self.records.write().take().map(|records| records.flush()) {
            tracing::error!("definitions may be lost: {error}");
        }
        if let Err(error) = self.log.close() {
            tracing::error!("the message store did not stop in order: {error}");
        }
        if let Err(error) = self.streams.close() {
            tracing::error!("the streams did not stop in order: {error}");
        }
    }
}

/// Settles messages when something else is written.
fn settling(gone: &[Gone]) -> LogBatch {
    let mut batch = LogBatch::new();
    batch.settled(&ranges(gone));
    batch.may_wait();
    batch
}

fn ranges(gone: &[Gone]) -> Vec<Range> {
    gone.iter().map(|&Gone { queue, first, last }| Range { queue, first, last }).collect()
}
