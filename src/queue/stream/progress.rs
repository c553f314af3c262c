//! How far a consumer with a name is: what it has acknowledged without a gap.

use std::collections::BTreeSet;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was acknowledged, or rejected for good: the consumer is done with it.
    Done,
    /// It was to be given back: the consumer wants it again, next time.
    Wanted,
}

/// How far a consumer is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Offsets that were delivered and are not settled.
    outstanding: BTreeSet<u64>,
    /// The last offset that was delivered.
    last: Option<u64>,
    /// The first offset that it wants again.
    wanted: Option<u64>,
    /// What was told last.
    told: Option<u64>,
}

impl Progress {
    pub(super) fn delivered(&mut self, offset: u64) {
        self.outstanding.insert(offset);
        self.last = Some(offset);
    }

    pub(super) fn settled(&mut self, offset: u64, outcome: Outcome) {
        self.outstanding.remove(&offset);
        if outcome == Outcome::Wanted {
            self.wanted = Some(self.wanted.map_or(offset, |wanted| wanted.min(offset)));
        }
    }

    /// The last offset up to which nothing is open, if it is news.
    pub(super) fn news(&mut self) -> Option<u64> {
        let open = self.outstanding.first().copied();
        let first = [open, self.wanted].into_iter().flatten().min();
        let done = match first {
            Some(first) => first.checked_sub(1),
            None => self.last,
        };
        let done = done.filter(|done| self.told.is_none_or(|told| *done > told))?;
        self.told = Some(done);
        Some(done)
    }

    /// It begins behind this offset.
    pub(super) fn begin(&mut self, stored: Option<u64>) {
        self.told = stored;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_with_the_first_that_is_open() {
        let mut progress = Progress::default();
        progress.begin(Some(9));
        (10..15).for_each(|offset| progress.delivered(offset));
        assert_eq!(progress.news(), None);
        progress.settled(11, Outcome::Done);
        assert_eq!(progress.news(), None);
        progress.settled(10, Outcome::Done);
        assert_eq!(progress.news(), Some(11));
        assert_eq!(progress.news(), None);
        progress.settled(13, Outcome::Wanted);
        progress.settled(12, Outcome::Done);
        progress.settled(14, Outcome::Done);
        assert_eq!(progress.news(), Some(12));
        progress.delivered(15);
        progress.settled(15, Outcome::Done);
        assert_eq!(progress.news(), None, "13 was given back");
    }

    #[test]
    fn the_very_first_message_is_before_nothing() {
        let mut progress = Progress::default();
        progress.delivered(0);
        assert_eq!(progress.news(), None);
        progress.settled(0, Outcome::Done);
        assert_eq!(progress.news(), Some(0));
    }
}
