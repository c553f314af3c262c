//! Settling deliveries: what is acknowledged leaves, what is refused dies or comes back.

use crate::message::deaths::DeathReason;
use crate::message::stored::{Place, Returned};
use crate::queue::consumers::ConsumerId;
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::{State, Unacked};
use crate::time::clock::Timestamp;

/// How deliveries are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Acknowledged: gone.
    Ack,
    /// Back to their original position `[amqp 0-9-1 basic.reject]`.
    Requeue,
    /// The same without anybody having asked for it: the channel has ended.
    Abandon,
    /// Back to the end, with numbers from `first` on; what is stored keeps its number, and with it
    /// its position.
    RequeueLast {
        /// The first of so many numbers.
        first: u64,
    },
    /// Dropped, or dead-lettered.
    Reject,
}

impl Settlement {
    /// What basic.reject and basic.nack mean.
    pub fn refusal(requeue: bool) -> Self {
        if requeue { Self::Requeue } else { Self::Reject }
    }

    fn returns(self) -> bool {
        matches!(self, Self::Requeue | Self::Abandon | Self::RequeueLast { .. })
    }
}

impl State {
    /// Deliveries are settled. Unknown numbers are those of a queue that was purged of them by
    /// its deletion, and are ignored.
    pub fn settle(
        &mut self,
        ids: impl IntoIterator<Item = u64>,
        settlement: Settlement,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let mut returned = Vec::new();
        for id in ids {
            let Some(Unacked { mut entry, consumer, .. }) = self.unacked.remove(id) else {
                continue;
            };
            self.release(&entry, consumer);
            if !settlement.returns() {
                self.forget_key(&entry.message);
            }
            match settlement {
                Settlement::Ack => {
                    self.counted.totals.ack += 1;
                    self.note_gone(&entry, effects);
                }
                Settlement::Requeue | Settlement::Abandon => returned.push(entry),
                Settlement::RequeueLast { first } => {
                    if !entry.stored {
                        entry.sequence = first + returned.len() as u64;
                    }
                    returned.push(entry);
                }
                Settlement::Reject => self.note_death(entry, DeathReason::Rejected, effects),
            }
        }
        if self.is_quorum && !self.is_in_use() {
            self.lease.renew(now);
        }
        if !returned.is_empty() {
            self.take_back(returned, settlement, now, effects);
        }
    }

    /// A delivery is not kept any more, whatever becomes of the message.
    #[inline]
    fn release(&mut self, entry: &Entry, consumer: Option<ConsumerId>) {
        self.footprint -= entry.message.footprint();
        self.counted.unacked.remove(&entry.message);
        match consumer {
            Some(consumer) => self.consumers.release(consumer),
            None => self.polled -= 1,
        }
    }

    /// Deliveries are acknowledged, and nothing else comes of it. Tells whether that is so; if not,
    /// nothing was done.
    pub(in crate::queue) fn acknowledge_directly(&mut self, ids: &[u64]) -> bool {
        if !self.is_plain || !self.ready.is_empty() {
            return false;
        }
        for &id in ids {
            if let Some(Unacked { entry, consumer, .. }) = self.unacked.remove(id) {
                self.release(&entry, consumer);
                self.counted.totals.ack += 1;
            }
        }
        true
    }

    /// Messages come back, unless they came back too often. A quorum queue without a limit takes
    /// those that were given back on purpose as if they were new, so that one that nobody wants
    /// does not keep out the others `[rabbitmq quorum-queues#repeated-requeues]`.
    fn take_back(
        &mut self,
        mut returned: Vec<Entry>,
        settlement: Settlement,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let is_lost = self.is_quorum && settlement == Settlement::Abandon;
        let limit = self.settings.delivery_limit;
        let starts_anew = self.is_quorum && limit.is_none() && settlement == Settlement::Requeue;
        returned.retain_mut(|entry| {
            entry.redelivered = true;
            entry.delivery_count = entry.delivery_count.saturating_add(1);
            entry.failures = entry.failures.saturating_add(is_lost.into());
            if limit.is_exceeded(entry.delivery_count) {
                self.note_death(entry.clone(), DeathReason::DeliveryLimit, effects);
                return false;
            }
            if starts_anew {
                self.forget_returns(entry, effects);
                effects.anew.push(entry.clone());
                return false;
            }
            self.note_returned(entry, Place::Front, effects);
            true
        });
        self.footprint += returned.iter().map(|entry| entry.message.footprint()).sum::<usize>();
        self.ready.put_back(returned);
        self.expire(now, effects);
        if !self.is_quorum {
            // Quorum queues serve their consumers first.
            self.keep_length(effects);
        }
    }

    /// A message that came back, and has a new number, goes to the end of those that arrived.
    pub fn append(&mut self, entry: Entry, effects: &mut Effects) {
        self.footprint += entry.message.footprint();
        self.note_returned(&entry, Place::Line, effects);
        self.ready.append(entry);
    }

    /// The store is to remember how often a message was returned, if that has consequences.
    pub(in crate::queue) fn note_returned(
        &self,
        entry: &Entry,
        place: Place,
        effects: &mut Effects,
    ) {
        if entry.stored && self.is_quorum {
            let Entry { sequence, delivery_count, failures, .. } = *entry;
            let queue = self.storage.id;
            effects.returned.push(Returned { queue, sequence, delivery_count, failures, place });
        }
    }

    /// The store need not remember it any more: the message is gone.
    pub(in crate::queue) fn forget_returns(&self, entry: &Entry, effects: &mut Effects) {
        if entry.delivery_count > 0 {
            self.note_returned(entry, Place::Gone, effects);
        }
    }
}
