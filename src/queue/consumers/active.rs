//! The single active consumer `[rabbitmq consumers#single-active-consumer]`.

use std::cmp::Reverse;

use crate::limits::QUORUM_PREFETCH_MAX;
use crate::queue::consumers::{Consumer, Consumers};

impl Consumers {
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

    /// The next single active consumer: highest priority, then the oldest. A quorum queue asks for
    /// the larger prefetch before that.
    fn successor(&self) -> Option<usize> {
        let prefetch = |consumer: &Consumer| match consumer.spec.prefetch_count {
            _ if !self.manners.quorum => 0,
            0 => QUORUM_PREFETCH_MAX,
            prefetch_count => prefetch_count,
        };
        self.iter()
            .max_by_key(|c| (c.spec.priority, prefetch(c), Reverse(c.id.generation)))
            .map(|c| c.id.slot)
    }
}
