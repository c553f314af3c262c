//! Ready messages that are in the store alone: a queue holds a few octets for a run of them.

use std::collections::{BTreeMap, VecDeque};

use crate::message::stored::{Gone, History};

/// Messages in sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    count: u64,
}

/// Sequences of messages that were paged out, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paged {
    runs: VecDeque<Run>,
    count: usize,
    body_bytes: u64,
    /// Only of those that were delivered before.
    histories: BTreeMap<u64, History>,
}

impl Paged {
    /// Messages.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Octets in the bodies.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// The lowest sequence.
    pub(crate) fn first(&self) -> Option<u64> {
        self.runs.front().map(|run| run.first)
    }

    /// The highest sequence.
    pub(crate) fn last(&self) -> Option<u64> {
        self.runs.back().map(|run| run.first + run.count - 1)
    }

    /// Adds a message behind the others.
    pub(crate) fn push(&mut self, sequence: u64, body_bytes: u64, history: History) {
        match self.runs.back_mut() {
            Some(run) if run.first + run.count == sequence => run.count += 1,
            _ => self.runs.push_back(Run { first: sequence, count: 1 }),
        }
        self.count += 1;
        self.body_bytes += body_bytes;
        if history != History::default() {
            self.histories.insert(sequence, history);
        }
    }

    /// The sequences, in order.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().flat_map(|run| run.first..run.first + run.count)
    }

    /// The first sequences, up to `max`.
    pub(crate) fn head(&self, max: usize) -> Vec<u64> {
        self.sequences().take(max).collect()
    }

    /// What is known of a message.
    pub(crate) fn history(&self, sequence: u64) -> History {
        self.histories.get(&sequence).copied().unwrap_or_default()
    }

    /// Takes the message that is first, if it is this one.
    pub(crate) fn take_first(&mut self, sequence: u64, body_bytes: u64) -> Option<History> {
        let run = self.runs.front_mut().filter(|run| run.first == sequence)?;
        run.first += 1;
        run.count -= 1;
        if run.count == 0 {
            self.runs.pop_front();
        }
        self.count -= 1;
        // A message that turned out to be damaged has another size than it had.
        self.body_bytes = self.body_bytes.saturating_sub(body_bytes);
        let history = self.histories.remove(&sequence).unwrap_or_default();
        if self.count == 0 {
            *self = Self::default();
        }
        Some(history)
    }

    /// Takes a message out, wherever it is; tells whether it was there.
    pub(crate) fn remove(&mut self, sequence: u64, body_bytes: u64) -> bool {
        let at = self.runs.partition_point(|run| run.first + run.count <= sequence);
        let Some(run) = self.runs.get_mut(at).filter(|run| run.first <= sequence) else {
            return false;
        };
        let before = Run { first: run.first, count: sequence - run.first };
        let after = Run { first: sequence + 1, count: run.count - before.count - 1 };
        match (before.count, after.count) {
            (0, 0) => drop(self.runs.remove(at)),
            (0, _) => *run = after,
            (_, 0) => *run = before,
            _ => {
                *run = before;
                self.runs.insert(at + 1, after);
            }
        }
        self.count -= 1;
        self.body_bytes = self.body_bytes.saturating_sub(body_bytes);
        self.histories.remove(&sequence);
        if self.count == 0 {
            *self = Self::default();
        }
        true
    }

    /// The messages as ranges of the queue's store.
    pub(crate) fn ranges(&self, queue: u64) -> impl Iterator<Item = Gone> {
        self.runs.iter().map(move |run| Gone {
            queue,
            first: run.first,
            last: run.first + run.count - 1,
        })
    }

    /// Those that were delivered before.
    pub(crate) fn histories(&self) -> impl Iterator<Item = (u64, History)> {
        self.histories.iter().map(|(sequence, history)| (*sequence, *history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_from_the_middle() {
        let mut paged = Paged::default();
        [3, 4, 5, 6, 9].iter().for_each(|sequence| paged.push(*sequence, 10, History::default()));
        assert!(!paged.remove(2, 10) && !paged.remove(7, 10) && !paged.remove(10, 10));
        assert!(paged.remove(4, 10));
        assert_eq!(paged.sequences().collect::<Vec<_>>(), [3, 5, 6, 9]);
        assert!(paged.remove(3, 10) && paged.remove(6, 10) && paged.remove(9, 10));
        assert_eq!((paged.len(), paged.body_bytes(), paged.first()), (1, 10, Some(5)));
        assert!(paged.remove(5, 10));
        assert_eq!(paged, Paged::default());
    }

    #[test]
    fn runs_grow_and_shrink() {
        let mut paged = Paged::default();
        let returned = History { delivery_count: 2, failures: 1, redelivered: true };
        for sequence in [3, 4, 5, 9, 10] {
            let history = if sequence == 4 { returned } else { History::default() };
            paged.push(sequence, 10, history);
        }
        assert_eq!((paged.len(), paged.body_bytes(), paged.runs.len()), (5, 50, 2));
        assert_eq!(paged.last(), Some(10));
        assert_eq!(paged.head(4), [3, 4, 5, 9]);
        assert_eq!(paged.take_first(4, 10), None);
        assert_eq!(paged.take_first(3, 10), Some(History::default()));
        assert_eq!(paged.take_first(4, 10), Some(returned));
        let ranges: Vec<_> = paged.ranges(7).map(|gone| (gone.first, gone.last)).collect();
        assert_eq!(ranges, [(5, 5), (9, 10)]);
        for sequence in [5, 9, 10] {
            assert!(paged.take_first(sequence, 11).is_some());
        }
        assert_eq!(paged, Paged::default());
    }
}
