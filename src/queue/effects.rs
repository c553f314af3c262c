//! What is to be done after a queue has handled a command and its lock is free again.

use std::cell::Cell;
use std::sync::Arc;

use crate::base::ids::StoreId;
use crate::base::names::QueueName;
use crate::base::wake::Wakeups;
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::message::stored::{Gone, Returned};
use crate::queue::Queue;
use crate::queue::acked::Acked;
use crate::queue::aside::Aside;
use crate::queue::consumers::{Claimed, Outlet};
use crate::queue::ended::Ended;
use crate::queue::fifo::entry::Entry;
use crate::queue::tap::Tapped;
use crate::time::clock::Timestamp;

/// A message that left its queue the hard way and goes to the queue's dead-letter exchange.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The message.
    pub message: Message,
    /// Why.
    pub reason: DeathReason,
    /// Queues that have it already: it is tried again for the others alone.
    pub delivered_to: Vec<QueueName>,
    /// Whether it could not be delivered before.
    pub is_retried: bool,
    /// Its number in the store, where it stays until it has arrived.
    pub stored: Option<u64>,
    /// How often its delivery failed in this queue, because a connection or a channel ended.
    pub failures: u16,
}

impl DeadLetter {
    /// A message that has just died.
    pub fn new(entry: Entry, reason: DeathReason) -> Self {
        let stored = entry.stored.then_some(entry.sequence);
        let (message, failures, is_retried) = (entry.message, entry.failures, false);
        let arrived_in = message.deaths().map(|deaths| deaths.arrived_in.clone());
        let delivered_to = arrived_in.unwrap_or_default();
        Self { message, reason, delivered_to, is_retried, stored, failures }
    }
}

/// What the [short way](crate::queue::direct) through a queue leaves to do when it is free again.
#[derive(Default)]
pub(crate) struct Left {
    /// Octets that the queue holds more, or less if negative, as far as that is to be told.
    pub footprint: isize,
    /// When it has to be woken, if the timer does not know it.
    pub deadline: Option<Timestamp>,
}

/// Work that commands on queues leave behind, done in order by
/// `VirtualHost::run` with no lock held.
#[derive(Default)]
pub struct Effects {
    /// Dead letters with the queue that they come from.
    pub dead_letters: Vec<(Arc<Queue>, DeadLetter)>,
    /// Messages that come back to their queues as if they were new.
    pub anew_in: Vec<(Arc<Queue>, Vec<Entry>)>,
    /// Queues to delete: auto-delete after the last consumer, or expired.
    pub deletions: Vec<Arc<Queue>>,
    /// What deleted queues have left: their consumers hear of it behind the answer to whoever
    /// deleted them.
    pub(crate) ended: Vec<Ended>,
    /// Channels that kept a delivery for too long, and what was allowed in milliseconds.
    pub timeouts: Vec<(Arc<dyn Outlet>, u64)>,
    /// Queues to wake at a time.
    pub timers: Vec<(Timestamp, Arc<Queue>)>,
    /// Messages that the store need not keep any more.
    pub gone: Vec<Gone>,
    /// The same of messages that are elsewhere by now: not before they are in the store there.
    pub moved: Vec<Gone>,
    /// Stored messages that were returned to their queues.
    pub returned: Vec<Returned>,
    /// Quorum queues that have handed out messages, which the store is to remember.
    pub handed_out: Vec<Arc<Queue>>,
    /// Queues with too much in memory.
    pub page_outs: Vec<Arc<Queue>>,
    /// Queues that are short of messages which are in the store alone.
    pub page_ins: Vec<Arc<Queue>>,
    /// Streams that may have something for their consumers, or too much.
    pub reads: Vec<Arc<Queue>>,
    /// Messages that were given out and are traced.
    pub(crate) tapped: Vec<Tapped>,
    /// Something was done that has to be durable before the client hears of it.
    pub must_sync: bool,
    /// A queue that was published to, and whose consumers are behind.
    pub(crate) behind: Option<Arc<Queue>>,
    /// Messages that wait for others on their way to queues.
    pub(crate) aside: Aside,
    /// Acknowledgements that wait for others.
    pub(crate) acked: Acked,
    /// Octets that queues hold more (or, negative, less) than before.
    pub footprint: isize,
    /// Waiters to wake.
    pub wakeups: Wakeups,
    /// Deliveries of the command at hand; empty between commands.
    pub(crate) deliveries: Vec<Claimed>,
    /// Messages that came back by the command at hand, as if they were new; empty between commands.
    pub(crate) anew: Vec<Entry>,
    /// Messages that died during the command at hand; empty between commands.
    pub(crate) deaths: Vec<DeadLetter>,
}

impl Effects {
    /// No work.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `work` with effects that hold nothing: those of this thread's last time, whose lists
    /// have their room already, unless they are in use further out.
    pub(crate) fn with_spare<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        /// Room in a list above which it is not kept.
        const KEPT: usize = 1024;
        thread_local!(static SPARE: Cell<Option<Box<Effects>>> = const { Cell::new(None) });
        // A thread that ends has none any more.
        let mut effects = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let result = work(&mut effects);
        if effects.is_done() && effects.gone.capacity() <= KEPT {
            let _ = SPARE.try_with(|spare| spare.set(Some(effects)));
        }
        result
    }

    /// Whether all was done that there was to do.
    fn is_done(&self) -> bool {
        !self.has_work()
            && self.footprint == 0
            && !self.must_sync
            && self.behind.is_none()
            && self.gone.is_empty()
            && self.moved.is_empty()
            && self.returned.is_empty()
            && self.handed_out.is_empty()
            && self.aside.is_empty()
            && self.acked.is_empty()
    }

    /// Whether there is more to do than to count memory and to wake sleepers.
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.dead_letters.is_empty()
            || !self.anew_in.is_empty()
            || !self.deletions.is_empty()
            || !self.ended.is_empty()
            || !self.timers.is_empty()
            || !self.timeouts.is_empty()
            || !self.page_outs.is_empty()
            || !self.page_ins.is_empty()
            || !self.reads.is_empty()
            || !self.tapped.is_empty()
    }

    /// Takes over what the short way through a queue has left.
    #[inline]
    pub(crate) fn add_left(&mut self, queue: &Arc<Queue>, left: Left) {
        self.footprint += left.footprint;
        if let Some(deadline) = left.deadline {
            self.timers.push((deadline, Arc::clone(queue)));
        }
    }

    /// A stream may have something for its consumers, or too much.
    pub fn note_read(&mut self, queue: &Arc<Queue>) {
        if !self.reads.last().is_some_and(|last| Arc::ptr_eq(last, queue)) {
            self.reads.push(Arc::clone(queue));
        }
    }

    /// The store need not keep a message any more.
    #[inline]
    pub fn note_gone(&mut self, queue: StoreId, sequence: u64) {
        note(&mut self.gone, queue, sequence);
    }

    /// The store need not keep a message where it was, once it is where it went.
    pub fn note_moved(&mut self, queue: StoreId, sequence: u64) {
        note(&mut self.moved, queue, sequence);
    }
}

#[inline]
fn note(ranges: &mut Vec<Gone>, queue: StoreId, sequence: u64) {
    match ranges.last_mut() {
        Some(range) if range.queue == queue && range.last + 1 == sequence => {
            range.last = sequence;
        }
        _ => ranges.push(Gone { queue, first: sequence, last: sequence }),
    }
}
