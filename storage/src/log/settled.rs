//! Sets of sequences that are gone.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::key::{QueueId, QueueMap};
use crate::log::content::{Range, Target};

/// Ranges of sequences per queue, merged where they touch.
#[derive(Debug, Default)]
pub(crate) struct SettledSet(QueueMap<BTreeMap<u64, u64>>);

impl SettledSet {
    pub(crate) fn insert(&mut self, range: Range) {
        let Range { queue, mut first, mut last } = range;
        if first > last {
            return;
        }
        let ranges = self.0.entry(queue).or_default();
        // Those that overlap or touch are taken in, from the last one back.
        let reach = last.saturating_add(1);
        while let Some((&from, &to)) = ranges.range(..=reach).next_back() {
            if to.saturating_add(1) < first {
                break;
            }
            ranges.remove(&from);
            (first, last) = (first.min(from), last.max(to));
        }
        ranges.insert(first, last);
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range> {
        self.0.iter().flat_map(|(&queue, ranges)| {
            ranges.iter().map(move |(&first, &last)| Range { queue, first, last })
        })
    }
}

/// Asks a set about sequence after sequence: what is near the last one asked for costs little.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    set: &'a SettledSet,
    queue: QueueId,
    /// About all of these the answer is the same.
    known: RangeInclusive<u64>,
    settled: bool,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(set: &'a SettledSet) -> Self {
        // An empty range.
        Self { set, queue: 0, known: RangeInclusive::new(1, 0), settled: false }
    }

    pub(crate) fn contains(&mut self, target: Target) -> bool {
        if target.queue != self.queue || !self.known.contains(&target.sequence) {
            self.queue = target.queue;
            (self.known, self.settled) = self.look(target);
        }
        self.settled
    }

    fn look(&self, target: Target) -> (RangeInclusive<u64>, bool) {
        let Target { queue, sequence } = target;
        let Some(ranges) = self.set.0.get(&queue) else { return (0..=u64::MAX, false) };
        let before = ranges.range(..=sequence).next_back().map(|(first, last)| (*first, *last));
        match before {
            Some((first, last)) if sequence <= last => (first..=last, true),
            _ => {
                let from = before.map_or(0, |(_, last)| last.saturating_add(1));
                let after = ranges.range(sequence..).next().map(|(first, _)| *first);
                (from..=after.map_or(u64::MAX, |first| first.saturating_sub(1)), false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_where_they_touch() {
        let mut set = SettledSet::default();
        for (first, last) in [(5, 6), (9, 9), (1, 1), (7, 8), (20, u64::MAX), (30, 40)] {
            set.insert(Range { queue: 1, first, last });
        }
        let ranges: Vec<_> = set.ranges().map(|range| (range.first, range.last)).collect();
        assert_eq!(ranges, [(1, 1), (5, 9), (20, u64::MAX)]);
        let mut lookup = Lookup::new(&set);
        let settled = [1, 5, 6, 7, 8, 9, 20, 35];
        for sequence in (0..40).chain((0..40).rev()) {
            let expected = settled.contains(&sequence) || sequence >= 20;
            assert_eq!(lookup.contains(Target { queue: 1, sequence }), expected, "{sequence}");
            assert!(!lookup.contains(Target { queue: 2, sequence }));
        }
        let mut lookup = Lookup::new(&set);
        for sequence in 0..40 {
            let expected = settled.contains(&sequence) || sequence >= 20;
            assert_eq!(lookup.contains(Target { queue: 1, sequence }), expected, "{sequence}");
        }
    }
}
