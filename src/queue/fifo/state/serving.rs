//! Messages go to the consumers whose turn it is.

use super::{State, Unacked};
use crate::base::ids::ChannelId;
use crate::message::Message;
use crate::queue::consumers::{Consumer, ConsumerId, ConsumerSpec, Delivery};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::ttl;
use crate::time::clock::Timestamp;

/// A consumer that takes the next message.
pub(in crate::queue) struct Claim {
    slot: usize,
    source: u32,
    /// What it has to settle; `None` if it needs no acknowledgement.
    debt: Option<Debt>,
}

/// Who is to settle a delivery, and how long that may take, if the queue does not say it.
struct Debt {
    consumer: ConsumerId,
    channel: ChannelId,
    timeout_ms: Option<u64>,
}

impl Claim {
    /// That of the consumer, which has one more to settle if it settles any.
    #[inline]
    fn of(consumer: &mut Consumer) -> Self {
        let ConsumerSpec { channel, source, no_ack, timeout_ms, .. } = consumer.spec;
        let debt = (!no_ack).then(|| {
            consumer.unacked += 1;
            Debt { consumer: consumer.id, channel, timeout_ms }
        });
        Self { slot: consumer.id.slot, source, debt }
    }
}

impl State {
    /// The consumer of the next message, if there is one that takes it.
    #[inline]
    pub(super) fn claim(&mut self, effects: &Effects) -> Option<Claim> {
        if let Some(&Delivery { slot, .. }) = effects.deliveries.last()
            && self.hold.is_none()
            && let Some(consumer) = self.consumers.next_of_run(slot)
        {
            return Some(Claim::of(consumer));
        }
        self.ask_for_claim()
    }

    #[inline]
    fn ask_for_claim(&mut self) -> Option<Claim> {
        match &mut self.hold {
            None => self.claim_next(),
            Some(hold) => hold.choose(&mut self.consumers).map(Claim::of),
        }
    }

    /// The same, of a queue that is not held.
    #[inline]
    fn claim_next(&mut self) -> Option<Claim> {
        self.consumers.next().map(Claim::of)
    }

    /// Gives a message to the consumer that claimed it. A call for each was measured: 5 % of what a
    /// small one costs.
    #[inline(always)]
    pub(super) fn hand_over(
        &mut self,
        entry: Entry,
        claim: &Claim,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        if claim.debt.is_none() {
            self.note_gone(&entry, effects);
            self.forget_key(&entry.message);
        } else {
            self.note_handed_out(&entry, effects);
        }
        let delivery = self.delivery(entry, claim, now);
        effects.deliveries.push(delivery);
    }

    /// A message on its way to the consumer that claimed it.
    #[inline(always)]
    fn delivery(&mut self, entry: Entry, claim: &Claim, now: Timestamp) -> Delivery {
        let &Claim { slot, source, ref debt } = claim;
        self.counted.count_delivery(&entry, debt.is_none());
        let Some(debt) = debt else { return Delivery { slot, source, id: 0, entry } };
        let id = self.keep_unacked(entry.clone(), Some(debt.consumer), debt.channel, now);
        let timeout_ms = debt.timeout_ms.unwrap_or(self.settings.consumer_timeout_ms);
        self.overdue_at = self.overdue_at.min(now.after_ms(timeout_ms));
        Delivery { slot, source, id, entry }
    }

    /// Keeps a message until its delivery is settled; returns the delivery's number.
    #[inline(always)] // as `State::serve_directly`
    pub(super) fn keep_unacked(
        &mut self,
        entry: Entry,
        consumer: Option<ConsumerId>,
        channel: ChannelId,
        now: Timestamp,
    ) -> u64 {
        let id = self.next_delivery;
        self.next_delivery += 1;
        self.footprint += entry.message.footprint();
        self.counted.unacked.add(&entry.message);
        self.unacked.push(id, Unacked { entry, consumer, channel, delivered_at: now });
        id
    }

    /// Gives up to `max` ready messages to consumers that stand in line. Tells whether there may
    /// be more to give.
    pub fn dispatch(&mut self, max: usize, now: Timestamp, effects: &mut Effects) -> bool {
        if self.ready.is_empty() && !self.has_popped {
            return false;
        }
        for _ in 0..max {
            if !self.expire(now, effects) || self.consumers.none_waiting() {
                if std::mem::take(&mut self.has_popped) {
                    self.ready.shrink();
                }
                return false;
            }
            let Some(claim) = self.claim(effects) else { return false };
            let Some(entry) = self.pop_ready() else { return false };
            let is_large = entry.message.shared_body().is_some();
            self.hand_over(entry, &claim, now, effects);
            if is_large {
                break;
            }
        }
        true
    }

    /// The consumer that takes a message at once which arrives now, if nothing else comes of it.
    #[inline]
    pub(in crate::queue) fn claim_directly(&mut self) -> Option<Claim> {
        if self.is_plain && self.ready.is_empty() { self.claim_next() } else { None }
    }

    /// A message arrives, and the consumer takes it that has claimed it. If it may come back it
    /// gets a number, and it counts when it was delivered: `kept` is asked for both. Else it is
    /// enough to know when that was about.
    ///
    /// A call would have to return what was just written in pieces, and it takes longer to copy it
    /// than to make it: 5 % of what a small message costs.
    #[inline(always)]
    pub(in crate::queue) fn serve_directly(
        &mut self,
        claim: &Claim,
        message: Message,
        lately: Timestamp,
        kept: impl FnOnce() -> (u64, Timestamp),
    ) -> Delivery {
        self.counted.totals.publish += 1;
        let (sequence, now) = if claim.debt.is_some() { kept() } else { (0, lately) };
        let own_ttl_ms = message.expiration_ms();
        let entry = Entry {
            message,
            sequence,
            expires_at: ttl::expires_at(now, None, own_ttl_ms),
            delivery_count: 0,
            failures: 0,
            redelivered: false,
            stored: false,
        };
        self.delivery(entry, claim, now)
    }
}
