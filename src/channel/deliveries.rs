//! Deliveries of a channel: tags, what is unacknowledged, and the limits on it
//! `[amqp 0-9-1 basic.qos, basic.ack]`.

mod faults;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::sequence_map::SequenceMap;
use crate::base::wake::Wakeups;
use crate::channel::Watch;
use crate::channel::counted::{Counted, Delivered, Listed};
use crate::channel::output::{ChannelOutput, Outgoing};
use crate::channel::status::ChannelStatus;
use crate::error::{Error, Result};
use crate::insight::statistics::tally::Tally;
use crate::insight::statistics::totals::ChannelTotals;
use crate::message::Message;
use crate::names::ConsumerTag;
use crate::queue::Queue;
use crate::queue::consumers::{Delivery, Outlet};
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;
use crate::vhost::flow::reply_to::ReplyOutlet;

/// Where deliveries come from: a consumer, or a queue that is polled.
struct Source {
    queue: Arc<Queue>,
    tag: ConsumerTag,
    is_consumer: bool,
    /// The consumer is gone; only deliveries that are not settled still refer to it.
    ended: bool,
    /// Deliveries that are not settled.
    unacked: Cell<usize>,
}

impl Source {
    fn new(queue: Arc<Queue>, tag: ConsumerTag, is_consumer: bool) -> Self {
        Self { queue, tag, is_consumer, ended: false, unacked: Cell::new(0) }
    }

    fn count_delivery(&self) {
        self.unacked.set(self.unacked.get() + 1);
    }

    /// Whether nothing refers to it any more.
    fn is_finished(&self) -> bool {
        self.unacked.get() == 0 && (self.ended || !self.is_consumer)
    }
}

/// In place of the number of a delivery that its queue has forgotten.
const FORGOTTEN: u64 = 0;

/// In place of the shared prefetch of a channel that is about to end: it takes nothing any more.
const CLOSED: u32 = u32::MAX;

/// An unacknowledged delivery: its source and the number by which the queue knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unacked {
    source: u32,
    id: u64,
}

#[derive(Default)]
struct State {
    last_tag: u64,
    unacked: SequenceMap<Unacked>,
    /// By number; a number is used again when its source is finished.
    sources: Vec<Option<Source>>,
    reply_consumer: Option<ConsumerTag>,
    /// Deliveries that a fault delays, by the time at which they are due.
    held: Vec<(Timestamp, Delivery)>,
    /// A fault is about to end the channel: its client gets no more deliveries.
    is_silent: bool,
    /// What was delivered to consumers.
    delivered: Delivered,
}

/// The part of a channel that queues reach, from any thread.
pub struct Deliveries {
    state: Mutex<State, rank::Deliveries>,
    output: Arc<dyn ChannelOutput>,
    counted: Arc<Counted>,
    cancel_notify: bool,
    /// Faults that tests declare.
    watch: Option<Watch>,
    me: Weak<Self>,
    /// Prefetch shared by all consumers (`global=true`); 0 for none. While it is used up those get
    /// nothing either whose deliveries do not count against it.
    limit: AtomicU32,
    /// Deliveries to consumers that count against it.
    outstanding: AtomicU32,
    /// A queue was turned away: consumers have to be resumed when there is room or credit.
    starved: AtomicBool,
}

impl Deliveries {
    /// Nothing delivered yet. `cancel_notify`: the client wants to hear of cancelled consumers.
    pub fn new(
        output: Arc<dyn ChannelOutput>,
        counted: Counted,
        cancel_notify: bool,
        watch: Option<Watch>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            state: Mutex::default(),
            output,
            counted: Arc::new(counted),
            cancel_notify,
            watch,
            me: Weak::clone(me),
            limit: AtomicU32::new(0),
            outstanding: AtomicU32::new(0),
            starved: AtomicBool::new(false),
        })
    }

    /// The client's side.
    pub fn output(&self) -> &dyn ChannelOutput {
        &*self.output
    }

    /// The same, to keep.
    pub fn shared_output(&self) -> Arc<dyn ChannelOutput> {
        Arc::clone(&self.output)
    }

    /// What is counted of the channel.
    pub fn counted(&self) -> &Arc<Counted> {
        &self.counted
    }

    /// Registers a consumer of `queue`; returns the number that its deliveries bear.
    pub fn add_consumer(&self, queue: Arc<Queue>, tag: ConsumerTag) -> u32 {
        self.state.lock().add_source(Source::new(queue, tag, true))
    }

    /// The consumer with this number and tag gets nothing more.
    pub fn end_consumer(&self, source: u32, tag: &ConsumerTag) {
        let mut state = self.state.lock();
        if let Some(known) = state.source(source).filter(|known| known.tag == *tag) {
            known.ended = true;
        }
        state.forget_if_finished(source);
    }

    /// A message was taken by basic.get. Returns its delivery tag; `id` is 0 if it needs no
    /// acknowledgement.
    pub fn add_get(&self, queue: &Arc<Queue>, id: u64) -> u64 {
        let mut state = self.state.lock();
        state.last_tag += 1;
        if id != 0 {
            let polled = |source: &Option<Source>| {
                source.as_ref().is_some_and(|s| !s.is_consumer && Arc::ptr_eq(&s.queue, queue))
            };
            let source = match state.sources.iter().position(polled) {
                Some(at) => u32::try_from(at).unwrap_or(u32::MAX),
                None => {
                    let tag = ConsumerTag::from("");
                    state.add_source(Source::new(Arc::clone(queue), tag, false))
                }
            };
            if let Some(source) = state.source(source) {
                source.count_delivery();
            }
            let tag = state.last_tag;
            state.unacked.push(tag, Unacked { source, id });
        }
        state.last_tag
    }

    /// Takes the deliveries that an acknowledgement means, in order. A tag of 0 with `multiple`
    /// means all. Errors: 406 unknown delivery tag.
    pub fn take(&self, tag: u64, multiple: bool, taken: &mut Vec<(u64, Unacked)>) -> Result<()> {
        let mut state = self.state.lock();
        if !multiple {
            let unacked = state.unacked.remove(tag).ok_or(Error::UnknownDeliveryTag(tag))?;
            taken.push((tag, unacked));
        } else if tag == 0 {
            taken.extend(state.unacked.drain());
        } else {
            if state.unacked.get(tag).is_none() {
                return Err(Error::UnknownDeliveryTag(tag));
            }
            state.unacked.remove_up_to(tag, |tag, unacked| taken.push((tag, unacked)));
        }
        Ok(())
    }

    /// Puts deliveries back that were taken: their acknowledgement was rolled back.
    pub fn put_back(&self, mut taken: Vec<(u64, Unacked)>) {
        let mut state = self.state.lock();
        taken.extend(state.unacked.drain());
        taken.sort_unstable_by_key(|(tag, _)| *tag);
        for (tag, unacked) in taken {
            state.unacked.push(tag, unacked);
        }
    }

    /// The channel is about to end: from now on nothing is handed out to its consumers. What a
    /// queue is handing out at this moment still comes.
    pub fn close(&self) {
        self.limit.store(CLOSED, Ordering::SeqCst);
    }

    /// Takes all deliveries that are not settled, or those of one queue: their numbers by queue,
    /// in order. For a channel that ends.
    pub fn take_unsettled(&self, of: Option<&Arc<Queue>>) -> Vec<(Arc<Queue>, Vec<u64>)> {
        let mut state = self.state.lock();
        state.give_up_delays();
        let State { unacked, sources, .. } = &mut *state;
        let mut taken: Vec<Vec<u64>> = vec![Vec::new(); sources.len()];
        for (tag, delivery) in unacked.drain() {
            let source = delivery.source as usize;
            let Some(Some(known)) = sources.get(source) else { continue };
            if of.is_none_or(|queue| Arc::ptr_eq(queue, &known.queue)) {
                taken.get_mut(source).into_iter().for_each(|ids| ids.push(delivery.id));
            } else {
                unacked.push(tag, delivery);
            }
        }
        let taken = sources.iter().zip(taken).filter(|(_, ids)| !ids.is_empty());
        taken.filter_map(|(source, ids)| Some((Arc::clone(&source.as_ref()?.queue), ids))).collect()
    }

    /// Takes back deliveries that the client never saw: the numbers of those that are not settled.
    pub fn withdraw(&self, tags: &[u64]) -> Vec<u64> {
        let mut state = self.state.lock();
        let mut ids = Vec::with_capacity(tags.len());
        for tag in tags {
            let Some(Unacked { source, id }) = state.unacked.remove(*tag) else { continue };
            if let Some((_, true)) = state.settled(source, 1)
                && id != FORGOTTEN
            {
                self.outstanding.fetch_sub(1, Ordering::SeqCst);
            }
            ids.push(id);
        }
        ids
    }

    /// Groups settled deliveries by queue and hands each group to `settle`. Order within a queue
    /// is kept. Returns shared prefetch to the consumers.
    pub fn by_queue(
        &self,
        taken: &[(u64, Unacked)],
        mut settle: impl FnMut(&Arc<Queue>, &[(u64, Unacked)]),
    ) {
        let mut rest = taken;
        while let Some(((_, first), _)) = rest.split_first() {
            let source = first.source;
            let run = rest.iter().take_while(|(_, unacked)| unacked.source == source).count();
            let (group, tail) = rest.split_at(run);
            rest = tail;
            let found = self.state.lock().settled(source, run);
            if let Some((queue, is_consumer)) = found {
                if is_consumer {
                    let counted = group.iter().filter(|(_, unacked)| unacked.id != FORGOTTEN);
                    let count = u32::try_from(counted.count()).unwrap_or(u32::MAX);
                    self.outstanding.fetch_sub(count, Ordering::SeqCst);
                }
                settle(&queue, group);
            }
        }
    }

    /// Sets the prefetch that all consumers share; 0 lifts it.
    pub fn set_limit(&self, prefetch_count: u32) {
        self.limit.store(prefetch_count.min(CLOSED - 1), Ordering::SeqCst);
        self.starved.store(true, Ordering::SeqCst);
    }

    /// Whether all consumers share a prefetch.
    pub fn has_limit(&self) -> bool {
        self.limit.load(Ordering::SeqCst) != 0
    }

    /// Whether consumers wait to be resumed and there is something for them to resume with. Takes
    /// the note that they wait.
    pub fn take_starved(&self) -> bool {
        // In one order with what `reserve` does: either this sees the note, or that the credit.
        self.starved.load(Ordering::SeqCst)
            && self.output.has_room()
            && self.has_credit()
            && self.starved.swap(false, Ordering::SeqCst)
    }

    fn has_credit(&self) -> bool {
        let limit = self.limit.load(Ordering::SeqCst);
        limit == 0 || limit != CLOSED && self.outstanding.load(Ordering::SeqCst) < limit
    }

    /// Takes a unit of the shared prefetch, unless none is left: several queues may try at once.
    fn take_credit(&self) -> bool {
        let limit = self.limit.load(Ordering::SeqCst);
        if limit == 0 {
            self.outstanding.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        let take = |taken| (taken < limit && limit != CLOSED).then_some(taken + 1);
        self.outstanding.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
    }

    /// Whether a delivery is taken now; it then has its unit of the shared prefetch.
    fn try_reserve(&self, no_ack: bool) -> bool {
        self.output.has_room() && if no_ack { self.has_credit() } else { self.take_credit() }
    }

    /// Sets or removes the consumer of direct replies.
    pub fn set_reply_consumer(&self, tag: Option<ConsumerTag>) {
        self.state.lock().reply_consumer = tag;
    }
}

impl State {
    fn add_source(&mut self, source: Source) -> u32 {
        let finished = |known: &Option<Source>| known.as_ref().is_none_or(Source::is_finished);
        let at = match self.sources.iter().position(finished) {
            Some(free) => free,
            None => {
                self.sources.push(None);
                self.sources.len() - 1
            }
        };
        self.sources[at] = Some(source);
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn source(&mut self, source: u32) -> Option<&mut Source> {
        self.sources.get_mut(source as usize)?.as_mut()
    }

    fn forget_if_finished(&mut self, source: u32) {
        if let Some(place) = self.sources.get_mut(source as usize)
            && place.as_ref().is_some_and(|source| source.ended && source.is_finished())
        {
            *place = None;
        }
    }

    /// Deliveries of a source were settled; tells its queue and whether it is a consumer.
    fn settled(&mut self, source: u32, count: usize) -> Option<(Arc<Queue>, bool)> {
        let known = self.source(source)?;
        known.unacked.set(known.unacked.get().saturating_sub(count));
        let found = (Arc::clone(&known.queue), known.is_consumer);
        self.forget_if_finished(source);
        Some(found)
    }
}

impl Unacked {
    /// The number by which the queue knows the delivery.
    pub fn id(self) -> u64 {
        self.id
    }
}

impl Listed for Deliveries {
    fn counted(&self) -> &Counted {
        &self.counted
    }

    fn status(&self) -> ChannelStatus {
        let counted = &self.counted;
        let state = self.state.lock();
        let is_consumer = |source: &&Source| source.is_consumer && !source.ended;
        let consumers = state.sources.iter().flatten().filter(is_consumer).count();
        let (delivered, unacked) = (state.delivered, state.unacked.len());
        let replies = usize::from(state.reply_consumer.is_some());
        drop(state);
        let count = |tally: &Tally| usize::try_from(tally.get()).unwrap_or(usize::MAX);
        ChannelStatus {
            id: counted.id,
            mode: counted.mode(),
            opened_at: counted.opened_at,
            active_at: Timestamp::from_micros(counted.published.active_at_us.get()),
            prefetch_count: u32::try_from(counted.published.prefetch_count.get()).unwrap_or(0),
            global_prefetch_count: match self.limit.load(Ordering::SeqCst) {
                CLOSED => 0,
                limit => limit,
            },
            consumers: consumers + replies,
            messages_unacknowledged: unacked,
            messages_unconfirmed: counted.unconfirmed(),
            messages_uncommitted: count(&counted.published.uncommitted),
            acks_uncommitted: count(&counted.published.acks_uncommitted),
            messages: counted.measured(counted.totals(delivered)),
        }
    }

    fn totals(&self) -> ChannelTotals {
        let delivered = self.state.lock().delivered;
        self.counted.totals(delivered)
    }
}

impl Outlet for Deliveries {
    fn reserve(&self, no_ack: bool) -> bool {
        if self.try_reserve(no_ack) {
            return true;
        }
        self.starved.store(true, Ordering::SeqCst);
        // Room may have come up before the note was there to be seen.
        self.try_reserve(no_ack)
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>, wakeups: &mut Wakeups) {
        if self.is_watched() {
            return self.deliver_watched(deliveries, wakeups);
        }
        let mut state = self.state.lock();
        let State { last_tag, unacked, sources, delivered, .. } = &mut *state;
        let mut outgoing = deliveries.iter().filter_map(|delivery| {
            let Delivery { source, id, entry, .. } = delivery;
            let consumer = sources.get(*source as usize)?.as_ref()?;
            *last_tag += 1;
            delivered.count(*id, entry);
            if *id != 0 {
                consumer.count_delivery();
                unacked.push(*last_tag, Unacked { source: *source, id: *id });
            }
            Some(Outgoing {
                consumer_tag: &consumer.tag,
                delivery_tag: *last_tag,
                redelivered: entry.redelivered,
                delivery_count: delivery_count(&consumer.queue, entry),
                message: &entry.message,
            })
        });
        self.output.deliver(&mut outgoing, wakeups);
        drop(state);
        deliveries.clear();
    }

    fn forget_deliveries(&self, source: u32) {
        let mut state = self.state.lock();
        let of_source = state.unacked.values_mut().filter(|unacked| unacked.source == source);
        let mut count = 0;
        for unacked in of_source {
            count += u32::from(std::mem::replace(&mut unacked.id, FORGOTTEN) != FORGOTTEN);
        }
        count += state.drop_held(source);
        self.outstanding.fetch_sub(count, Ordering::SeqCst);
    }

    fn acknowledgement_timed_out(&self, timeout_ms: u64) {
        self.output.acknowledgement_timed_out(timeout_ms);
    }

    fn cancelled(&self, source: u32, wakeups: &mut Wakeups) {
        let tag = self.state.lock().source(source).map(|source| source.tag.clone());
        let Some(tag) = tag else { return };
        self.end_consumer(source, &tag);
        if self.cancel_notify {
            self.output.cancel(&tag, wakeups);
        }
    }
}

impl ReplyOutlet for Deliveries {
    fn reply(&self, message: &Message, wakeups: &mut Wakeups) -> bool {
        let Some(tag) = self.state.lock().reply_consumer.clone() else { return false };
        if !self.output.has_room_for_reply() {
            return false;
        }
        // RabbitMQ numbers every direct reply 1; there is nothing to acknowledge.
        let reply = Outgoing {
            consumer_tag: &tag,
            delivery_tag: 1,
            redelivered: false,
            delivery_count: None,
            message,
        };
        self.output.deliver(&mut std::iter::once(reply), wakeups);
        true
    }
}

/// What the header `x-delivery-count` says: nothing on a first delivery, and only of quorum queues.
/// A message that has not come back here may bring a count from where it was before.
pub(super) fn delivery_count(queue: &Queue, entry: &Entry) -> Option<u32> {
    if !queue.is_quorum() {
        return None;
    }
    let count =
        if entry.delivery_count > 0 { entry.delivery_count } else { entry.message.failures() };
    Some(count).filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use amq_protocol::types::FieldTable;

    use super::*;
    use crate::base::ids::ChannelId;
    use crate::queue::arguments::QueueArguments;
    use crate::queue::{Queue, QueueAttributes, QueueStorage};
    use crate::time::clock::Timestamp;

    struct Nobody;

    impl ChannelOutput for Nobody {
        fn acknowledgement_timed_out(&self, _: u64) {}

        fn has_room(&self) -> bool {
            true
        }
        fn has_room_for_reply(&self) -> bool {
            true
        }
        fn deliver(&self, deliveries: &mut dyn Iterator<Item = Outgoing<'_>>, _: &mut Wakeups) {
            deliveries.for_each(drop);
        }
        fn basic_return(&self, _: &Message, _: &mut Wakeups) {}
        fn confirm(&self, _: u64, _: bool, _: bool, _: &mut Wakeups) {}
        fn fail(&self, _: Error, _: &mut Wakeups) {}
        fn cancel(&self, _: &ConsumerTag, _: &mut Wakeups) {}
    }

    fn counted() -> Counted {
        Counted::new(ChannelId::default(), Timestamp::from_millis(0))
    }

    fn queue(name: &str) -> Arc<Queue> {
        let attributes = QueueAttributes {
            durable: false,
            auto_delete: false,
            owner: None,
            table: FieldTable::default(),
            arguments: QueueArguments::default(),
        };
        let storage = QueueStorage::default();
        let now = Timestamp::from_millis(0);
        Arc::new(Queue::new(name.into(), "/".into(), attributes, storage, now))
    }

    #[test]
    fn consumers_and_polled_queues_that_are_gone_leave_their_place() {
        let deliveries = Deliveries::new(Arc::new(Nobody), counted(), false, None);
        for turn in 0..1000 {
            let queue = queue(&turn.to_string());
            let source = deliveries.add_consumer(Arc::clone(&queue), ConsumerTag::from("c"));
            let tag = deliveries.add_get(&queue, 1);
            assert_eq!(deliveries.add_get(&queue, 2), tag + 1);
            deliveries.end_consumer(source, &ConsumerTag::from("c"));
            let mut taken = Vec::new();
            deliveries.take(0, true, &mut taken).unwrap();
            let mut settled = 0;
            deliveries.by_queue(&taken, |found, group| {
                assert!(Arc::ptr_eq(found, &queue));
                settled += group.len();
            });
            assert_eq!(settled, 2);
        }
        assert!(deliveries.state.lock().sources.len() <= 2);
    }

    #[test]
    fn queues_that_reserve_at_once_do_not_exceed_the_shared_prefetch() {
        const QUEUES: usize = 4;
        let barrier = std::sync::Barrier::new(QUEUES);
        for _ in 0..2000 {
            let deliveries = Deliveries::new(Arc::new(Nobody), counted(), false, None);
            deliveries.set_limit(2);
            let reserve = || {
                barrier.wait();
                deliveries.reserve(false)
            };
            let reserved = std::thread::scope(|scope| {
                let queues: Vec<_> = (0..QUEUES).map(|_| scope.spawn(reserve)).collect();
                queues.into_iter().map(|q| q.join().unwrap()).filter(|r| *r).count()
            });
            assert_eq!(reserved, 2);
        }
    }

    #[test]
    fn a_consumer_with_unsettled_deliveries_keeps_its_place() {
        let deliveries = Deliveries::new(Arc::new(Nobody), counted(), false, None);
        let (first, second) = (queue("first"), queue("second"));
        let source = deliveries.add_consumer(Arc::clone(&first), ConsumerTag::from("a"));
        deliveries.state.lock().unacked.push(1, Unacked { source, id: 7 });
        if let Some(source) = deliveries.state.lock().source(source) {
            source.unacked.set(1);
        }
        deliveries.end_consumer(source, &ConsumerTag::from("a"));
        let other = deliveries.add_consumer(second, ConsumerTag::from("b"));
        assert_ne!(source, other);
        deliveries.outstanding.store(1, Ordering::SeqCst);
        deliveries.by_queue(&[(1, Unacked { source, id: 7 })], |queue, _| {
            assert!(Arc::ptr_eq(queue, &first));
        });
        assert_eq!(deliveries.add_consumer(first, ConsumerTag::from("c")), source);
    }
}
