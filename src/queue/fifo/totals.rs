//! What a queue has counted until now, and counting what concerns all of it.

use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::QueueTotals;
use crate::message::deaths::DeathReason;
use crate::queue::effects::DeadLetter;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::State;
use crate::queue::tally::QueueTally;
use crate::time::clock::Timestamp;

impl State {
    /// What was counted until now.
    pub fn totals(&self) -> QueueTotals {
        QueueTotals {
            messages_ready: self.ready.len() as u64,
            messages_unacknowledged: self.unacked.len() as u64,
            ..self.counted.totals
        }
    }

    /// The same, with rates.
    pub fn measured(&self) -> Measured<QueueTotals> {
        self.counted.recent.measured(self.totals())
    }

    /// What there is to be added up.
    pub fn tally(&self) -> QueueTally {
        QueueTally {
            totals: self.totals(),
            deaths: self.counted.deaths.as_deref().copied().unwrap_or_default(),
            consumers: self.consumers.len(),
        }
    }

    /// Something was done with the queue.
    #[inline]
    pub fn count_use(&mut self, now: Timestamp) {
        self.counted.active_at = now;
        self.counted.capacity.set(!self.consumers.none_waiting(), now);
    }

    /// Counts messages that have died, those that are tried again not again.
    pub fn count_deaths(&mut self, deaths: &[DeadLetter], has_target: bool) {
        let at_least_once = self.keeps_dead_letters();
        let counted = self.counted.deaths.get_or_insert_default();
        let totals = &mut self.counted.totals;
        for death in deaths.iter().filter(|death| !death.is_retried) {
            use DeathReason as R;
            *match death.reason {
                R::Expired => &mut totals.expired,
                R::MaxLen => &mut totals.maxlen,
                R::Rejected => &mut totals.rejected,
                R::DeliveryLimit => &mut totals.delivery_limit,
            } += 1;
            *match (death.reason, has_target, at_least_once) {
                (R::Expired, false, _) => &mut counted.expired_disabled,
                (R::Expired, true, false) => &mut counted.expired_at_most_once,
                (R::Expired, true, true) => &mut counted.expired_at_least_once,
                (R::MaxLen, false, _) => &mut counted.maxlen_disabled,
                (R::MaxLen, true, _) => &mut counted.maxlen_at_most_once,
                (R::Rejected, false, _) => &mut counted.rejected_disabled,
                (R::Rejected, true, false) => &mut counted.rejected_at_most_once,
                (R::Rejected, true, true) => &mut counted.rejected_at_least_once,
                (R::DeliveryLimit, false, _) => &mut counted.delivery_limit_disabled,
                (R::DeliveryLimit, true, false) => &mut counted.delivery_limit_at_most_once,
                (R::DeliveryLimit, true, true) => &mut counted.delivery_limit_at_least_once,
            } += 1;
        }
    }

    /// A dead letter has arrived: of a queue that keeps it until then.
    pub fn count_arrived(&mut self) {
        if self.keeps_dead_letters() {
            self.counted.deaths.get_or_insert_default().confirmed += 1;
        }
    }

    /// The earliest property `timestamp` of what is next to be delivered or acknowledged.
    pub fn head_timestamp(&self) -> Option<u64> {
        let timestamp = |entry: &Entry| entry.message.raw_properties().timestamp();
        let ready = self.ready.head().and_then(timestamp);
        let unacked = self.unacked.iter().next();
        let unacked = unacked.and_then(|(_, unacked)| timestamp(&unacked.entry));
        ready.into_iter().chain(unacked).min()
    }
}
