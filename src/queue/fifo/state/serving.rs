//! Messages go to the consumers whose turn it is.

use super::{Arrival, Enqueued, Room, State};
use crate::base::ids::ChannelId;
use crate::limits::DELIVERY_BATCH_MAX;
use crate::message::Message;
use crate::queue::consumers::{Claimed, Consumer, ConsumerId, ConsumerSpec, Unacked};
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
    /// That of the consumer, which has so many more to settle if it settles any.
    #[inline]
    fn of(consumer: &mut Consumer, count: u32) -> Self {
        let ConsumerSpec { channel, source, no_ack, timeout_ms, .. } = consumer.spec;
        let debt = (!no_ack).then(|| {
            consumer.unacked += count;
            Debt { consumer: consumer.id, channel, timeout_ms }
        });
        Self { slot: consumer.id.slot, source, debt }
    }
}

/// A consumer that takes so many of the next messages in a row.
struct ClaimedRun {
    claim: Claim,
    left: u32,
}

impl State {
    /// The consumer of the next message, if there is one that takes it.
    #[inline]
    pub(super) fn claim(&mut self, effects: &Effects) -> Option<Claim> {
        if let Some(&Claimed { slot, .. }) = effects.deliveries.last()
            && self.hold.is_none()
            && let Some(consumer) = self.consumers.next_of_run(slot)
        {
            return Some(Claim::of(consumer, 1));
        }
        self.ask_for_claim()
    }

    #[inline]
    fn ask_for_claim(&mut self) -> Option<Claim> {
        match &mut self.hold {
            None => self.claim_next(),
            Some(hold) => {
                let chosen = hold.choose(&mut self.consumers);
                chosen.map(|consumer| Claim::of(consumer, 1))
            }
        }
    }

    /// The same, of a queue that is not held.
    #[inline]
    fn claim_next(&mut self) -> Option<Claim> {
        self.consumers.next().map(|consumer| Claim::of(consumer, 1))
    }

    /// The consumer of the next messages, up to `max`, of a queue that is plain. What it does not
    /// get of them is to be [given back](State::end_run).
    #[inline]
    fn claim_run(&mut self, max: usize) -> Option<ClaimedRun> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let (consumer, left) = self.consumers.next_run(max)?;
        Some(ClaimedRun { claim: Claim::of(consumer, left), left })
    }

    /// The consumer gets no more of the run.
    #[inline]
    fn end_run(&mut self, run: &ClaimedRun) {
        if run.left > 0
            && let Some(debt) = &run.claim.debt
        {
            self.consumers.give_back(debt.consumer, run.left);
        }
    }

    /// Messages arrive, `first` and the `others`, and the consumer whose turn it is gets as many as
    /// it takes in a row; `outcome` is called for each before the next is asked for. They are alike
    /// in what they do if the queue is full. Tells whether the last of them is large, and is to be
    /// passed on at once. Gives `first` back, and does nothing, if they have to be looked at one by
    /// one or nobody takes any.
    #[inline]
    pub(in crate::queue) fn serve_run(
        &mut self,
        first: Arrival,
        others: &mut impl Iterator<Item = Arrival>,
        now: Timestamp,
        effects: &mut Effects,
        mut outcome: impl FnMut(Enqueued),
    ) -> Result<bool, Arrival> {
        let asks_for_room = matches!(first.room, Room::Promised | Room::Denied);
        if !self.is_plain || !self.ready.is_empty() || asks_for_room {
            return Err(first);
        }
        let room = first.room;
        let most = DELIVERY_BATCH_MAX.saturating_sub(effects.deliveries.len()).max(1);
        let Some(mut run) = self.claim_run(most) else { return Err(first) };
        let (mut next, mut is_large) = (Some(first), false);
        while let Some(Arrival { message, sequence, stored, room: its_own }) = next {
            debug_assert_eq!(its_own, room);
            is_large = message.shared_body().is_some();
            self.counted.totals.publish += 1;
            self.counted.totals.disk_writes += u64::from(stored);
            let entry = self.new_entry(message, sequence, stored, now);
            self.hand_over(entry, &run.claim, now, effects);
            outcome(Enqueued::Accepted);
            run.left -= 1;
            if is_large || run.left == 0 {
                break;
            }
            next = others.next();
        }
        self.end_run(&run);
        Ok(is_large)
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
        let claimed = self.claimed(entry, claim, now);
        effects.deliveries.push(claimed);
    }

    /// A message on its way to the consumer that claimed it.
    #[inline(always)]
    fn claimed(&mut self, entry: Entry, claim: &Claim, now: Timestamp) -> Claimed {
        let &Claim { slot, source, ref debt } = claim;
        self.counted.count_delivery(&entry, debt.is_none());
        let Some(debt) = debt else { return Claimed { slot, source, id: 0, entry: Some(entry) } };
        let id = self.keep_unacked(entry, Some(debt.consumer), debt.channel, now);
        let timeout_ms = debt.timeout_ms.unwrap_or(self.settings.consumer_timeout_ms);
        self.overdue_at = self.overdue_at.min(now.after_ms(timeout_ms));
        Claimed { slot, source, id, entry: None }
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
        let mut left = max;
        while left > 0 {
            if !self.expire(now, effects) || self.consumers.none_waiting() {
                if std::mem::take(&mut self.has_popped) {
                    self.ready.shrink();
                }
                return false;
            }
            let run = if self.is_plain && self.ready.is_lasting() {
                self.claim_run(left)
            } else {
                self.claim(effects).map(|claim| ClaimedRun { claim, left: 1 })
            };
            let Some(mut run) = run else { return false };
            let before = left;
            while run.left > 0
                && let Some(entry) = self.pop_ready()
            {
                let is_large = entry.message.shared_body().is_some();
                self.hand_over(entry, &run.claim, now, effects);
                run.left -= 1;
                left -= 1;
                if is_large {
                    // At once, so that a channel that is full is noticed.
                    self.end_run(&run);
                    return true;
                }
            }
            self.end_run(&run);
            if left == before {
                return false;
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
    ) -> Claimed {
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
        self.claimed(entry, claim, now)
    }
}
