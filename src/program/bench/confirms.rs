//! Which of a channel's published messages the server has confirmed.

/// Confirm state of one channel: everything up to a tag, plus single tags beyond it.
#[derive(Debug)]
pub(super) struct Confirms {
    up_to: u64,
    /// Ring of the tags in flight; `true` where a tag above `up_to` was confirmed on its own.
    singles: Vec<bool>,
}

impl Confirms {
    /// For a channel with at most `window` messages in flight.
    pub(super) fn new(window: u32) -> Self {
        Self { up_to: 0, singles: vec![false; (window as usize).next_power_of_two()] }
    }

    /// Takes a `basic.ack` or `basic.nack` and returns how many messages it newly settles.
    ///
    /// Tags that were never in flight settle nothing.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool) -> u64 {
        if tag > self.up_to.saturating_add(self.singles.len() as u64) {
            return 0;
        }
        if multiple {
            let mut count = 0;
            while self.up_to < tag {
                self.up_to += 1;
                count += u64::from(!self.take(self.up_to));
            }
            self.advance();
            return count;
        }
        if tag <= self.up_to || self.replace(tag, true) {
            return 0;
        }
        self.advance();
        1
    }

    /// Moves `up_to` over the single tags that follow it without a gap.
    fn advance(&mut self) {
        while self.take(self.up_to + 1) {
            self.up_to += 1;
        }
    }

    fn take(&mut self, tag: u64) -> bool {
        self.replace(tag, false)
    }

    fn replace(&mut self, tag: u64, value: bool) -> bool {
        // The ring's length is a power of two, so the low bits of the tag are its place.
        let place = (tag as usize) & (self.singles.len() - 1);
        self.singles.get_mut(place).is_some_and(|single| std::mem::replace(single, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_and_multiple_acks_count_each_message_once() {
        let mut confirms = Confirms::new(8);
        assert_eq!(confirms.settle(1, false), 1);
        assert_eq!(confirms.settle(3, false), 1);
        assert_eq!(confirms.settle(5, false), 1);
        assert_eq!(confirms.settle(4, true), 2, "2 and 4 are new, 3 is known");
        assert_eq!(confirms.settle(5, true), 0);
        assert_eq!(confirms.settle(8, true), 3);
    }

    #[test]
    fn repeated_and_invented_tags_settle_nothing() {
        let mut confirms = Confirms::new(4);
        assert_eq!(confirms.settle(2, false), 1);
        assert_eq!(confirms.settle(2, false), 0);
        assert_eq!(confirms.settle(1000, true), 0);
        assert_eq!(confirms.settle(u64::MAX, false), 0);
        assert_eq!(confirms.settle(0, false), 0);
        assert_eq!(confirms.settle(2, true), 1);
    }

    #[test]
    fn any_order_adds_up() {
        let mut confirms = Confirms::new(16);
        let mut settled = 0;
        for block in 0..100_u64 {
            for step in 0..16 {
                // 7 is prime to 16, so each block meets its tags once, out of order.
                settled += confirms.settle(block * 16 + (step * 7) % 16 + 1, false);
            }
        }
        assert_eq!(settled, 1600);
        assert_eq!(confirms.up_to, 1600);
    }
}
