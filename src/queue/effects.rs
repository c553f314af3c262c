//! What is to be done after a queue has handled a command and its lock is free again.

use std::sync::Arc;

use crate::clock::Timestamp;
pub use crate::deaths::DeathReason;
use crate::message::Message;
use crate::names::QueueName;
use crate::queue::Queue;
use crate::queue::consumers::{Delivery, Outlet};

/// Somebody who sleeps until there is something to write or to read.
pub trait Wake: Send + Sync {
    /// Wakes the sleeper. Cheap when it is awake.
    fn wake(&self);
}

/// Sleepers to wake once a batch of work is done, so that each wakes once per batch.
#[derive(Default)]
pub struct Wakeups(Vec<Arc<dyn Wake>>);

impl Wakeups {
    /// Adds a sleeper. The caller adds it once per batch.
    pub fn add(&mut self, sleeper: Arc<dyn Wake>) {
        self.0.push(sleeper);
    }

    /// Wakes all.
    pub fn wake_all(&mut self) {
        for sleeper in self.0.drain(..) {
            sleeper.wake();
        }
    }
}

/// A message that left its queue the hard way and goes to the queue's dead-letter exchange.
#[derive(Debug)]
pub struct DeadLetter {
    /// The message.
    pub message: Message,
    /// Why.
    pub reason: DeathReason,
    /// Queues that have it already: it is tried again for the others alone.
    pub delivered_to: Vec<QueueName>,
}

impl DeadLetter {
    /// A message that has just died.
    pub fn new(message: Message, reason: DeathReason) -> Self {
        Self { message, reason, delivered_to: Vec::new() }
    }
}

/// Work that commands on queues leave behind, done in order by
/// [`VirtualHost::run`](crate::vhost::VirtualHost::run) with no lock held.
#[derive(Default)]
pub struct Effects {
    /// Dead letters with the queue that they come from.
    pub dead_letters: Vec<(Arc<Queue>, DeadLetter)>,
    /// Queues to delete: auto-delete after the last consumer, or expired.
    pub deletions: Vec<Arc<Queue>>,
    /// Channels that kept a delivery for too long, and what was allowed in milliseconds.
    pub timeouts: Vec<(Arc<dyn Outlet>, u64)>,
    /// Queues to wake at a time.
    pub timers: Vec<(Timestamp, Arc<Queue>)>,
    /// Octets that queues hold more (or, negative, less) than before.
    pub footprint: isize,
    /// Sleepers to wake.
    pub wakeups: Wakeups,
    /// Deliveries of the command at hand; empty between commands.
    pub(crate) deliveries: Vec<Delivery>,
    /// Messages that died during the command at hand; empty between commands.
    pub(crate) deaths: Vec<DeadLetter>,
}

impl Effects {
    /// No work.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is more to do than to wake sleepers.
    pub fn has_work(&self) -> bool {
        self.footprint != 0
            || !self.dead_letters.is_empty()
            || !self.deletions.is_empty()
            || !self.timers.is_empty()
            || !self.timeouts.is_empty()
    }
}
