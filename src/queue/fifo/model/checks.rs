//! The invariants.

use super::*;

impl World {
    pub(super) fn check_entry(&self, number: u64, entry: &Entry, fresh: Option<u64>) -> Checked {
        let item = &self.items[&number];
        prop_assert_eq!(entry.redelivered, item.returns > 0, "redelivered means returned");
        prop_assert_eq!(entry.delivery_count, item.returns, "returns are counted");
        prop_assert_eq!(entry.failures, item.failures, "lost deliveries are counted");
        prop_assert_eq!(entry.expires_at, item.expires_at, "a return does not renew the time");
        // A time to live of 0 lets a consumer have what it can take at this instant.
        let alive = item.expires_at > self.now || fresh.is_some_and(|first| number >= first);
        prop_assert!(alive, "the expired are never delivered");
        Ok(())
    }

    pub(super) fn check_choice(&self, source: usize) -> Checked {
        let chosen = &self.consumers[source];
        prop_assert!(!chosen.gone, "the gone get nothing");
        prop_assert!(self.can_take(source), "credit and room are kept");
        if self.single_active {
            prop_assert_eq!(self.active, Some(source), "the single active consumer gets all");
            prop_assert!(!self.makes_way(), "who makes way gets nothing more");
        } else {
            let better = (0..self.consumers.len())
                .filter(|&at| self.consumers[at].priority > chosen.priority)
                .find(|&at| self.can_take(at));
            prop_assert_eq!(better, None, "higher priorities are served first");
        }
        Ok(())
    }

    /// What holds whenever no command is under way.
    pub(super) fn check(&self) -> Checked {
        let counts = self.state.counts();
        let held = |item: &&Item| matches!(item.place, Place::Ready | Place::Unacked { .. });
        let ready = self.ready();
        let unacked = self.unacked(|_| true);
        prop_assert_eq!(counts.ready, ready.len(), "nothing ready is lost");
        prop_assert_eq!(counts.unacked, unacked, "nothing unacknowledged is lost");
        prop_assert_eq!(self.items.values().filter(held).count(), counts.ready + counts.unacked);
        let paged: Vec<u64> = self.state.ready.sequences_paged_below(u64::MAX).collect();
        let in_memory = self.items.iter().filter(|(number, _)| !paged.contains(number));
        let in_memory = in_memory.map(|(_, item)| item).filter(held);
        let footprint: usize = in_memory.map(|item| item.footprint).sum();
        prop_assert_eq!(counts.footprint, footprint, "the footprint is that of what is held");
        let consumers = self.consumers.iter().filter(|consumer| !consumer.gone).count();
        prop_assert_eq!(counts.consumers, consumers);
        let has_some = |&at: &usize| self.consumers[at].gone && self.unacked(|o| o == Some(at)) > 0;
        let counted = if self.quorum && self.single_active { consumers.min(1) } else { consumers };
        let more =
            (0..self.consumers.len()).filter(has_some).count() + self.unacked(|o| o.is_none());
        let declared = counted + if self.quorum { more } else { 0 };
        prop_assert_eq!(counts.declared_consumers, declared);
        for (at, consumer) in self.consumers.iter().enumerate() {
            let unacked = self.unacked(|owner| owner == Some(at));
            let limit = consumer.prefetch_count as usize;
            prop_assert!(limit == 0 || unacked <= limit, "prefetch is kept");
        }
        prop_assert!(!self.is_too_long() || self.settings.length.overflow != Overflow::DropHead);
        if let Some(head) = ready.first() {
            let expires_at = self.items[head].expires_at;
            prop_assert!(expires_at > self.now, "the head is alive");
            prop_assert!(self.wake_at <= expires_at, "the timer knows when the head expires");
            let idle = (0..self.consumers.len())
                .filter(|&at| !self.single_active || self.active == Some(at) && !self.makes_way())
                .find(|&at| self.can_take(at));
            prop_assert_eq!(idle, None, "nobody waits beside a ready message");
        }
        self.check_totals()
    }
}
