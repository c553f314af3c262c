//! How much memory the messages of a queue take, and how much of that is known to whoever adds up
//! that of all queues.

use crate::queue::fifo::duplicates::Duplicates;
use crate::queue::fifo::state::State;

/// What the common count need not know at once of a queue through which single messages pass:
/// every thread that moves messages writes to that count.
const SMALL: usize = 1024;

impl State {
    /// Octets of all messages held, with their overhead.
    #[inline]
    pub fn footprint(&self) -> usize {
        self.footprint + self.duplicates.as_deref().map_or(0, Duplicates::footprint)
    }

    /// Octets more, or less if negative, than were told the last time.
    #[inline]
    pub(in crate::queue) fn take_growth(&mut self) -> isize {
        let footprint = self.footprint();
        footprint as isize - std::mem::replace(&mut self.told_footprint, footprint) as isize
    }

    /// The same, but nothing as long as it is little.
    #[inline]
    pub(in crate::queue) fn take_large_growth(&mut self) -> isize {
        let (footprint, told) = (self.footprint(), self.told_footprint);
        let is_over = footprint == 0 && told > 0;
        if is_over || footprint.abs_diff(told) >= SMALL { self.take_growth() } else { 0 }
    }
}
