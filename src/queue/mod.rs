//! Queues: a pure machine ([`State`]) behind one lock.
//!
//! [`fifo`] is the machine of queues that give each message to one consumer; [`consumers`] is
//! prefetch, turns and single active consumer. [`stream`] is for queues that are read and not
//! emptied. [`kind`] says what types there are.

pub(crate) mod acked;
pub mod arguments;
pub(crate) mod aside;
mod attributes;
pub(crate) mod backlog;
pub mod consumers;
mod consuming;
mod dead_letters;
mod demand;
pub(crate) mod direct;
pub mod effects;
mod ended;
pub mod fifo;
mod holding;
pub mod kind;
mod noting;
mod paging;
mod policies;
pub mod settings;
pub mod status;
pub(crate) mod stream;
pub(crate) mod tally;
pub(crate) mod tap;
mod tapping;
mod telling;
mod wanting;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub use self::arguments::QueueArguments;
pub use self::attributes::{DeadLetterTarget, Got, QueueAttributes, QueueStorage};
pub use self::fifo::contents::Contents;
pub use self::fifo::settling::Settlement;
pub use self::fifo::state::{Arrival, Counts, Enqueued, Outstanding, Room, State};
pub use self::kind::QueueType;
pub use self::settings::Settings;

use crate::base::herald::Herald;
use crate::base::ids::ConnectionId;
use crate::base::lock::{Mutex, RwLock};
use crate::base::memory_alarm::Share;
use crate::base::names::{QueueName, VirtualHostName};
use crate::base::rank;
use crate::error::{Error, Resource, Result};
use crate::insight::journal::Journal;
use crate::limits::DELIVERY_BATCH_MAX;
use crate::message::Message;
use crate::message::run::Gathered;
use crate::message::stored::Gone;
use crate::queue::backlog::Backlog;
use crate::queue::demand::Demand;
use crate::queue::effects::Effects;
use crate::queue::ended::Ended;
use crate::queue::fifo::entry::{Entry, Peeked};
use crate::queue::fifo::ttl;
use crate::queue::kind::Kind;
use crate::queue::stream::StreamQueue;
use crate::queue::tap::Tap;
use crate::time::clock::Timestamp;

/// No time to live.
const NO_TTL: u64 = u64::MAX;

/// A queue of a virtual host. What every message needs comes first, beside the counts of those who
/// share it, which every message changes as well.
#[repr(C)]
pub struct Queue {
    /// Sequences are given out before the queue's lock is taken, because what is stored is stored
    /// first. Who is overtaken on the way in finds his place by his number.
    next_sequence: AtomicU64,
    /// Its log and who reads it, if it is a stream: then nothing is in `state`.
    stream: Option<Box<StreamQueue>>,
    journal: Option<Arc<Journal>>,
    /// Who traces its virtual host.
    tap: Tap,
    /// Whether it wants more, if somebody asks.
    demand: OnceLock<Box<Demand>>,
    deleted: AtomicBool,
    storage: QueueStorage,
    backlog: Backlog,
    state: Mutex<State, rank::Queue>,
    /// The time to live that applies, in milliseconds, for who stores a message.
    message_ttl_ms: AtomicU64,
    name: QueueName,
    virtual_host: VirtualHostName,
    attributes: QueueAttributes,
    dead_letter_target: RwLock<Option<DeadLetterTarget>, rank::DeadLetterTarget>,
    herald: Arc<Herald>,
    /// What it takes besides its messages, once it is in a virtual host.
    share: OnceLock<Share>,
}

impl Queue {
    /// An empty queue.
    pub fn new(
        name: QueueName,
        virtual_host: VirtualHostName,
        attributes: QueueAttributes,
        storage: QueueStorage,
        now: Timestamp,
    ) -> Self {
        let arguments = &attributes.arguments;
        let dead_letter_target = DeadLetterTarget::of(arguments, &[]);
        Self {
            state: Mutex::new(State::new(arguments, storage, now)),
            storage,
            next_sequence: AtomicU64::new(storage.next_sequence),
            message_ttl_ms: AtomicU64::new(arguments.message_ttl_ms.unwrap_or(NO_TTL)),
            dead_letter_target: RwLock::new(dead_letter_target),
            deleted: AtomicBool::new(false),
            journal: None,
            herald: Arc::default(),
            tap: Tap::default(),
            backlog: Backlog::default(),
            stream: None,
            demand: OnceLock::new(),
            share: OnceLock::new(),
            name,
            virtual_host,
            attributes,
        }
    }

    /// Name.
    pub fn name(&self) -> &QueueName {
        &self.name
    }

    /// What it was declared with.
    pub fn attributes(&self) -> &QueueAttributes {
        &self.attributes
    }

    /// What its type is.
    pub(crate) fn kind(&self) -> &'static Kind {
        self.attributes.arguments.queue_type.kind()
    }

    /// Whether it is a quorum queue.
    pub fn is_quorum(&self) -> bool {
        self.kind().is_quorum
    }

    /// The queue as error texts name it.
    pub fn resource(&self) -> Resource {
        Resource::queue(&self.name, &self.virtual_host)
    }

    /// The first ready messages, in order.
    pub fn peek(&self, max: usize) -> Vec<Peeked> {
        self.state.lock().peek(max)
    }

    /// The deliveries that are not settled, oldest first.
    pub fn unacked(&self) -> Vec<Outstanding> {
        match &self.stream {
            Some(stream) => self.unsettled(stream),
            None => self.state.lock().unacked(),
        }
    }

    /// Counts at this moment. What is in a stream counts as ready, whoever has read it.
    pub fn counts(&self) -> Counts {
        match &self.stream {
            Some(stream) => stream.counts(),
            None => self.state.lock().counts(),
        }
    }

    /// Whether it was deleted; somebody may still hold it.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Fails with 405 unless `connection` may use the queue: exclusive queues are for their owner.
    pub fn check_owner(&self, connection: ConnectionId) -> Result<()> {
        match self.attributes.owner {
            Some(owner) if owner != connection => Err(Error::Locked(self.resource())),
            _ => Ok(()),
        }
    }

    /// Runs one command under the lock, then gives ready messages to consumers as far as these
    /// take them, and notes in `effects` what else is to be done.
    fn apply<R>(
        self: &Arc<Self>,
        now: Timestamp,
        effects: &mut Effects,
        command: impl FnOnce(&mut State, &mut Effects) -> R,
    ) -> R {
        let mut state = self.state.lock();
        let reply = command(&mut state, effects);
        loop {
            let more = state.dispatch(DELIVERY_BATCH_MAX, now, effects);
            self.pass_on(&state, now, effects);
            if !more {
                break;
            }
        }
        state.look_at_length(now, effects);
        state.count_use(now);
        if !effects.deaths.is_empty() {
            state.count_deaths(&effects.deaths, self.dead_letter_target.read().is_some());
        }
        let grown = state.take_growth();
        self.backlog.look(state.ready.len(), &mut effects.wakeups);
        self.look_at_demand(&state, &mut effects.wakeups);
        let deadline = state.new_deadline();
        if self.storage.id != 0 {
            self.note_paging(&state, effects);
            if state.announces_hand_outs() {
                effects.handed_out.push(Arc::clone(self));
            }
        }
        drop(state);
        effects.footprint += grown;
        if let Some(deadline) = deadline {
            effects.timers.push((deadline, Arc::clone(self)));
        }
        if !effects.deaths.is_empty() {
            self.bury(now, effects);
        }
        if !effects.anew.is_empty() {
            effects.anew_in.push((Arc::clone(self), std::mem::take(&mut effects.anew)));
        }
        reply
    }

    fn note_paging(self: &Arc<Self>, state: &State, effects: &mut Effects) {
        if state.wants_page_out() {
            effects.page_outs.push(Arc::clone(self));
        }
        if state.is_short() {
            effects.page_ins.push(Arc::clone(self));
        }
    }

    /// Passes the deliveries of the command at hand to their channels.
    fn pass_on(&self, state: &State, now: Timestamp, effects: &mut Effects) {
        self.note_deliveries(state, now, effects);
        self.tap_deliveries(state, effects);
        self.backlog.count_handed_out(effects.deliveries.len());
        Self::hand_over(state, effects);
    }

    /// What it has to do with the store.
    pub fn storage(&self) -> QueueStorage {
        self.storage
    }

    /// Whether it is there again after a restart.
    pub fn is_recorded(&self) -> bool {
        self.storage.id != 0 && self.attributes.durable
    }

    /// Whether a message has to be in the store before it is confirmed: quorum queues keep every
    /// message `[rabbitmq quorum-queues]`, durable classic queues those that are persistent, and
    /// streams have a log of their own.
    pub fn must_store(&self, message: &Message) -> bool {
        self.stores(|| message.is_persistent())
    }

    /// Whether some of these messages have to be.
    pub(crate) fn must_store_some(&self, messages: &Gathered) -> bool {
        self.stores(|| messages.any_is_persistent())
    }

    fn stores(&self, is_persistent: impl FnOnce() -> bool) -> bool {
        let kind = self.kind();
        self.is_recorded() && !kind.is_stream && (kind.stores_all || is_persistent())
    }

    /// When a message that is published now expires here.
    pub fn expiry_of(&self, message: &Message, now: Timestamp) -> Timestamp {
        let queue_ttl_ms = self.message_ttl_ms.load(Ordering::Relaxed);
        let queue_ttl_ms = Some(queue_ttl_ms).filter(|&ms| ms != NO_TTL);
        ttl::expires_at(now, queue_ttl_ms, message.expiration_ms())
    }

    /// Reserves numbers for so many messages that are about to come; returns the first.
    pub fn reserve(&self, count: usize) -> u64 {
        self.next_sequence.fetch_add(count as u64, Ordering::Relaxed)
    }

    /// Messages arrive, in order. `outcome` is called for each of them in turn. A queue that was
    /// deleted since they were routed accepts and drops them `[rabbitmq confirms]`.
    pub fn enqueue(
        self: &Arc<Self>,
        arrivals: impl IntoIterator<Item = Arrival>,
        now: Timestamp,
        effects: &mut Effects,
        outcome: impl FnMut(Enqueued),
    ) {
        match &self.journal {
            None => self.take(arrivals, now, effects, outcome),
            Some(journal) => self.enqueue_noting(journal, arrivals, now, effects, outcome),
        }
    }

    fn take(
        self: &Arc<Self>,
        arrivals: impl IntoIterator<Item = Arrival>,
        now: Timestamp,
        effects: &mut Effects,
        mut outcome: impl FnMut(Enqueued),
    ) {
        self.apply(now, effects, |state, effects| {
            let deleted = self.is_deleted();
            let mut arrivals = arrivals.into_iter().fuse();
            while let Some(arrival) = arrivals.next() {
                if deleted {
                    if arrival.stored {
                        effects.note_gone(self.storage.id, arrival.sequence);
                    }
                    outcome(Enqueued::Accepted);
                    continue;
                }
                // Large ones at once, so that a channel that is full is noticed.
                let mut is_large = arrival.message.shared_body().is_some();
                let rest = &mut arrivals;
                match state.serve_run(arrival, rest, now, effects, &mut outcome) {
                    Ok(last_is_large) => is_large = last_is_large,
                    Err(arrival) => outcome(state.enqueue(arrival, now, effects)),
                }
                if is_large || effects.deliveries.len() >= DELIVERY_BATCH_MAX {
                    self.pass_on(state, now, effects);
                }
            }
            if state.is_behind() {
                effects.behind = Some(Arc::clone(self));
            }
        });
    }

    /// Messages that came back, with new numbers, go to the end.
    pub fn append(self: &Arc<Self>, entries: Vec<Entry>, now: Timestamp, effects: &mut Effects) {
        self.apply(now, effects, |state, effects| {
            for entry in entries {
                if !self.is_deleted() {
                    state.append(entry, effects);
                } else if entry.stored {
                    effects.note_gone(self.storage.id, entry.sequence);
                }
            }
        });
    }

    /// The queue was declared again, which renews its lease; tells its counts.
    pub fn touch(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) -> Counts {
        self.apply(now, effects, |state, _| {
            state.touch(now);
        });
        self.counts()
    }

    /// The timer has gone off for this queue.
    pub fn wake(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) {
        if self.stream.is_some() {
            effects.note_read(self);
            return;
        }
        let expired = self.apply(now, effects, |state, effects| {
            state.wake(now, effects);
            state.is_expired(now)
        });
        if expired && !self.is_deleted() {
            effects.deletions.push(Arc::clone(self));
        }
    }

    /// When something happens to it by itself; nothing does to a stream that is worth telling.
    pub(crate) fn deadlines(&self) -> Vec<(&'static str, Timestamp)> {
        match self.stream {
            Some(_) => Vec::new(),
            None => self.state.lock().deadlines().to_vec(),
        }
    }

    /// Ends the queue if `condition` holds. What it leaves is the caller's to
    /// [clear](Ended::clear); `None` if it had ended before.
    pub(crate) fn delete(
        self: &Arc<Self>,
        condition: impl FnOnce(Counts) -> Result<()>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Option<Ended>> {
        if let Some(stream) = &self.stream {
            // Neither if-unused nor if-empty holds it back `[rabbitmq streams]`.
            return Ok(self.end_stream(stream, now));
        }
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Ok(None);
        }
        condition(state.counts())?;
        self.deleted.store(true, Ordering::Release);
        self.note_end(&state, now);
        effects.footprint -= state.told_footprint as isize;
        if self.is_recorded() || state.has_spilled() {
            effects.gone.push(Gone { queue: self.storage.id, first: 0, last: u64::MAX });
        }
        let none = State::new(&QueueArguments::default(), self.storage, now);
        let left = std::mem::replace(&mut *state, none);
        drop(state);
        Ok(Some(Ended::new(left)))
    }
}
