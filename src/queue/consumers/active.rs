//! The single active consumer `[rabbitmq consumers#single-active-consumer]`.

use std::cmp::Reverse;

use crate::limits::QUORUM_PREFETCH_MAX;
use crate::queue::consumers::claim::Claim;
use crate::queue::consumers::{Consumer, ConsumerId, Consumers};

impl Consumers {
    /// Whether a consumer gets messages at all: of several under a single active one only that
    /// does.
    pub fn may_get(&self, id: ConsumerId) -> bool {
        !self.manners.single_active || self.active == Some(id.slot)
    }

    /// Finds out who is the single active consumer, after somebody came, went or settled.
    pub(super) fn review_active(&mut self) {
        if !self.manners.single_active {
            return;
        }
        let best = self.successor();
        let priority = |slot: usize| self.at(slot).map(|consumer| consumer.spec.priority);
        let Some(active) = self.active.and_then(|slot| self.at(slot)) else {
            (self.active, self.makes_way) = (best, false);
            best.into_iter().for_each(|slot| self.stand_in_line(slot));
            return;
        };
        let slot = active.id.slot;
        let has_settled = active.unacked == 0;
        self.makes_way =
            self.manners.quorum && best.and_then(priority) > Some(active.spec.priority);
        if !self.makes_way {
            self.stand_in_line(slot);
            return;
        }
        self.leave_line(slot);
        if has_settled {
            (self.active, self.makes_way) = (best, false);
            best.into_iter().for_each(|slot| self.stand_in_line(slot));
        }
    }

    /// The next single active consumer.
    fn successor(&self) -> Option<usize> {
        self.claims.last().map(|claim| claim.slot)
    }

    fn claim(&self, consumer: &Consumer) -> Claim {
        let prefetch = match consumer.spec.prefetch_count {
            _ if !self.manners.quorum => 0,
            0 => QUORUM_PREFETCH_MAX,
            prefetch_count => prefetch_count,
        };
        let ConsumerId { slot, generation } = consumer.id;
        Claim { priority: consumer.spec.priority, prefetch, age: Reverse(generation), slot }
    }

    /// A consumer has come that may be the single active one some day.
    pub(super) fn make_claim(&mut self, consumer: &Consumer) {
        if self.manners.single_active {
            self.claims.insert(self.claim(consumer));
        }
    }

    /// It goes.
    pub(super) fn drop_claim(&mut self, slot: usize) {
        if self.manners.single_active
            && let Some(claim) = self.at(slot).map(|consumer| self.claim(consumer))
        {
            self.claims.remove(&claim);
        }
    }
}
