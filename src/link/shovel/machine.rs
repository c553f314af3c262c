//! What a shovel has taken, and what of that has arrived: which message is acknowledged at its
//! source and when, and when all is done. It knows no clock and no network.

use std::collections::VecDeque;

use super::definition::{AckMode, DeleteAfter};

/// How a message, or all up to it, is settled at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// They have arrived.
    Ack { delivery_tag: u64, multiple: bool },
    /// The destination refused it: it goes back to its place.
    Nack { delivery_tag: u64 },
}

/// What has been counted since the shovel was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages that were published.
    pub forwarded: u64,
    /// Messages that the destination confirmed.
    pub confirmed: u64,
    /// Messages that the destination refused.
    pub refused: u64,
}

/// The state of one shovel. Deliveries are settled in the order in which they came.
#[derive(Debug)]
pub(crate) struct Machine {
    mode: AckMode,
    delete_after: DeleteAfter,
    /// Messages that have still to arrive; `None` for no end.
    remaining: Option<u64>,
    /// Of these, how many have still to be published.
    unpublished: Option<u64>,
    /// Delivery tags of what was published and is not confirmed, in order.
    pending: VecDeque<u64>,
    counts: Counts,
}

impl Machine {
    pub(crate) fn new(mode: AckMode, delete_after: DeleteAfter) -> Self {
        let remaining = match delete_after {
            DeleteAfter::Messages(number) => Some(number),
            DeleteAfter::Never | DeleteAfter::QueueLength => None,
        };
        Self {
            mode,
            delete_after,
            remaining,
            unpublished: remaining,
            pending: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Both sides are there, and `ready` messages wait at the source. What was under way before
    /// comes again.
    pub(crate) fn connected(&mut self, ready: u64) {
        self.pending.clear();
        if self.delete_after == DeleteAfter::QueueLength && self.remaining.is_none() {
            self.remaining = Some(ready);
        }
        self.unpublished = self.remaining;
    }

    /// Whether it takes another message; of those that come all the same none is touched, and they
    /// go back to the source in the end.
    pub(crate) fn takes(&self) -> bool {
        self.unpublished != Some(0)
    }

    /// A message that it takes is about to be published. With what is returned, it is settled
    /// before that.
    pub(crate) fn publishing(&mut self, delivery_tag: u64) -> Option<Settle> {
        self.unpublished = self.unpublished.map(|number| number.saturating_sub(1));
        self.counts.forwarded += 1;
        match self.mode {
            AckMode::NoAck => {
                self.arrived();
                Some(Settle::Ack { delivery_tag, multiple: false })
            }
            AckMode::OnPublish | AckMode::OnConfirm => {
                self.pending.push_back(delivery_tag);
                None
            }
        }
    }

    /// The oldest message that is under way has been published, or confirmed if the shovel waits
    /// for that.
    pub(crate) fn concluded(&mut self) -> Option<Settle> {
        let delivery_tag = self.pending.pop_front()?;
        if self.mode == AckMode::OnConfirm {
            self.counts.confirmed += 1;
        }
        self.arrived();
        Some(Settle::Ack { delivery_tag, multiple: true })
    }

    /// The destination refused the oldest message that is under way.
    pub(crate) fn refused(&mut self) -> Option<Settle> {
        let delivery_tag = self.pending.pop_front()?;
        self.counts.refused += 1;
        // It comes again.
        self.unpublished = self.unpublished.map(|number| number + 1);
        Some(Settle::Nack { delivery_tag })
    }

    fn arrived(&mut self) {
        self.remaining = self.remaining.map(|number| number.saturating_sub(1));
    }

    /// Whether it has done what it is for.
    pub(crate) fn is_complete(&self) -> bool {
        self.remaining == Some(0)
    }

    /// Messages that are published and not confirmed.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Messages that have still to arrive, and of these how many have still to be published;
    /// `None` for no end.
    pub(crate) fn remaining(&self) -> Option<(u64, u64)> {
        self.remaining.zip(self.unpublished)
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(delivery_tag: u64) -> Option<Settle> {
        Some(Settle::Ack { delivery_tag, multiple: true })
    }

    #[test]
    fn a_message_is_acknowledged_when_it_is_confirmed() {
        let mut machine = Machine::new(AckMode::OnConfirm, DeleteAfter::Never);
        machine.connected(2);
        assert_eq!((machine.publishing(1), machine.publishing(2)), (None, None));
        assert_eq!(machine.pending(), 2);
        assert_eq!(machine.concluded(), ack(1));
        assert_eq!(machine.refused(), Some(Settle::Nack { delivery_tag: 2 }));
        assert_eq!(machine.counts(), Counts { forwarded: 2, confirmed: 1, refused: 1 });
        assert!(!machine.is_complete() && machine.remaining().is_none());
    }

    #[test]
    fn without_confirms_a_message_is_acknowledged_when_it_is_published() {
        let mut machine = Machine::new(AckMode::OnPublish, DeleteAfter::Never);
        machine.connected(0);
        assert_eq!(machine.publishing(1), None);
        assert_eq!(machine.concluded(), ack(1));
        assert_eq!(machine.counts(), Counts { forwarded: 1, confirmed: 0, refused: 0 });
    }

    #[test]
    fn without_acks_a_message_is_acknowledged_before_it_is_published() {
        let mut machine = Machine::new(AckMode::NoAck, DeleteAfter::Never);
        machine.connected(0);
        let settle = Settle::Ack { delivery_tag: 1, multiple: false };
        assert_eq!(machine.publishing(1), Some(settle));
        assert_eq!((machine.pending(), machine.concluded()), (0, None));
    }

    #[test]
    fn after_a_loss_what_was_not_confirmed_comes_again() {
        let mut machine = Machine::new(AckMode::OnConfirm, DeleteAfter::Messages(3));
        machine.connected(10);
        (1..=3).for_each(|tag| assert_eq!(machine.publishing(tag), None));
        assert!(!machine.takes());
        assert_eq!(machine.concluded(), ack(1));
        machine.connected(9);
        assert_eq!((machine.pending(), machine.remaining()), (0, Some((2, 2))));
        assert_eq!((machine.publishing(1), machine.publishing(2)), (None, None));
        assert!(!machine.takes() && !machine.is_complete());
        assert_eq!((machine.concluded(), machine.concluded()), (ack(1), ack(2)));
        assert!(machine.is_complete());
    }

    #[test]
    fn the_length_of_the_queue_is_that_of_the_first_start() {
        let mut machine = Machine::new(AckMode::OnConfirm, DeleteAfter::QueueLength);
        machine.connected(2);
        assert_eq!(machine.publishing(1), None);
        assert_eq!(machine.concluded(), ack(1));
        machine.connected(7);
        assert_eq!(machine.remaining(), Some((1, 1)));
        let mut empty = Machine::new(AckMode::NoAck, DeleteAfter::QueueLength);
        empty.connected(0);
        assert!(empty.is_complete());
    }

    #[test]
    fn what_is_refused_is_taken_again() {
        let mut machine = Machine::new(AckMode::OnConfirm, DeleteAfter::Messages(1));
        machine.connected(1);
        assert_eq!(machine.publishing(1), None);
        assert!(!machine.takes());
        assert_eq!(machine.refused(), Some(Settle::Nack { delivery_tag: 1 }));
        assert!(machine.takes() && !machine.is_complete());
    }
}
