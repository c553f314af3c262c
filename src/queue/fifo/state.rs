//! The queue as a pure machine: commands with the present time in, replies and effects out.
//!
//! It reads no clock, takes no lock and calls nobody. What has to happen elsewhere is left in
//! [`Effects`]: deliveries are passed on while the caller still holds the queue's lock, because
//! the lock is what keeps them in order; everything else waits until it is free.

mod deadlines;
mod serving;

use std::sync::Arc;

use crate::base::ids::ChannelId;
use crate::base::names::ConsumerTag;
use crate::base::sequence_map::SequenceMap;
use crate::limits::DEAD_LETTER_RETRY_MS;
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::queue::arguments::{DeadLetterStrategy, QueueArguments};
use crate::queue::attributes::QueueStorage;
use crate::queue::backlog::Backlog;
use crate::queue::consumers::{ConsumerId, ConsumerSpec, Consumers, Manners, Unacked};
use crate::queue::effects::{DeadLetter, Effects};
use crate::queue::fifo::counted::Counted;
use crate::queue::fifo::duplicates::Duplicates;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::expires::Lease;
use crate::queue::fifo::handing_out::HandedOut;
use crate::queue::fifo::holding::Hold;
use crate::queue::fifo::overflow::{Overflow, Promised};
use crate::queue::fifo::priority::Order;
use crate::queue::fifo::ready::Ready;
use crate::queue::fifo::ttl;
use crate::queue::settings::Settings;
use crate::time::clock::Timestamp;

/// A delivery that was not settled yet, as somebody sees it who looks at the queue.
#[derive(Clone, Debug)]
pub struct Outstanding {
    /// The message.
    pub entry: Entry,
    /// The consumer that has it; `None` after basic.get, and if the consumer was cancelled since.
    pub consumer_tag: Option<ConsumerTag>,
    /// The channel that has it.
    pub channel: ChannelId,
    /// Since when.
    pub delivered_at: Timestamp,
}

/// A message that comes to a queue.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The message.
    pub message: Message,
    /// Its number: its position in the queue.
    pub sequence: u64,
    /// Whether the store has it, or will have.
    pub stored: bool,
    /// Whether it is taken by a queue that is full.
    pub room: Room,
}

/// Whether a message is taken by a queue that is full and refuses messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is not.
    Refused,
    /// A quorum queue takes it: the broker sends it by itself, as dead letters and what is delayed.
    Forced,
    /// It was promised its place.
    Promised,
    /// It was not, and is not taken even if there is one by now.
    Denied,
}

/// What became of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// The queue has it, or had it.
    Accepted,
    /// The queue is full and refuses it.
    Rejected,
    /// The queue has another message with its key, and drops this one.
    Duplicate,
}

/// Counts of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait for a consumer.
    pub ready: usize,
    /// Messages that wait for an acknowledgement.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
    /// Consumers as a declaration counts them. In a quorum queue each delivery of basic.get is one
    /// until it is settled, so is a consumer that was cancelled and has not settled all, and those
    /// that wait to be the single active one are none.
    pub declared_consumers: usize,
    /// Dead letters that wait until they can be delivered (`x-dead-letter-strategy`).
    pub discarded: usize,
    /// Octets of all messages held, with their overhead.
    pub footprint: usize,
}

/// The order in which a queue serves its messages.
fn order(arguments: &QueueArguments) -> Order {
    match arguments.queue_type.kind().has_priorities {
        true => Order::Strict { max_priority: arguments.max_priority.unwrap_or(0) },
        false => Order::quorum(),
    }
}

/// One queue. What every message changes comes first, then what it reads: where there are very many
/// queues, none of it is in the processor's cache, or it is in that of the processor which had the
/// queue before.
#[repr(C)]
pub struct State {
    pub(in crate::queue) unacked: SequenceMap<Unacked>,
    next_delivery: u64,
    pub(in crate::queue) footprint: usize,
    /// Before this time no delivery has waited too long for its acknowledgement. The one that
    /// it was set for may be settled by now: then nothing happens at that time.
    overdue_at: Timestamp,
    pub(in crate::queue) counted: Counted,
    /// A message that comes while none is ready, and a consumer waits, is given to it, and nothing
    /// else is asked of the settings: see [`State::look_if_plain`].
    pub(super) is_plain: bool,
    /// As quorum queues it counts returns, serves what came back first, and much more.
    pub(super) is_quorum: bool,
    /// Ready messages have left since the room that they have was looked at.
    pub(super) has_popped: bool,
    /// A quorum queue that refuses publishes is too long, or was and is still nearly so.
    pub(super) is_full: bool,
    /// What is beyond the limits is dropped once, even if the queue refuses what comes.
    pub(super) cuts: bool,
    /// Keys of the messages held, if no two may have the same.
    pub(in crate::queue) duplicates: Option<Box<Duplicates>>,
    /// What was told of the footprint.
    pub(in crate::queue) told_footprint: usize,
    /// The deadline that the timer was asked for last.
    wake_at: Timestamp,
    /// When dead letters that could not be delivered are tried again.
    retry_at: Timestamp,
    pub(super) lease: Lease,
    pub(in crate::queue) consumers: Consumers,
    pub(in crate::queue) ready: Ready,
    pub(super) settings: Settings,
    /// It is held: it gives out only what it was told to.
    hold: Option<Hold>,
    /// Footprint above which messages are paged out next.
    pub(in crate::queue) page_out_above: usize,
    /// What it has to do with the store.
    pub(in crate::queue) storage: QueueStorage,
    /// Deliveries of basic.get that are not settled.
    pub(super) polled: usize,
    /// What the store is told of deliveries of a quorum queue.
    pub(super) handed_out: HandedOut,
    /// Messages with lower sequences may have been delivered in an earlier life of the queue.
    pub(in crate::queue) redelivered_below: u64,
    /// Messages that come and cannot be refused any more.
    pub(super) promised: Promised,
    /// Dead letters that could not be delivered, of a queue that keeps them until they are.
    pub(in crate::queue) discards: Vec<DeadLetter>,
}

impl State {
    /// An empty queue.
    pub fn new(arguments: &QueueArguments, storage: QueueStorage, now: Timestamp) -> Self {
        let settings = Settings::within(arguments, &[], storage.timeout_ms());
        let is_quorum = arguments.queue_type.kind().is_quorum;
        let single_active = arguments.single_active_consumer;
        let mut state = Self {
            ready: Ready::new(order(arguments), storage.memory_bytes_max),
            unacked: SequenceMap::default(),
            consumers: Consumers::new(Manners { single_active, quorum: is_quorum }),
            lease: Lease::new(settings.expires_ms, now),
            settings,
            duplicates: arguments.message_deduplication.then(Box::default),
            storage,
            is_plain: false,
            is_quorum,
            polled: 0,
            is_full: false,
            handed_out: HandedOut::default(),
            redelivered_below: 0,
            page_out_above: 0,
            next_delivery: 1,
            has_popped: false,
            footprint: 0,
            told_footprint: 0,
            hold: None,
            overdue_at: Timestamp::NEVER,
            promised: Promised::default(),
            cuts: false,
            discards: Vec::new(),
            retry_at: Timestamp::NEVER,
            wake_at: Timestamp::NEVER,
            counted: Counted::new(now),
        };
        state.look_if_plain();
        state
    }

    /// Finds out whether it has none of what a message on its way to a consumer that waits would
    /// have to be looked at for.
    fn look_if_plain(&mut self) {
        self.is_plain = self.hold.is_none()
            && self.duplicates.is_none()
            && self.settings.message_ttl_ms.is_none()
            && self.settings.length.overflow == Overflow::DropHead
            && !self.is_quorum;
    }

    /// Counts.
    pub fn counts(&self) -> Counts {
        Counts {
            ready: self.ready.len(),
            unacked: self.unacked.len(),
            consumers: self.consumers.len(),
            declared_consumers: self.declared_consumers(),
            discarded: self.discards.len(),
            footprint: self.footprint(),
        }
    }

    /// Whether there are consumers, and more messages than they take.
    pub(crate) fn is_behind(&self) -> bool {
        !self.consumers.is_empty() && Backlog::is_high(self.ready.len(), self.ready.body_bytes())
    }

    fn declared_consumers(&self) -> usize {
        self.consumers.counted() + if self.is_quorum { self.polled } else { 0 }
    }

    /// Whether anybody uses it: then it does not expire.
    pub(super) fn is_in_use(&self) -> bool {
        self.declared_consumers() > 0
    }

    /// The deliveries that are not settled, oldest first.
    pub fn unacked(&self) -> Vec<Outstanding> {
        let tag = |id: ConsumerId| {
            let consumer = self.consumers.at(id.slot).filter(|consumer| consumer.id == id);
            consumer.map(|consumer| consumer.spec.tag.clone())
        };
        let unacked = self.unacked.iter().map(|(_, unacked)| Outstanding {
            entry: unacked.entry.clone(),
            consumer_tag: unacked.consumer.and_then(tag),
            channel: unacked.channel,
            delivered_at: unacked.delivered_at,
        });
        unacked.collect()
    }

    /// The settings that it works by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The message of an unacknowledged delivery.
    pub fn unacked_message(&self, id: u64) -> Option<&Message> {
        self.unacked.get(id).map(|unacked| &unacked.entry.message)
    }

    /// Every message in memory, ready or unacknowledged.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        let unacked = self.unacked.iter().map(|(_, unacked)| &unacked.entry);
        self.ready.iter().chain(unacked).map(|entry| &entry.message)
    }

    /// The consumers.
    pub fn consumers(&self) -> &Consumers {
        &self.consumers
    }

    /// A publish arrives.
    #[inline]
    pub fn enqueue(&mut self, arrival: Arrival, now: Timestamp, effects: &mut Effects) -> Enqueued {
        let Arrival { message, sequence, stored, room } = arrival;
        self.counted.totals.publish += 1;
        self.counted.totals.disk_writes += u64::from(stored);
        let entry = self.new_entry(message, sequence, stored, now);
        if room == Room::Promised {
            self.promised.take(entry.body_bytes());
        } else if room == Room::Denied || self.refuses(entry.body_bytes(), room) {
            self.counted.totals.refused += 1;
            if self.settings.length.overflow == Overflow::RejectPublishDlx {
                effects.deaths.push(DeadLetter::new(entry, DeathReason::MaxLen));
            } else {
                self.note_gone(&entry, effects);
            }
            return Enqueued::Rejected;
        }
        if let Some(duplicates) = &mut self.duplicates
            && !duplicates.admit(&entry.message)
        {
            self.note_gone(&entry, effects);
            self.counted.totals.duplicate += 1;
            return Enqueued::Duplicate;
        }
        if self.ready.is_empty()
            && let Some(claim) = self.claim(effects)
        {
            self.hand_over(entry, &claim, now, effects);
            return Enqueued::Accepted;
        }
        self.footprint += entry.message.footprint();
        self.ready.push(entry);
        if self.is_quorum {
            self.expire(now, effects);
        }
        // In a classic queue what is too much leaves for that reason, even if its time is up as
        // soon as it comes.
        self.keep_length(effects);
        self.expire(now, effects);
        Enqueued::Accepted
    }

    /// A message as the queue keeps it.
    #[inline]
    fn new_entry(&self, message: Message, sequence: u64, stored: bool, now: Timestamp) -> Entry {
        let own_ttl_ms = message.expiration_ms();
        let expires_at = ttl::expires_at(now, self.settings.message_ttl_ms, own_ttl_ms);
        let redelivered = self.is_quorum && message.failures() > 0;
        let (delivery_count, failures) = (0, 0);
        Entry { message, sequence, expires_at, delivery_count, failures, redelivered, stored }
    }

    /// A message has left the queue: the store need not keep it.
    #[inline]
    pub(in crate::queue) fn note_gone(&self, entry: &Entry, effects: &mut Effects) {
        if entry.stored {
            effects.note_gone(self.storage.id, entry.sequence);
            self.forget_returns(entry, effects);
        }
    }

    /// Whether dead letters are kept until they are delivered.
    pub fn keeps_dead_letters(&self) -> bool {
        self.settings.dead_letter_strategy == DeadLetterStrategy::AtLeastOnce
    }

    /// A dead letter could not be delivered; it is tried again later.
    pub fn keep_discard(&mut self, letter: DeadLetter, now: Timestamp) {
        let letter = DeadLetter { is_retried: true, ..letter };
        self.footprint += letter.message.footprint();
        self.discards.push(letter);
        self.retry_at = self.retry_at.min(now.after_ms(DEAD_LETTER_RETRY_MS));
    }

    /// Holds the queue: it takes publishes and gives nothing out until it is released.
    pub fn set_held(&mut self, held: bool) {
        self.hold = held.then(Hold::default);
        self.look_if_plain();
    }

    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// What may go out although it is held; `None` if it is not.
    pub fn hold(&mut self) -> Option<&mut Hold> {
        self.hold.as_mut()
    }

    fn pop_ready(&mut self) -> Option<Entry> {
        let entry = self.ready.pop()?;
        self.has_popped = true;
        self.footprint -= entry.message.footprint();
        Some(entry)
    }

    /// basic.get: `channel` takes the message that is next. The reply holds the delivery's number
    /// (0 with `no_ack`) and how many messages remain ready.
    pub fn get(
        &mut self,
        no_ack: bool,
        channel: ChannelId,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Option<(u64, Entry, usize)> {
        self.lease.renew(now);
        self.expire(now, effects);
        if self.hold.as_ref().is_some_and(|hold| !hold.lets_anybody()) {
            return None;
        }
        let entry = self.pop_ready()?;
        self.hold.iter_mut().for_each(Hold::count_taken);
        self.counted.count_get(&entry, no_ack);
        self.expire(now, effects);
        self.ready.shrink();
        let id = if no_ack {
            self.note_gone(&entry, effects);
            self.forget_key(&entry.message);
            0
        } else {
            self.note_handed_out(&entry, effects);
            self.polled += 1;
            self.keep_unacked(entry.clone(), None, channel, now)
        };
        Some((id, entry, self.ready.len()))
    }

    /// Expired messages leave, but only from the head `[rabbitmq ttl]`. Tells whether there is a
    /// head, in memory, that has not expired.
    #[inline]
    pub(in crate::queue) fn expire(&mut self, now: Timestamp, effects: &mut Effects) -> bool {
        if self.ready.is_lasting() {
            return !self.ready.is_empty();
        }
        while let Some(head) = self.ready.head() {
            if head.expires_at > now {
                return true;
            }
            self.kill_head(DeathReason::Expired, effects);
        }
        false
    }

    pub(super) fn kill_head(&mut self, reason: DeathReason, effects: &mut Effects) {
        if let Some(entry) = self.pop_ready() {
            self.forget_key(&entry.message);
            self.note_death(entry, reason, effects);
        }
    }

    /// A message dies. It stays in the store until it has been dead-lettered.
    pub(in crate::queue) fn note_death(
        &self,
        entry: Entry,
        reason: DeathReason,
        effects: &mut Effects,
    ) {
        self.forget_returns(&entry, effects);
        effects.deaths.push(DeadLetter::new(entry, reason));
    }

    /// A message has left for good: its duplicates may come.
    pub(super) fn forget_key(&mut self, message: &Message) {
        if let Some(duplicates) = &mut self.duplicates {
            duplicates.forget(message);
        }
    }

    /// Registers a consumer, which gets nothing before it is resumed.
    pub fn add_consumer(&mut self, spec: ConsumerSpec) -> ConsumerId {
        self.consumers.add(spec)
    }

    /// Removes a consumer. Its unacknowledged deliveries stay with its channel. Tells whether it
    /// was the last one.
    pub fn remove_consumer(&mut self, id: ConsumerId, now: Timestamp) -> bool {
        if !self.consumers.remove(id) {
            return false;
        }
        self.hold.iter_mut().for_each(|hold| hold.forget(id));
        if !self.is_in_use() {
            self.lease.renew(now);
        }
        self.consumers.is_empty()
    }

    /// A consumer has room or credit again, or starts.
    pub fn resume(&mut self, id: ConsumerId) {
        self.consumers.resume(id);
    }

    /// The queue was declared again. To quorum queues that is no use.
    pub fn touch(&mut self, now: Timestamp) {
        if !self.is_quorum {
            self.lease.renew(now);
        }
    }

    /// Whether nobody has used the queue for as long as its lease allows.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.lease.deadline(|| self.is_in_use()) <= now
    }

    /// New settings, from a policy.
    pub fn set_settings(&mut self, settings: Settings, now: Timestamp, effects: &mut Effects) {
        self.lease.set_expires_ms(settings.expires_ms, now);
        self.settings = settings;
        self.look_if_plain();
        if self.unacked.len() > 0 {
            self.overdue_at = now; // to be found out when it wakes
        }
        self.keep_length(effects);
    }

    /// As [`State::set_settings`], when a policy has changed: limits take effect before the
    /// overflow does. A queue that dropped so far drops what is beyond them, even if it refuses
    /// from now on.
    pub fn change_settings(&mut self, new: Settings, now: Timestamp, effects: &mut Effects) {
        // Quorum queues change all at once.
        self.cuts = !self.is_quorum && self.settings.length.overflow == Overflow::DropHead;
        self.set_settings(new, now, effects);
    }

    /// The timer has gone off; expired messages leave, and consumers that are too late.
    pub fn wake(&mut self, now: Timestamp, effects: &mut Effects) {
        self.wake_at = Timestamp::NEVER;
        self.expire(now, effects);
        if self.retry_at <= now {
            self.retry_at = Timestamp::NEVER;
            for discard in std::mem::take(&mut self.discards) {
                self.footprint -= discard.message.footprint();
                effects.deaths.push(discard);
            }
        }
        if self.overdue_at <= now {
            self.time_out(now, effects);
        }
    }

    /// Finds consumers that kept a delivery for too long, and when that can next be so. Deliveries
    /// of basic.get and of consumers that are gone have all the time.
    fn time_out(&mut self, now: Timestamp, effects: &mut Effects) {
        self.overdue_at = Timestamp::NEVER;
        for (_, unacked) in self.unacked.iter() {
            let consumer = unacked.consumer.and_then(|id| self.consumers.get_mut(id));
            let Some(consumer) = consumer.filter(|consumer| !consumer.timed_out) else { continue };
            let timeout_ms = consumer.spec.timeout_ms.unwrap_or(self.settings.consumer_timeout_ms);
            let deadline = unacked.delivered_at.after_ms(timeout_ms);
            if deadline > now {
                self.overdue_at = self.overdue_at.min(deadline);
            } else {
                consumer.timed_out = true;
                effects.timeouts.push((Arc::clone(&consumer.spec.outlet), timeout_ms));
            }
        }
    }
}
