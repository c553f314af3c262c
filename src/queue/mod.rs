//! Queues: a pure machine ([`State`]) behind one lock.
//!
//! One file per policy: [`ttl`], [`expires`], [`overflow`], [`delivery_limit`],
//! [`duplicates`], [`ready`] (priorities), [`consumers`] (prefetch, turns, single active consumer).

pub mod arguments;
pub mod consumers;
pub mod delivery_limit;
pub mod duplicates;
pub mod effects;
pub mod expires;
#[cfg(test)]
mod model;
pub mod overflow;
pub mod priority;
pub mod ready;
pub mod settings;
mod state;
pub mod ttl;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amq_protocol::types::FieldTable;
use parking_lot::{Mutex, RwLock};

pub use self::arguments::{QueueArguments, QueueType};
pub use self::settings::Settings;
pub use self::state::{Counts, Enqueued, Settlement, State};

use crate::clock::Timestamp;
use crate::error::{Error, Resource, Result};
use crate::limits::DELIVERY_BATCH_MAX;
use crate::message::Message;
use crate::names::{ExchangeName, QueueName, VirtualHostName};
use crate::queue::consumers::{ConsumerId, ConsumerSpec};
use crate::queue::effects::{DeadLetter, Effects, Wakeups};
use crate::queue::ready::Entry;

/// Identifies a connection within its broker.
pub type ConnectionId = u64;

/// What a queue was declared with `[amqp 0-9-1 queue.declare]`.
#[derive(Clone, Debug)]
pub struct QueueAttributes {
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last consumer is gone.
    pub auto_delete: bool,
    /// Connection that alone may use it and with which it ends.
    pub owner: Option<ConnectionId>,
    /// Arguments as they came.
    pub table: FieldTable,
    /// Arguments that the broker acts on.
    pub arguments: QueueArguments,
}

/// Where the dead letters of a queue go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterTarget {
    /// Exchange.
    pub exchange: ExchangeName,
    /// Routing key; `None` keeps that of the message.
    pub routing_key: Option<String>,
}

/// A queue of a virtual host.
pub struct Queue {
    name: QueueName,
    virtual_host: VirtualHostName,
    attributes: QueueAttributes,
    dead_letter_target: RwLock<Option<DeadLetterTarget>>,
    deleted: AtomicBool,
    state: Mutex<State>,
}

impl Queue {
    /// An empty queue.
    pub fn new(
        name: QueueName,
        virtual_host: VirtualHostName,
        attributes: QueueAttributes,
        now: Timestamp,
    ) -> Self {
        let arguments = &attributes.arguments;
        let dead_letter_target = dead_letter_target(arguments, &[]);
        Self {
            state: Mutex::new(State::new(arguments, now)),
            dead_letter_target: RwLock::new(dead_letter_target),
            deleted: AtomicBool::new(false),
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
        let arguments = &self.attributes.arguments;
        *self.dead_letter_target.write() = dead_letter_target(arguments, policies);
        let settings = Settings::new(arguments, policies);
        self.apply(now, effects, |state, effects| state.set_settings(settings, now, effects));
    }

    /// Holds the queue, or releases it: while it is held it takes publishes and gives nothing
    /// out.
    pub fn set_paused(self: &Arc<Self>, paused: bool, now: Timestamp, effects: &mut Effects) {
        self.apply(now, effects, |state, _| state.set_paused(paused));
    }

    /// Where its dead letters go, if they go anywhere.
    pub fn dead_letter_target(&self) -> Option<DeadLetterTarget> {
        self.dead_letter_target.read().clone()
    }

    /// Counts at this moment.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts()
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
        let footprint = state.counts().footprint;
        let reply = command(&mut state, effects);
        loop {
            let more = state.dispatch(DELIVERY_BATCH_MAX, now, effects);
            pass_on(&state, effects);
            if !more {
                break;
            }
        }
        let grown = state.counts().footprint as isize - footprint as isize;
        let deadline = state.new_deadline();
        drop(state);
        effects.footprint += grown;
        if let Some(deadline) = deadline {
            effects.timers.push((deadline, Arc::clone(self)));
        }
        if !effects.deaths.is_empty() {
            self.bury(effects);
        }
        reply
    }

    /// Dead messages go on to the dead-letter exchange, if there is one.
    fn bury(self: &Arc<Self>, effects: &mut Effects) {
        let deaths = effects.deaths.drain(..);
        if self.dead_letter_target.read().is_some() {
            effects.dead_letters.extend(deaths.map(|death| (Arc::clone(self), death)));
        }
    }

    /// Messages arrive, in order. `outcome` is called for each of them in turn. A queue that was
    /// deleted since they were routed accepts and drops them `[rabbitmq confirms]`.
    pub fn enqueue(
        self: &Arc<Self>,
        messages: impl IntoIterator<Item = Message>,
        now: Timestamp,
        effects: &mut Effects,
        mut outcome: impl FnMut(Enqueued),
    ) {
        self.apply(now, effects, |state, effects| {
            let deleted = self.is_deleted();
            for message in messages {
                if deleted {
                    outcome(Enqueued::Accepted);
                    continue;
                }
                // Large ones at once, so that a channel that is full is noticed.
                let is_large = message.shared_body().is_some();
                outcome(state.enqueue(message, now, effects));
                if is_large || effects.deliveries.len() >= DELIVERY_BATCH_MAX {
                    pass_on(state, effects);
                }
            }
        });
    }

    /// basic.get. See [`State::get`].
    pub fn get(
        self: &Arc<Self>,
        no_ack: bool,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Option<(u64, Entry, usize)>> {
        self.apply(now, effects, |state, effects| {
            if state.consumers().is_single_active() {
                let kind = self.attributes.arguments.queue_type.as_str();
                return Err(Error::SingleActiveConsumer(self.resource(), kind));
            }
            Ok(state.get(no_ack, now, effects))
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
        self.apply(now, effects, |state, effects| state.settle(ids, settlement, now, effects));
    }

    /// Registers a consumer. It gets its first message when it is resumed.
    pub fn add_consumer(&self, spec: ConsumerSpec) -> Result<ConsumerId> {
        let mut state = self.state.lock();
        if self.is_deleted() {
            return Err(Error::NotFound(self.resource()));
        }
        let consumers = state.consumers();
        let refused = consumers.has_exclusive()
            || spec.exclusive && (!consumers.is_empty() || consumers.is_single_active());
        if refused {
            return Err(Error::ExclusiveUse(self.resource()));
        }
        Ok(state.add_consumer(spec))
    }

    /// Removes a consumer; after this it gets nothing more.
    pub fn remove_consumer(
        self: &Arc<Self>,
        id: ConsumerId,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let last = self.apply(now, effects, |state, _| state.remove_consumer(id, now));
        if last && self.attributes.auto_delete && !self.is_deleted() {
            effects.deletions.push(Arc::clone(self));
        }
    }

    /// A consumer takes deliveries again.
    pub fn resume(self: &Arc<Self>, id: ConsumerId, now: Timestamp, effects: &mut Effects) {
        self.apply(now, effects, |state, _| state.resume(id));
    }

    /// The queue was declared again, which renews its lease; tells its counts.
    pub fn touch(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) -> Counts {
        self.apply(now, effects, |state, _| {
            state.touch(now);
        });
        self.counts()
    }

    /// Drops all ready messages; tells how many.
    pub fn purge(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) -> usize {
        self.apply(now, effects, |state, effects| state.purge(now, effects))
    }

    /// A dead letter of this queue could not be delivered. It is kept and tried again if the
    /// queue is one that does so, and dropped if not.
    pub fn keep_discard(
        self: &Arc<Self>,
        letter: DeadLetter,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.apply(now, effects, |state, _| {
            if state.keeps_dead_letters() && !self.is_deleted() {
                state.keep_discard(letter, now);
            }
        });
    }

    /// The timer has gone off for this queue.
    pub fn wake(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) {
        let expired = self.apply(now, effects, |state, effects| {
            state.wake(now, effects);
            state.is_expired(now)
        });
        if expired && !self.is_deleted() {
            effects.deletions.push(Arc::clone(self));
        }
    }

    /// Ends the queue if `condition` holds: consumers are cancelled, messages dropped. Tells how
    /// many were ready, or `None` if it had ended before.
    pub fn delete(
        self: &Arc<Self>,
        condition: impl FnOnce(Counts) -> Result<()>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<Option<usize>> {
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
        let ready = state.counts().ready;
        effects.footprint -= state.counts().footprint as isize;
        *state = State::new(&QueueArguments::default(), now);
        Ok(Some(ready))
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
