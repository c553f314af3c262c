//! Deliveries of a channel: tags, what is unacknowledged, and the limits on it
//! `[amqp 0-9-1 basic.qos, basic.ack]`.

mod acknowledging;
mod credit;
mod faults;
mod outlet;
pub(in crate::channel) mod run;
mod sources;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use smallvec::SmallVec;

use crate::base::lock::Mutex;
use crate::base::names::ConsumerTag;
use crate::base::rank;
use crate::base::sequence_map::SequenceMap;
use crate::channel::Watch;
use crate::channel::counted::{Counted, Delivered};
use crate::channel::deliveries::credit::Credit;
use crate::channel::deliveries::run::Tagger;
pub(super) use crate::channel::deliveries::run::{Unacked, delivery_count};
use crate::channel::deliveries::sources::Sources;
use crate::channel::output::ChannelOutput;
use crate::error::{Error, Result};
use crate::queue::Queue;
use crate::queue::consumers::{Delivery, Reserved};
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;

/// In place of the number of a delivery that its queue has forgotten.
const FORGOTTEN: u64 = 0;

/// In place of the shared prefetch of a channel that is about to end: it takes nothing any more.
const CLOSED: u32 = u32::MAX;

/// Deliveries that are about to be settled, with their tags: mostly it is one.
pub(super) type Taken = SmallVec<[(u64, Unacked); 4]>;

/// What every delivery needs comes first.
#[derive(Default)]
#[repr(C)]
struct State {
    last_tag: u64,
    unacked: SequenceMap<Unacked>,
    /// What was delivered to consumers, and acknowledged.
    delivered: Delivered,
    /// What counts against the prefetch that all consumers share.
    credit: Credit,
    sources: Sources,
    reply_consumer: Option<ConsumerTag>,
    /// Deliveries that a fault delays, by the time at which they are due.
    held: Vec<(Timestamp, Delivery<Entry>)>,
    /// A fault is about to end the channel: its client gets no more deliveries.
    is_silent: bool,
}

/// The part of a channel that queues reach, from any thread. What every delivery needs lies
/// together.
#[repr(C)]
pub(super) struct Deliveries {
    /// Prefetch shared by all consumers (`global=true`); 0 for none. While it is used up those get
    /// nothing either whose deliveries do not count against it.
    limit: AtomicU32,
    /// A queue was turned away: consumers have to be resumed when there is room or credit.
    starved: AtomicBool,
    cancel_notify: bool,
    /// Faults that tests declare.
    watch: Option<Watch>,
    output: Arc<dyn ChannelOutput>,
    counted: Arc<Counted>,
    state: Mutex<State, rank::Deliveries>,
    me: Weak<Self>,
    /// Consumers that went with their queues, and that the channel has not forgotten yet.
    cancelled: AtomicUsize,
}

impl Deliveries {
    /// Nothing delivered yet. `cancel_notify`: the client wants to hear of cancelled consumers.
    pub(super) fn new(
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
            cancelled: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
        })
    }

    /// The client's side.
    pub(super) fn output(&self) -> &dyn ChannelOutput {
        &*self.output
    }

    /// The same, to keep.
    pub(super) fn shared_output(&self) -> Arc<dyn ChannelOutput> {
        Arc::clone(&self.output)
    }

    /// What is counted of the channel.
    pub(super) fn counted(&self) -> &Arc<Counted> {
        &self.counted
    }

    /// Registers a consumer of `queue`; returns the number that its deliveries bear.
    pub(super) fn add_consumer(&self, queue: Arc<Queue>, tag: ConsumerTag) -> u32 {
        self.state.lock().sources.add_consumer(queue, tag)
    }

    /// The consumer with this number and tag gets nothing more.
    pub(super) fn end_consumer(&self, source: u32, tag: &ConsumerTag) {
        let mut state = self.state.lock();
        if let Some(known) = state.sources.get_mut(source).filter(|known| known.tag == *tag) {
            known.ended = true;
        }
        state.sources.forget_if_finished(source);
    }

    /// Whether a consumer of this queue has ended, so that the client may use its tag again. That
    /// its queue is deleted it may not have been told yet.
    pub(super) fn has_ended(&self, source: u32, queue: &Arc<Queue>) -> bool {
        let state = self.state.lock();
        let known = state.sources.get(source).filter(|known| Arc::ptr_eq(&known.queue, queue));
        known.is_none_or(|known| known.ended)
    }

    /// How many consumers went with their queues and were not [forgotten](Self::forget_cancelled).
    pub(super) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// So many of them were forgotten.
    pub(super) fn forget_cancelled(&self, count: usize) {
        let less = |cancelled: usize| Some(cancelled.saturating_sub(count));
        // Always some.
        let _ = self.cancelled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// A message was taken by basic.get. Returns its delivery tag; `id` is 0 if it needs no
    /// acknowledgement.
    pub(super) fn add_get(&self, queue: &Arc<Queue>, id: u64) -> u64 {
        let mut state = self.state.lock();
        state.last_tag += 1;
        if id != 0 {
            let source = state.sources.poll(queue);
            if let Some(source) = state.sources.get(source) {
                source.count_delivery();
            }
            let tag = state.last_tag;
            state.unacked.push(tag, Unacked { source, id });
        }
        state.last_tag
    }

    /// Takes the deliveries that an acknowledgement means, in order. A tag of 0 with `multiple`
    /// means all. Errors: 406 unknown delivery tag.
    pub(super) fn take(&self, tag: u64, multiple: bool, taken: &mut Taken) -> Result<()> {
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

    /// Takes a delivery that is acknowledged at once: the number by which its queue knows it, and
    /// the queue itself if that is not `known`. Nothing if there is no such delivery, or the
    /// channel is about to end.
    pub(super) fn take_acknowledged(
        &self,
        tag: u64,
        known: bool,
    ) -> Option<(u64, Option<Arc<Queue>>)> {
        let mut state = self.state.lock();
        if self.limit.load(Ordering::Relaxed) == CLOSED {
            return None;
        }
        let Unacked { source, id } = state.unacked.remove(tag)?;
        let queue = match known {
            true => None,
            false => Some(Arc::clone(&state.sources.get(source)?.queue)),
        };
        state.settle(source, 1, u32::from(id != FORGOTTEN));
        state.delivered.ack += 1;
        Some((id, queue))
    }

    /// Puts deliveries back that were taken: their acknowledgement was rolled back.
    pub(super) fn put_back(&self, mut taken: Vec<(u64, Unacked)>) {
        let mut state = self.state.lock();
        taken.extend(state.unacked.drain());
        taken.sort_unstable_by_key(|(tag, _)| *tag);
        for (tag, unacked) in taken {
            state.unacked.push(tag, unacked);
        }
    }

    /// The channel is about to end: from now on nothing is handed out to its consumers. What a
    /// queue is handing out at this moment still comes.
    pub(super) fn close(&self) {
        self.limit.store(CLOSED, Ordering::SeqCst);
    }

    /// Takes all deliveries that are not settled, or those of one queue: their numbers by queue,
    /// in order. For a channel that ends.
    pub(super) fn take_unsettled(&self, of: Option<&Arc<Queue>>) -> Vec<(Arc<Queue>, Vec<u64>)> {
        let mut state = self.state.lock();
        state.give_up_delays();
        let State { unacked, sources, .. } = &mut *state;
        if unacked.len() == 0 {
            return Vec::new();
        }
        let mut taken: Vec<Vec<u64>> = vec![Vec::new(); sources.len()];
        for (tag, delivery) in unacked.drain() {
            let source = delivery.source as usize;
            let Some(known) = sources.get(delivery.source) else { continue };
            if of.is_none_or(|queue| Arc::ptr_eq(queue, &known.queue)) {
                taken.get_mut(source).into_iter().for_each(|ids| ids.push(delivery.id));
            } else {
                unacked.push(tag, delivery);
            }
        }
        let taken = sources.iter().zip(taken).filter(|(_, ids)| !ids.is_empty());
        taken.filter_map(|(source, ids)| Some((Arc::clone(&source?.queue), ids))).collect()
    }

    /// Takes back deliveries that the client never saw: the numbers of those that are not settled.
    pub(super) fn withdraw(&self, tags: &[u64]) -> Vec<u64> {
        let mut state = self.state.lock();
        let mut ids = Vec::with_capacity(tags.len());
        for tag in tags {
            let Some(Unacked { source, id }) = state.unacked.remove(*tag) else { continue };
            state.settle(source, 1, u32::from(id != FORGOTTEN));
            ids.push(id);
        }
        ids
    }

    /// Groups settled deliveries by consumer and hands each group to `settle`. Order within a group
    /// is kept. If something becomes of the messages, all of one consumer are together, however
    /// they are mixed with others, and go by the names of queue and consumer, as in RabbitMQ.
    /// Returns shared prefetch to the consumers, and counts what is `acknowledged`.
    pub(super) fn by_queue(
        &self,
        taken: &[(u64, Unacked)],
        acknowledged: bool,
        mut settle: impl FnMut(&Arc<Queue>, &[(u64, Unacked)]),
    ) {
        let mut grouped = Cow::Borrowed(taken);
        let is_mixed = || !taken.is_sorted_by(|(_, one), (_, next)| one.source == next.source);
        if !acknowledged && is_mixed() {
            let state = self.state.lock();
            let place = |(_, unacked): &(u64, Unacked)| {
                let source = state.sources.get(unacked.source)?;
                Some((source.queue.name().as_str(), source.tag.as_str()))
            };
            grouped.to_mut().sort_by(|one, other| place(one).cmp(&place(other)));
        }
        let mut rest = &*grouped;
        while let Some(((_, first), _)) = rest.split_first() {
            let source = first.source;
            let run = rest.iter().take_while(|(_, unacked)| unacked.source == source).count();
            let (group, tail) = rest.split_at(run);
            rest = tail;
            let counted = group.iter().filter(|(_, unacked)| unacked.id != FORGOTTEN).count();
            let mut state = self.state.lock();
            let queue = state.sources.get(source).map(|known| Arc::clone(&known.queue));
            state.settle(source, run, u32::try_from(counted).unwrap_or(u32::MAX));
            state.delivered.ack += if acknowledged { run as u64 } else { 0 };
            drop(state);
            if let Some(queue) = queue {
                settle(&queue, group);
            }
        }
    }

    /// Sets the prefetch that all consumers share; 0 lifts it.
    pub(super) fn set_limit(&self, prefetch_count: u32) {
        self.limit.store(prefetch_count.min(CLOSED - 1), Ordering::SeqCst);
        self.starved.store(true, Ordering::SeqCst);
    }

    /// Whether all consumers share a prefetch.
    pub(super) fn has_limit(&self) -> bool {
        self.limit.load(Ordering::SeqCst) != 0
    }

    /// Whether consumers wait to be resumed and there is something for them to resume with. Takes
    /// the note that they wait.
    pub(super) fn take_starved(&self) -> bool {
        // In one order with what `reserve` does: either this sees the note, or that the credit.
        self.starved.load(Ordering::SeqCst)
            && self.output.has_room()
            && self.has_credit()
            && self.starved.swap(false, Ordering::SeqCst)
    }

    /// Whether consumers wait to be resumed, with or without anything to resume with.
    pub(super) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::SeqCst)
    }

    fn has_credit(&self) -> bool {
        match self.limit.load(Ordering::SeqCst) {
            0 => true,
            CLOSED => false,
            limit => self.state.lock().credit.is_left(limit),
        }
    }

    /// Whether a delivery is taken now; it then has its unit of the shared prefetch. Without a
    /// shared prefetch, or for deliveries that do not use it up, the whole batch may come.
    fn try_reserve(&self, no_ack: bool) -> Reserved {
        if !self.output.has_room() {
            return Reserved::Nothing;
        }
        match self.limit.load(Ordering::SeqCst) {
            0 => Reserved::Run,
            CLOSED => Reserved::Nothing,
            // Several queues may try at once.
            limit if no_ack && self.state.lock().credit.is_left(limit) => Reserved::Run,
            limit if !no_ack && self.state.lock().credit.reserve(limit) => Reserved::One,
            _ => Reserved::Nothing,
        }
    }

    /// Sets or removes the consumer of direct replies.
    pub(super) fn set_reply_consumer(&self, tag: Option<ConsumerTag>) {
        self.state.lock().reply_consumer = tag;
    }
}

impl State {
    /// Who gives deliveries their tags.
    #[inline]
    fn tagger(&mut self) -> Tagger<'_> {
        let Self { last_tag, unacked, delivered, credit, sources, .. } = self;
        Tagger { last_tag, unacked, delivered, credit, sources }
    }

    /// Deliveries of a source were settled. So many of them are known to its queue: if it is a
    /// consumer these count against the shared prefetch no more.
    fn settle(&mut self, source: u32, count: usize, counted: u32) {
        if self.sources.settle(source, count) {
            self.credit.release(counted);
        }
    }
}

#[cfg(test)]
mod tests;
