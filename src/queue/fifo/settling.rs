//! Settling deliveries: what is acknowledged leaves, what is refused dies or comes back.

use std::convert::Infallible;

use crate::message::deaths::DeathReason;
use crate::message::stored::{Place, Returned};
use crate::queue::consumers::{ConsumerId, Unacked};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::State;
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
        let is_all_over = settlement == Settlement::Ack && self.duplicates.is_none();
        let mut entries = Vec::new();
        let count = self.take_settled(ids, |entry| {
            if !is_all_over || entry.stored {
                entries.push(entry);
            }
        });
        match settlement {
            Settlement::Ack => {
                self.counted.totals.ack += count;
                for entry in &entries {
                    self.forget_key(&entry.message);
                    self.note_gone(entry, effects);
                }
            }
            Settlement::Requeue | Settlement::Abandon => {}
            Settlement::RequeueLast { first } => {
                for (entry, sequence) in entries.iter_mut().zip(first..) {
                    entry.sequence = if entry.stored { entry.sequence } else { sequence };
                }
            }
            Settlement::Reject => {
                for entry in entries.drain(..) {
                    self.forget_key(&entry.message);
                    self.note_death(entry, DeathReason::Rejected, effects);
                }
            }
        }
        if self.is_quorum && !self.is_in_use() {
            self.lease.renew(now);
        }
        if settlement.returns() && !entries.is_empty() {
            self.take_back(entries, settlement, now, effects);
        }
    }

    /// Deliveries are not kept any more, and each message is handed to `each`, whatever becomes of
    /// it. Tells how many there were.
    #[inline]
    fn take_settled(
        &mut self,
        ids: impl IntoIterator<Item = u64>,
        mut each: impl FnMut(Entry),
    ) -> u64 {
        let Self { unacked, consumers, counted, footprint, polled, .. } = self;
        let mut release = |consumer: Option<ConsumerId>, deliveries: u32| match consumer {
            Some(consumer) => consumers.release(consumer, deliveries),
            None => *polled -= deliveries as usize,
        };
        // Mostly they are of one consumer.
        let (mut last, mut run, mut count) = (None, 0, 0);
        let Ok(()) = unacked.remove_each(ids, |_, unacked| {
            let Some(Unacked { entry, consumer, .. }) = unacked else { return Ok(()) };
            if consumer != last {
                release(std::mem::replace(&mut last, consumer), std::mem::take(&mut run));
            }
            run += 1;
            count += 1;
            *footprint -= entry.message.footprint();
            counted.unacked.remove(&entry.message);
            each(entry);
            Ok::<_, Infallible>(())
        });
        release(last, run);
        count
    }

    /// Deliveries are acknowledged, and nothing else comes of it. Tells whether that is so; if not,
    /// nothing was done.
    pub(in crate::queue) fn acknowledge_directly(&mut self, ids: &[u64]) -> bool {
        if !self.is_plain || !self.ready.is_empty() {
            return false;
        }
        self.counted.totals.ack += self.take_settled(ids.iter().copied(), drop);
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
