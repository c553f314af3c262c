//! Sets of sequences that are gone.

use std::collections::{BTreeMap, HashMap};

use crate::key::QueueId;
use crate::log::content::{Range, Target};

/// Ranges of sequences per queue, merged where they touch.
#[derive(Debug, Default)]
pub(crate) struct SettledSet(HashMap<QueueId, BTreeMap<u64, u64>>);

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

    pub(crate) fn contains(&self, target: Target) -> bool {
        let ranges = self.0.get(&target.queue);
        ranges
            .and_then(|ranges| ranges.range(..=target.sequence).next_back())
            .is_some_and(|(_, last)| target.sequence <= *last)
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range> {
        self.0.iter().flat_map(|(&queue, ranges)| {
            ranges.iter().map(move |(&first, &last)| Range { queue, first, last })
        })
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
        let contains = |sequence| set.contains(Target { queue: 1, sequence });
        assert!(contains(1) && contains(7) && contains(35) && !contains(2) && !contains(10));
        assert!(!set.contains(Target { queue: 2, sequence: 7 }));
    }
}
