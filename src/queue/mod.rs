//! Queues: a pure machine ([`State`]) behind one lock.
//!
//! [`fifo`] is the machine of queues that give each message to one consumer; [`consumers`] is
//! prefetch, turns and single active consumer. [`stream`] is for queues that are read and not
//! emptied. [`kind`] says what types there are.

pub mod arguments;
mod attributes;
pub(crate) mod backlog;
pub mod consumers;
pub mod effects;
pub mod fifo;
pub mod kind;
mod noting;
mod paging;
pub mod settings;
pub mod status;
pub(crate) mod stream;
pub(crate) mod tally;
pub(crate) mod tap;
mod tapping;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use self::arguments::QueueArguments;
pub use self::attributes::{DeadLetterTarget, Got, QueueAttributes, QueueStorage};
pub use self::fifo::contents::Contents;
pub use self::fifo::settling::Settlement;
pub use self::fifo::state::{Arrival, Counts, Enqueued, Outstanding, State};
pub use self::kind::QueueType;
pub use self::settings::Settings;
use self::tally::QueueTally;

use crate::base::ids::{ChannelId, ConnectionId};
use crate::base::lock::{Mutex, RwLock};
use crate::base::rank;
use crate::base::wake::Wakeups;
use crate::error::{Error, Resource, Result};
use crate::insight::journal::{DropReason, Journal};
use crate::limits::{BACKLOG_LOW, DELIVERY_BATCH_MAX};
use crate::message::Message;
use crate::message::stored::Gone;
use crate::names::{ConsumerTag, ExchangeName, QueueName, VirtualHostName};
use crate::queue::backlog::Backlog;
use crate::queue::consumers::{ConsumerId, ConsumerSpec};
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::fifo::entry::{Entry, Peeked};
use crate::queue::fifo::ttl;
use crate::queue::kind::Kind;
use crate::queue::stream::StreamQueue;
use crate::queue::tap::Tap;
use crate::time::clock::Timestamp;

/// No time to live.
const NO_TTL: u64 = u64::MAX;

/// A queue of a virtual host.
pub struct Queue {
    name: QueueName,
    virtual_host: VirtualHostName,
    attributes: QueueAttributes,
    dead_letter_target: RwLock<Option<DeadLetterTarget>, rank::DeadLetterTarget>,
    deleted: AtomicBool,
    storage: QueueStorage,
    /// Sequences are given out before the queue's lock is taken, because what is stored is stored
    /// first. Who is overtaken on the way in finds his place by his number.
    next_sequence: AtomicU64,
    /// The time to live that applies, in milliseconds, for who stores a message.
    message_ttl_ms: AtomicU64,
    journal: Option<Arc<Journal>>,
    /// Who traces its virtual host.
    tap: Tap,
    backlog: Backlog,
    state: Mutex<State, rank::Queue>,
    /// Its log and who reads it, if it is a stream: then nothing is in `state`.
    stream: Option<StreamQueue>,
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
        let dead_letter_target = dead_letter_target(arguments, &[]);
        Self {
            state: Mutex::new(State::new(arguments, storage, now)),
            storage,
            next_sequence: AtomicU64::new(storage.next_sequence),
            message_ttl_ms: AtomicU64::new(arguments.message_ttl_ms.unwrap_or(NO_TTL)),
            dead_letter_target: RwLock::new(dead_letter_target),
            deleted: AtomicBool::new(false),
            journal: None,
            tap: Tap::default(),
            backlog: Backlog::default(),
            stream: None,
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

    /// New policies apply: settings and, unless the arguments name one, the dead-letter exchange.
    pub fn set_policies(
        self: &Arc<Self>,
        policies: &[&QueueArguments],
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let settings = self.settings_with(policies);
        self.set_stream_settings(&settings, effects);
        self.apply(now, effects, |state, effects| state.set_settings(settings, now, effects));
    }

    /// The same when they have changed: see [`State::change_settings`].
    pub fn change_policies(
        self: &Arc<Self>,
        policies: &[&QueueArguments],
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let settings = self.settings_with(policies);
        self.set_stream_settings(&settings, effects);
        self.apply(now, effects, |state, effects| state.change_settings(settings, now, effects));
    }

    fn settings_with(&self, policies: &[&QueueArguments]) -> Settings {
        let arguments = &self.attributes.arguments;
        *self.dead_letter_target.write() = dead_letter_target(arguments, policies);
        let settings = Settings::new(arguments, policies);
        self.message_ttl_ms.store(settings.message_ttl_ms.unwrap_or(NO_TTL), Ordering::Relaxed);
        settings
    }

    /// Holds the queue, or releases it: while it is held it takes publishes and gives nothing
    /// out.
    pub fn set_held(self: &Arc<Self>, held: bool, now: Timestamp, effects: &mut Effects) {
        self.hold_stream(held, effects);
        self.apply(now, effects, |state, _| state.set_held(held));
    }

    /// Lets the next `count` messages go out although the queue is held. Errors: 406 if it is not.
    pub fn release(
        self: &Arc<Self>,
        count: usize,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<()> {
        self.apply(now, effects, |state, _| -> Result<()> {
            state.hold().ok_or_else(|| self.is_not_held())?.release(count);
            Ok(())
        })?;
        self.release_stream(count, effects);
        Ok(())
    }

    /// Lets the message after those go out, to the consumer with this tag whose channel is one
    /// that is `meant`. Errors: 404, 406 if several are, or it is not the single active one, or
    /// the queue is not held, 540 for a stream.
    pub fn release_to(
        self: &Arc<Self>,
        consumer_tag: &ConsumerTag,
        meant: impl Fn(ChannelId) -> bool,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<()> {
        self.refuse_if_stream("release_to")?;
        self.apply(now, effects, |state, _| {
            let resource = || Resource::consumer(consumer_tag, &self.virtual_host);
            let complaint = match state.consumers().called(consumer_tag, meant)[..] {
                [] => return Err(Error::NotFound(resource())),
                [id] if state.consumers().may_get(id) => {
                    state.hold().ok_or_else(|| self.is_not_held())?.release_to(id);
                    return Ok(());
                }
                [_] => "is not the active one of its queue",
                _ => "is not the only one with its tag: name its connection, and its channel",
            };
            Err(Error::Precondition(format!("{} {complaint}", resource())))
        })
    }

    fn is_not_held(&self) -> Error {
        Error::Precondition(format!("{} is not held", self.resource()))
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

    /// The settings that it works by: its arguments and the policies that apply.
    pub fn settings(&self) -> Settings {
        self.state.lock().settings().clone()
    }

    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        self.state.lock().is_held()
    }

    /// Where its dead letters go, if they go anywhere.
    pub fn dead_letter_target(&self) -> Option<DeadLetterTarget> {
        self.dead_letter_target.read().clone()
    }

    /// Counts at this moment. What is in a stream counts as ready, whoever has read it.
    pub fn counts(&self) -> Counts {
        match &self.stream {
            Some(stream) => stream.counts(),
            None => self.state.lock().counts(),
        }
    }

    /// Who waits for its consumers.
    pub(crate) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Whether its consumers have caught up with what is published, or it has none.
    pub(crate) fn has_caught_up(&self) -> bool {
        let state = self.state.lock();
        let counts = state.counts();
        counts.ready <= BACKLOG_LOW || counts.consumers == 0
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
        let footprint = state.footprint();
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
        state.count_deaths(&effects.deaths, || self.dead_letter_target.read().is_some());
        let grown = state.footprint() as isize - footprint as isize;
        self.backlog.look(state.ready.len(), &mut effects.wakeups);
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

    /// Dead messages go on to the dead-letter exchange, if there is one.
    fn bury(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) {
        let mut deaths = std::mem::take(&mut effects.deaths);
        let has_target = self.dead_letter_target.read().is_some();
        self.note_deaths(&deaths, has_target, now);
        if has_target {
            effects.dead_letters.extend(deaths.drain(..).map(|death| (Arc::clone(self), death)));
        } else {
            for death in deaths.drain(..) {
                self.note_buried(&death, effects);
            }
        }
        effects.deaths = deaths;
    }

    /// Passes the deliveries of the command at hand to their channels.
    fn pass_on(&self, state: &State, now: Timestamp, effects: &mut Effects) {
        self.note_deliveries(state, now, effects);
        self.tap_deliveries(state, effects);
        self.backlog.count_handed_out(effects.deliveries.len());
        pass_on(state, effects);
    }

    /// A dead letter of this queue has arrived elsewhere, or is dropped.
    pub fn note_buried(&self, letter: &DeadLetter, effects: &mut Effects) {
        if let Some(sequence) = letter.stored {
            effects.note_moved(self.storage.id, sequence);
        }
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
        let kind = self.kind();
        self.is_recorded() && !kind.is_stream && (message.is_persistent() || kind.stores_all)
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
            for arrival in arrivals {
                if deleted {
                    if arrival.stored {
                        effects.note_gone(self.storage.id, arrival.sequence);
                    }
                    outcome(Enqueued::Accepted);
                    continue;
                }
                // Large ones at once, so that a channel that is full is noticed.
                let is_large = arrival.message.shared_body().is_some();
                outcome(state.enqueue(arrival, now, effects));
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

    /// Whether dead letters are kept until they are delivered.
    pub fn keeps_dead_letters(&self) -> bool {
        self.state.lock().keeps_dead_letters()
    }

    /// basic.get. See [`State::get`]. Errors: 405, 540 for a stream.
    pub fn get(
        self: &Arc<Self>,
        no_ack: bool,
        channel: ChannelId,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Got> {
        self.refuse_if_stream("basic.get")?;
        self.apply(now, effects, |state, effects| {
            if self.kind().is_replicated && state.consumers().is_single_active() {
                return Err(Error::SingleActiveConsumer(self.resource()));
            }
            let got = match state.get(no_ack, channel, now, effects) {
                Some((id, entry, left)) => Got::Message(id, entry, left),
                None if state.head_is_paged() => Got::PagedOut,
                None => Got::Nothing,
            };
            state.counted.totals.get_empty += u64::from(matches!(got, Got::Nothing));
            self.note_got(&got, now);
            self.tap_got(&got, channel, effects);
            Ok(got)
        })
    }

    /// Settles deliveries by their numbers.
    pub fn settle(
        self: &Arc<Self>,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if let Some(stream) = &self.stream {
            self.settle_read(stream, ids, settlement, now);
            effects.note_read(self);
            return;
        }
        self.apply(now, effects, |state, effects| {
            self.settle_in(state, ids, settlement, now, effects);
        });
    }

    fn settle_in(
        &self,
        state: &mut State,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(journal) = &self.journal else {
            return state.settle(ids, settlement, now, effects);
        };
        let ids: Vec<u64> = ids.into_iter().collect();
        self.note_settled(journal, state, &ids, settlement, now);
        state.settle(ids, settlement, now, effects);
    }

    /// Registers a consumer. It gets its first message when it is resumed.
    pub fn add_consumer(&self, spec: ConsumerSpec, now: Timestamp) -> Result<ConsumerId> {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Err(Error::NotFound(self.resource()));
        }
        let consumers = state.consumers();
        let refused = consumers.has_exclusive()
            || spec.exclusive && (!consumers.is_empty() || consumers.is_single_active());
        // Quorum queues take the word, and exclude nobody.
        if refused && !self.is_quorum() {
            return Err(Error::ExclusiveUse(self.resource()));
        }
        if consumers.is_empty() {
            state.counted.capacity.start(now);
        }
        let id = state.add_consumer(spec);
        self.note_consumer(&state, id, true, now);
        Ok(id)
    }

    /// Removes consumers that end together, then settles what they had, or what else comes back
    /// with them, before anybody else is served. `left` is asked for it when they get nothing
    /// more; the queue is locked by then.
    pub fn remove_consumers(
        self: &Arc<Self>,
        consumers: &[ConsumerId],
        left: impl FnOnce() -> Vec<(Settlement, Vec<u64>)>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if let Some(stream) = &self.stream {
            self.remove_readers(stream, consumers, left, now, effects);
            return;
        }
        let was_last = self.apply(now, effects, |state, effects| {
            let mut was_last = false;
            for &id in consumers {
                self.note_consumer(state, id, false, now);
                was_last |= state.remove_consumer(id, now);
            }
            for (settlement, ids) in left() {
                self.settle_in(state, ids, settlement, now, effects);
            }
            was_last
        });
        if was_last && self.attributes.auto_delete && !self.is_deleted() {
            effects.deletions.push(Arc::clone(self));
        }
    }

    /// A consumer takes deliveries again.
    pub fn resume(self: &Arc<Self>, id: ConsumerId, now: Timestamp, effects: &mut Effects) {
        if let Some(stream) = &self.stream {
            stream.readers.lock().resume(id, now);
            effects.note_read(self);
            return;
        }
        self.apply(now, effects, |state, _| state.resume(id));
    }

    /// The queue was declared again, which renews its lease; tells its counts.
    pub fn touch(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) -> Counts {
        self.apply(now, effects, |state, _| {
            state.touch(now);
        });
        self.counts()
    }

    /// Drops all ready messages; tells how many. Errors: 540 for a stream.
    pub fn purge(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) -> Result<usize> {
        self.refuse_if_stream("queue.purge")?;
        Ok(self.apply(now, effects, |state, effects| {
            self.note_purge(state, now);
            state.purge(now, effects)
        }))
    }

    /// A dead letter of this queue could not be delivered. It is kept and tried again if the
    /// queue is one that does so, and dropped if not.
    pub fn keep_discard(
        self: &Arc<Self>,
        letter: DeadLetter,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.apply(now, effects, |state, effects| {
            if state.keeps_dead_letters() && !self.is_deleted() {
                state.keep_discard(letter, now);
            } else {
                self.note_dropped(&letter.message, DropReason::Undeliverable(letter.reason), now);
                self.note_buried(&letter, effects);
            }
        });
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

    /// Ends the queue if `condition` holds: consumers are cancelled, messages dropped. Tells what
    /// was counted until then, or `None` if it had ended before.
    pub fn delete(
        self: &Arc<Self>,
        condition: impl FnOnce(Counts) -> Result<()>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Option<QueueTally>> {
        if let Some(stream) = &self.stream {
            // Neither if-unused nor if-empty holds it back `[rabbitmq streams]`.
            return Ok(self.end_stream(stream, now, effects));
        }
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Ok(None);
        }
        condition(state.counts())?;
        for consumer in state.consumers().iter() {
            consumer.spec.outlet.cancelled(consumer.spec.source, &mut effects.wakeups);
        }
        // Now that the channels know: one that sees this gives the consumer tag to another.
        self.deleted.store(true, Ordering::Release);
        self.note_end(&state, now);
        effects.footprint -= state.footprint() as isize;
        let has_stored = self.is_recorded() || state.has_spilled();
        let tally = state.tally();
        *state = State::new(&QueueArguments::default(), self.storage, now);
        if has_stored {
            effects.gone.push(Gone { queue: self.storage.id, first: 0, last: u64::MAX });
        }
        Ok(Some(tally))
    }
}

/// Where dead letters go: as the arguments say, or else the first policy that says it.
fn dead_letter_target(
    arguments: &QueueArguments,
    policies: &[&QueueArguments],
) -> Option<DeadLetterTarget> {
    let layers = || std::iter::once(arguments).chain(policies.iter().copied());
    let exchange = layers().find_map(|layer| layer.dead_letter_exchange.as_deref())?;
    let routing_key = layers().find_map(|layer| layer.dead_letter_routing_key.clone());
    Some(DeadLetterTarget { exchange: ExchangeName::from(exchange), routing_key })
}

/// Passes the deliveries of the command at hand to their channels, which are told apart so that
/// each is called once.
fn pass_on(state: &State, effects: &mut Effects) {
    let Effects { deliveries, wakeups, .. } = effects;
    while let Some(first) = deliveries.first() {
        let slot = first.slot;
        let Some(consumer) = state.consumers().at(slot) else {
            deliveries.retain(|delivery| delivery.slot != slot);
            continue;
        };
        let outlet = &consumer.spec.outlet;
        if deliveries.iter().all(|delivery| delivery.slot == slot) {
            outlet.deliver(deliveries, wakeups);
            deliveries.clear();
            return;
        }
        pass_on_to(state, outlet, deliveries, wakeups);
    }
}

fn pass_on_to(
    state: &State,
    outlet: &Arc<dyn consumers::Outlet>,
    deliveries: &mut Vec<consumers::Delivery>,
    wakeups: &mut Wakeups,
) {
    let same_outlet = |slot: usize| {
        state.consumers().at(slot).is_some_and(|other| Arc::ptr_eq(&other.spec.outlet, outlet))
    };
    let mut own: Vec<_> = deliveries.extract_if(.., |d| same_outlet(d.slot)).collect();
    outlet.deliver(&mut own, wakeups);
}
