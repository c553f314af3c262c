//! The consumers of a queue: who is active, who is next `[rabbitmq consumers]`.

mod active;

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::base::ids::ChannelId;
use crate::base::wake::Wakeups;
use crate::limits::QUORUM_PREFETCH_MAX;
use crate::names::ConsumerTag;
use crate::queue::fifo::entry::Entry;

/// Where a consumer's deliveries go: its channel.
pub trait Outlet: Send + Sync {
    /// Whether a delivery is taken now. Reserves a unit of the channel's shared prefetch when the
    /// delivery needs an acknowledgement. After a refusal the outlet calls
    /// [`Queue::resume`](crate::queue::Queue::resume) as soon as it takes deliveries again.
    fn reserve(&self, no_ack: bool) -> bool;

    /// Takes deliveries, all of them, in order. Returns at once and calls no queue.
    fn deliver(&self, deliveries: &mut Vec<Delivery>, wakeups: &mut Wakeups);

    /// What the consumer with this number has not settled belongs to nobody any more, and counts
    /// against no limit; what it was not given yet it will not get.
    fn forget_deliveries(&self, source: u32);

    /// A delivery was not acknowledged in time: the channel has to close.
    fn acknowledgement_timed_out(&self, timeout_ms: u64);

    /// The queue is gone: the client is told if it wants to be.
    fn cancelled(&self, source: u32, wakeups: &mut Wakeups);
}

/// A message on its way to a consumer.
#[derive(Debug)]
pub struct Delivery {
    /// Consumer's place in the queue's table.
    pub(crate) slot: usize,
    /// Number by which the outlet knows the consumer.
    pub source: u32,
    /// Number by which the queue knows the delivery; 0 when it needs no acknowledgement.
    pub id: u64,
    /// The message and its history.
    pub entry: Entry,
}

/// What a channel registers with a queue.
#[derive(Clone)]
pub struct ConsumerSpec {
    /// Consumer tag, unique on its channel.
    pub tag: ConsumerTag,
    /// Its channel.
    pub channel: ChannelId,
    /// Where deliveries go.
    pub outlet: Arc<dyn Outlet>,
    /// Number by which the outlet knows the consumer.
    pub source: u32,
    /// Whether deliveries count as acknowledged at once.
    pub no_ack: bool,
    /// Most unacknowledged deliveries; 0 for no limit, but that of a quorum queue. Without effect
    /// under `no_ack`.
    pub prefetch_count: u32,
    /// `x-priority`: higher is served first; default 0.
    pub priority: i64,
    /// Whether no other consumer is tolerated.
    pub exclusive: bool,
    /// `x-consumer-timeout`, milliseconds: how long a delivery may wait for its acknowledgement;
    /// `None` for as long as the queue says.
    pub timeout_ms: Option<u64>,
    /// Arguments as they came.
    pub arguments: FieldTable,
}

/// A registered consumer.
pub(crate) struct Consumer {
    pub spec: ConsumerSpec,
    /// Tells consumers apart that held the same slot one after the other.
    pub id: ConsumerId,
    /// Deliveries that wait for acknowledgement.
    pub unacked: u32,
    /// Most of them.
    unacked_max: u32,
    /// It was cancelled, and stays until what it has is settled.
    lingers: bool,
    /// Whether it kept a delivery for too long; its channel is about to close.
    pub timed_out: bool,
    /// Whether it stands in line for the next message.
    waiting: bool,
    /// Whether it was ever resumed.
    started: bool,
}

impl Consumer {
    fn new(spec: ConsumerSpec, id: ConsumerId, unacked_max: u32) -> Self {
        Self {
            spec,
            id,
            unacked: 0,
            unacked_max,
            lingers: false,
            timed_out: false,
            waiting: false,
            started: false,
        }
    }

    /// Whether its own prefetch allows another delivery `[amqp 0-9-1 basic.qos]`.
    pub(crate) fn has_credit(&self) -> bool {
        self.unacked < self.unacked_max
    }
}

/// Identifies a consumer for as long as the queue exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId {
    pub(crate) slot: usize,
    pub(in crate::queue) generation: u64,
}

impl ConsumerId {
    /// The consumer in this slot since so many others were registered.
    pub(in crate::queue) const fn new(slot: usize, generation: u64) -> Self {
        Self { slot, generation }
    }
}

/// What a type of queue makes of its consumers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Only one of them gets messages `[rabbitmq consumers#single-active-consumer]`.
    pub single_active: bool,
    /// As a quorum queue: those without a prefetch have one all the same, one that is cancelled
    /// stays until what it has is settled, and a single active one makes way for a higher
    /// priority.
    pub quorum: bool,
}

/// All consumers of a queue.
///
/// Those that may get the next message stand in line by priority; within a priority they take
/// turns. One that is out of credit or room leaves the line until it is resumed.
#[derive(Default)]
pub struct Consumers {
    slots: Vec<Option<Consumer>>,
    /// Descending by priority; never an empty line.
    lines: Vec<(i64, VecDeque<usize>)>,
    generation: u64,
    count: usize,
    /// How many were cancelled and still have something.
    lingering: usize,
    manners: Manners,
    /// With a single active consumer: its slot.
    active: Option<usize>,
    /// The active one gets nothing more: another is to follow as soon as it has settled all.
    makes_way: bool,
}

impl Consumers {
    /// No consumers yet.
    pub fn new(manners: Manners) -> Self {
        Self { manners, ..Self::default() }
    }

    /// Number of consumers.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many a declaration counts: in a quorum queue those that wait for their turn as the
    /// single active one are none, and those that were cancelled are until they have settled.
    pub fn counted(&self) -> usize {
        let waits = self.manners.quorum && self.manners.single_active;
        self.lingering + if waits { self.count.min(1) } else { self.count }
    }

    /// Whether an exclusive consumer is registered.
    pub fn has_exclusive(&self) -> bool {
        self.iter().any(|consumer| consumer.spec.exclusive)
    }

    /// Whether only one of the consumers gets messages
    /// `[rabbitmq consumers#single-active-consumer]`.
    pub fn is_single_active(&self) -> bool {
        self.manners.single_active
    }

    /// Those that were not cancelled.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.slots.iter().flatten().filter(|consumer| !consumer.lingers)
    }

    /// A consumer that was not cancelled.
    pub(crate) fn get_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        let consumer = self.slots.get_mut(id.slot)?.as_mut();
        consumer.filter(|consumer| consumer.id == id && !consumer.lingers)
    }

    /// A consumer that was not cancelled.
    pub(crate) fn at(&self, slot: usize) -> Option<&Consumer> {
        self.slots.get(slot)?.as_ref().filter(|consumer| !consumer.lingers)
    }

    /// Registers a consumer. It gets nothing before it is resumed. If it was cancelled and still
    /// has something, that goes on counting.
    pub fn add(&mut self, spec: ConsumerSpec) -> ConsumerId {
        let unacked_max = match spec.prefetch_count {
            _ if spec.no_ack => u32::MAX,
            0 if self.manners.quorum => QUORUM_PREFETCH_MAX,
            0 => u32::MAX,
            prefetch_count => prefetch_count,
        };
        let is_back = |known: &Consumer| {
            let (one, other) = (&known.spec, &spec);
            known.lingers && one.tag == other.tag && Arc::ptr_eq(&one.outlet, &other.outlet)
        };
        self.count += 1;
        let known = match self.lingering {
            0 => None,
            _ => self.slots.iter_mut().flatten().find(|known| is_back(known)),
        };
        let id = if let Some(known) = known {
            *known =
                Consumer { unacked: known.unacked, ..Consumer::new(spec, known.id, unacked_max) };
            self.lingering -= 1;
            known.id
        } else {
            self.generation += 1;
            let slot = self.free_slot();
            let id = ConsumerId { slot, generation: self.generation };
            self.slots[slot] = Some(Consumer::new(spec, id, unacked_max));
            id
        };
        self.review_active();
        id
    }

    fn free_slot(&mut self) -> usize {
        let mut gap = None;
        if self.count + self.lingering <= self.slots.len() {
            gap = self.slots.iter().position(Option::is_none);
        }
        gap.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    /// Takes a consumer out. Tells whether it was there.
    pub fn remove(&mut self, id: ConsumerId) -> bool {
        if self.get_mut(id).is_none() {
            return false;
        }
        self.leave_line(id.slot);
        self.count -= 1;
        let quorum = self.manners.quorum;
        match self.slots.get_mut(id.slot).and_then(Option::as_mut) {
            Some(consumer) if quorum && consumer.unacked > 0 => {
                consumer.lingers = true;
                self.lingering += 1;
            }
            _ => self.free(id.slot),
        }
        if self.active == Some(id.slot) {
            self.active = None;
        }
        self.review_active();
        true
    }

    fn free(&mut self, slot: usize) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = None;
        }
    }

    /// A delivery was settled, and counts no more.
    pub fn release(&mut self, id: ConsumerId) {
        let consumer = self.slots.get_mut(id.slot).and_then(Option::as_mut);
        let Some(consumer) = consumer.filter(|consumer| consumer.id == id) else { return };
        let was_out = !consumer.has_credit();
        consumer.unacked = consumer.unacked.saturating_sub(1);
        if consumer.lingers {
            if consumer.unacked == 0 {
                self.free(id.slot);
                self.lingering -= 1;
            }
        } else if was_out {
            self.resume(id);
        }
        if self.makes_way {
            self.review_active();
        }
    }

    /// Lets a consumer stand in line again if it has credit.
    pub fn resume(&mut self, id: ConsumerId) {
        let Some(consumer) = self.get_mut(id) else { return };
        consumer.started = true;
        if consumer.has_credit() {
            self.stand_in_line(id.slot);
        }
    }

    /// What was delivered is not waited for any more: everybody has credit again, also those whose
    /// channel had given it to another queue.
    pub fn forget_deliveries(&mut self) {
        for place in &mut self.slots {
            let Some(consumer) = place else { continue };
            consumer.unacked = 0;
            consumer.spec.outlet.forget_deliveries(consumer.spec.source);
            if consumer.lingers {
                *place = None;
            }
        }
        self.lingering = 0;
        for slot in 0..self.slots.len() {
            self.stand_in_line(slot);
        }
        self.review_active();
    }

    /// Puts a consumer in line that was ever resumed.
    fn stand_in_line(&mut self, slot: usize) {
        if self.manners.single_active && (self.active != Some(slot) || self.makes_way) {
            return;
        }
        let Some(consumer) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if !consumer.started || std::mem::replace(&mut consumer.waiting, true) {
            return;
        }
        let priority = consumer.spec.priority;
        match self.lines.binary_search_by(|(other, _)| priority.cmp(other)) {
            Ok(at) => self.lines[at].1.push_back(slot),
            Err(at) => self.lines.insert(at, (priority, VecDeque::from([slot]))),
        }
    }

    fn leave_line(&mut self, slot: usize) {
        let Some(consumer) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if !std::mem::replace(&mut consumer.waiting, false) {
            return;
        }
        for (_, line) in &mut self.lines {
            line.retain(|&other| other != slot);
        }
        self.lines.retain(|(_, line)| !line.is_empty());
    }

    /// Chooses the consumer of the next message. Whoever turns out to have no credit or room
    /// leaves the line. The chosen one goes to the end of its line.
    pub(crate) fn next(&mut self) -> Option<&mut Consumer> {
        loop {
            let (_, line) = self.lines.first_mut()?;
            let slot = *line.front()?;
            let ready = self.slots.get(slot).and_then(Option::as_ref).is_some_and(|consumer| {
                consumer.has_credit() && consumer.spec.outlet.reserve(consumer.spec.no_ack)
            });
            if ready {
                if line.len() > 1 {
                    line.rotate_left(1);
                }
                return self.slots.get_mut(slot)?.as_mut();
            }
            line.pop_front();
            if line.is_empty() {
                self.lines.remove(0);
            }
            if let Some(consumer) = self.slots.get_mut(slot).and_then(Option::as_mut) {
                consumer.waiting = false;
            }
        }
    }

    /// Chooses this consumer for the next message if it stands in line and takes it: it goes to
    /// the end of its line. If it has no credit or room it leaves the line.
    pub(crate) fn choose(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        let consumer = self.get_mut(id).filter(|consumer| consumer.waiting)?;
        let takes = consumer.has_credit() && consumer.spec.outlet.reserve(consumer.spec.no_ack);
        self.leave_line(id.slot);
        if !takes {
            return None;
        }
        self.stand_in_line(id.slot);
        self.get_mut(id)
    }

    /// The consumers with this tag whose channels are among those that are `meant`.
    pub fn called(&self, tag: &ConsumerTag, meant: impl Fn(ChannelId) -> bool) -> Vec<ConsumerId> {
        let specs = self.iter().map(|consumer| (consumer.id, &consumer.spec));
        specs
            .filter(|(_, spec)| spec.tag == *tag && meant(spec.channel))
            .map(|(id, _)| id)
            .collect()
    }

    /// Whether a consumer gets messages at all: of several under a single active one only that
    /// does.
    pub fn may_get(&self, id: ConsumerId) -> bool {
        !self.manners.single_active || self.active == Some(id.slot)
    }

    /// Whether nobody stands in line.
    pub fn none_waiting(&self) -> bool {
        self.lines.is_empty()
    }
}
