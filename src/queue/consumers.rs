//! The consumers of a queue: who is active, who is next `[rabbitmq consumers]`.

mod active;
mod claim;
mod id;
mod line;
mod next;
mod outlet;
mod passing;
mod unacked;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

pub use self::id::ConsumerId;
pub use self::outlet::{ConsumerSpec, Outlet, Reserved};
pub(crate) use self::passing::{Carried, Claimed, Held};
pub use self::passing::{Delivery, Given, Passing, Shown};
pub(in crate::queue) use self::unacked::Unacked;
use crate::base::ids::ChannelId;
use crate::base::names::ConsumerTag;
use crate::limits::QUORUM_PREFETCH_MAX;
use crate::queue::consumers::claim::Claim;
use crate::queue::consumers::line::{Lines, Place};

/// So many slots are kept when the last consumer has gone.
const SLOTS_KEPT: usize = 64;

/// A registered consumer. What every message needs comes first.
#[repr(C)]
pub(crate) struct Consumer {
    /// Its ticket if it stands in line for the next message, else 0.
    ticket: u64,
    /// Deliveries that wait for acknowledgement.
    pub unacked: u32,
    /// Most of them.
    unacked_max: u32,
    /// Tells consumers apart that held the same slot one after the other.
    pub id: ConsumerId,
    /// It was cancelled, and stays until what it has is settled.
    lingers: bool,
    /// Whether it kept a delivery for too long; its channel is about to close.
    pub timed_out: bool,
    /// Whether it was ever resumed.
    started: bool,
    /// Whether its outlet takes more with what it has taken last.
    takes_run: bool,
    pub spec: ConsumerSpec,
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
            ticket: 0,
            started: false,
            takes_run: false,
        }
    }

    /// Whether its own prefetch allows another delivery `[amqp 0-9-1 basic.qos]`.
    pub(crate) fn has_credit(&self) -> bool {
        self.unacked < self.unacked_max
    }

    /// Whether it takes the next message. That is reserved for it then.
    fn reserve(&mut self) -> bool {
        let reserved = match self.has_credit() {
            true => self.spec.outlet.reserve(self.spec.no_ack),
            false => Reserved::Nothing,
        };
        self.takes_run = reserved == Reserved::Run;
        reserved != Reserved::Nothing
    }
}

/// Who a client takes for the same consumer when it comes back: its channel's outlet, and its tag.
type Client = (usize, ConsumerTag);

fn client(spec: &ConsumerSpec) -> Client {
    (Arc::as_ptr(&spec.outlet).cast::<()>().addr(), spec.tag.clone())
}

/// Who stands in a place.
fn holder(slots: &[Option<Consumer>], place: Place) -> Option<&Consumer> {
    slots.get(place.slot)?.as_ref().filter(|consumer| consumer.ticket == place.ticket)
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
///
/// No step takes longer because there are many, but those that are about all of them. What every
/// message needs comes first.
#[derive(Default)]
#[repr(C)]
pub struct Consumers {
    /// Most queues have one.
    slots: SmallVec<[Option<Consumer>; 1]>,
    lines: Lines,
    count: usize,
    /// With a single active consumer: its slot.
    active: Option<usize>,
    manners: Manners,
    /// The active one gets nothing more: another is to follow as soon as it has settled all.
    makes_way: bool,
    /// Slots that nobody has, the first one on top.
    free: BinaryHeap<Reverse<usize>>,
    generation: u64,
    /// How many of them are exclusive.
    exclusive: usize,
    /// The slots of those that were cancelled and still have something.
    lingering: HashMap<Client, usize>,
    /// With a single active consumer: all of them, the one that should be on top.
    claims: BTreeSet<Claim>,
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
        self.lingering.len() + if waits { self.count.min(1) } else { self.count }
    }

    /// Whether an exclusive consumer is registered.
    pub fn has_exclusive(&self) -> bool {
        self.exclusive > 0
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
        self.count += 1;
        self.exclusive += usize::from(spec.exclusive);
        let back = match self.lingering.is_empty() {
            true => None,
            false => self.lingering.remove(&client(&spec)),
        };
        let known = back.and_then(|slot| self.slots.get(slot)?.as_ref());
        let (id, unacked) = match known {
            Some(known) => (known.id, known.unacked),
            None => (self.new_id(), 0),
        };
        let consumer = Consumer { unacked, ..Consumer::new(spec, id, unacked_max) };
        self.make_claim(&consumer);
        self.slots[id.slot] = Some(consumer);
        self.review_active();
        id
    }

    fn new_id(&mut self) -> ConsumerId {
        self.generation += 1;
        let slot = self.free.pop().map_or(self.slots.len(), |Reverse(slot)| slot);
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        ConsumerId { slot, generation: self.generation }
    }

    /// Takes a consumer out. Tells whether it was there.
    pub fn remove(&mut self, id: ConsumerId) -> bool {
        if self.get_mut(id).is_none() {
            return false;
        }
        self.leave_line(id.slot);
        self.drop_claim(id.slot);
        self.count -= 1;
        let quorum = self.manners.quorum;
        if let Some(consumer) = self.slots.get_mut(id.slot).and_then(Option::as_mut) {
            self.exclusive -= usize::from(consumer.spec.exclusive);
            consumer.lingers = quorum && consumer.unacked > 0;
            if consumer.lingers {
                self.lingering.insert(client(&consumer.spec), id.slot);
            } else {
                self.free(id.slot);
            }
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
            self.free.push(Reverse(slot));
        }
        if self.free.len() == self.slots.len() && self.slots.len() > SLOTS_KEPT {
            (self.slots, self.free) = (SmallVec::new(), BinaryHeap::new());
        }
    }

    /// So many deliveries were settled, and count no more.
    pub fn release(&mut self, id: ConsumerId, count: u32) {
        let consumer = self.slots.get_mut(id.slot).and_then(Option::as_mut);
        let Some(consumer) = consumer.filter(|consumer| consumer.id == id) else { return };
        let was_out = !consumer.has_credit();
        consumer.unacked = consumer.unacked.saturating_sub(count);
        if consumer.lingers {
            if consumer.unacked == 0 {
                self.lingering.remove(&client(&consumer.spec));
                self.free(id.slot);
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
        for (_, slot) in std::mem::take(&mut self.lingering) {
            if let Some(Some(consumer)) = self.slots.get(slot) {
                consumer.spec.outlet.forget_deliveries(consumer.spec.source);
            }
            self.free(slot);
        }
        for consumer in self.slots.iter_mut().flatten() {
            consumer.unacked = 0;
            consumer.spec.outlet.forget_deliveries(consumer.spec.source);
        }
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
        if consumer.started && consumer.ticket == 0 {
            consumer.ticket = self.lines.join(consumer.spec.priority, slot);
        }
    }

    fn leave_line(&mut self, slot: usize) {
        let Some(consumer) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if std::mem::take(&mut consumer.ticket) != 0 {
            let priority = consumer.spec.priority;
            self.lines.leave(priority, |place| holder(&self.slots, place).is_some());
        }
    }

    /// The consumers with this tag whose channels are among those that are `meant`.
    pub fn called(&self, tag: &ConsumerTag, meant: impl Fn(ChannelId) -> bool) -> Vec<ConsumerId> {
        let specs = self.iter().map(|consumer| (consumer.id, &consumer.spec));
        specs
            .filter(|(_, spec)| spec.tag == *tag && meant(spec.channel))
            .map(|(id, _)| id)
            .collect()
    }
}
