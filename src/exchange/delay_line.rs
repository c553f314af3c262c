//! Things that wait for their time, in the order in which it comes.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashSet};

use crate::time::clock::Timestamp;

/// Room for this many things is kept when the line gets shorter.
const ROOM_KEPT: usize = 1024;

struct Waiting<T> {
    due: Timestamp,
    sequence: u64,
    thing: T,
}

impl<T> Waiting<T> {
    fn place(&self) -> (Timestamp, u64) {
        (self.due, self.sequence)
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// Things by the time at which they are due; those of the same millisecond in the order in which
/// they came. Adding and taking one takes logarithmic time; a place takes 16 octets.
pub(crate) struct DelayLine<T> {
    heap: BinaryHeap<Reverse<Waiting<T>>>,
    next_sequence: u64,
    /// The deadline that the timer was asked for last.
    wake_at: Timestamp,
}

impl<T> Default for DelayLine<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next_sequence: 0, wake_at: Timestamp::NEVER }
    }
}

impl<T> DelayLine<T> {
    /// Things that wait.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Adds a thing that is due then.
    pub(crate) fn push(&mut self, due: Timestamp, thing: T) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.heap.push(Reverse(Waiting { due, sequence, thing }));
    }

    /// Takes the thing that has been due longest, if any is.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<T> {
        if self.next_due()? > now {
            return None;
        }
        let thing = self.heap.pop().map(|Reverse(waiting)| waiting.thing);
        if self.heap.capacity() > ROOM_KEPT && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to(self.heap.capacity() / 2);
        }
        thing
    }

    /// Everything that waits, when it is due, and its number, in the order in which it will leave.
    pub(crate) fn numbered(&self) -> Vec<(Timestamp, u64, &T)> {
        let mut waiting: Vec<_> = self.heap.iter().map(|Reverse(waiting)| waiting).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|w| (w.due, w.sequence, &w.thing)).collect()
    }

    /// Takes the things with these numbers out before their time, in the order in which they would
    /// have left.
    pub(crate) fn take(&mut self, numbers: &HashSet<u64>) -> Vec<T> {
        let all = std::mem::take(&mut self.heap).into_vec().into_iter();
        let is_meant = |Reverse(waiting): &Reverse<Waiting<T>>| numbers.contains(&waiting.sequence);
        let (mut taken, rest) = all.partition::<Vec<_>, _>(is_meant);
        self.heap = rest.into();
        taken.sort_unstable_by_key(|Reverse(waiting)| waiting.place());
        taken.into_iter().map(|Reverse(waiting)| waiting.thing).collect()
    }

    /// When the next thing is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(next)| next.due)
    }

    /// When the next thing is due, if the timer does not know it yet.
    pub(crate) fn new_deadline(&mut self) -> Option<Timestamp> {
        let due = self.next_due()?;
        if due >= self.wake_at {
            return None;
        }
        self.wake_at = due;
        Some(due)
    }

    /// The timer has gone off.
    pub(crate) fn woken(&mut self) {
        self.wake_at = Timestamp::NEVER;
    }

    /// Everything that waits, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|Reverse(waiting)| &waiting.thing)
    }

    /// Everything that waits, and when it is due, in the order in which it will leave.
    pub(crate) fn in_order(&self) -> Vec<(Timestamp, &T)> {
        let mut waiting: Vec<_> = self.heap.iter().map(|Reverse(waiting)| waiting).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|waiting| (waiting.due, &waiting.thing)).collect()
    }

    /// Takes everything, in no particular order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.heap.drain().map(|Reverse(waiting)| waiting.thing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![(0..50_u64).prop_map(Step::Push), (0..30_u64).prop_map(Step::Pass)];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Nothing leaves early, late, out of order or not at all, and the timer always knows a
        /// deadline that is early enough.
        #[test]
        fn everything_leaves_in_its_turn(steps in steps()) {
            let mut line = DelayLine::default();
            let mut model: Vec<(u64, usize)> = Vec::new();
            let (mut now, mut alarm) = (0, Timestamp::NEVER);
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(delay) => {
                        line.push(Timestamp::from_millis(now + delay), number);
                        model.push((now + delay, number));
                    }
                    Step::Pass(ms) => {
                        now += ms;
                        line.woken();
                        alarm = Timestamp::NEVER;
                        let present = Timestamp::from_millis(now);
                        let next: Vec<_> = line.in_order().iter().map(|(_, n)| **n).collect();
                        let mut sorted = model.clone();
                        sorted.sort_unstable();
                        prop_assert!(next.iter().eq(sorted.iter().map(|(_, number)| number)));
                        let left: Vec<_> =
                            std::iter::from_fn(|| line.take_due(present)).collect();
                        model.sort_unstable();
                        let due = model.partition_point(|(due, _)| *due <= now);
                        let expected: Vec<_> = model.drain(..due).map(|(_, n)| n).collect();
                        prop_assert_eq!(left, expected);
                    }
                }
                prop_assert_eq!(line.len(), model.len());
                if let Some(deadline) = line.new_deadline() {
                    alarm = alarm.min(deadline);
                }
                let next = model.iter().map(|(due, _)| *due).min();
                prop_assert_eq!(line.next_due().map(Timestamp::as_millis), next);
                prop_assert!(next.is_none_or(|next| alarm.as_millis() <= next));
            }
        }
    }

    #[test]
    fn things_can_be_taken_before_their_time() {
        let mut line = DelayLine::default();
        for (due, name) in [(30, "a"), (10, "b"), (20, "c"), (10, "d")] {
            line.push(Timestamp::from_millis(due), name);
        }
        let numbers: HashSet<u64> = line
            .numbered()
            .into_iter()
            .filter(|(_, _, name)| **name == "a" || **name == "d")
            .map(|(_, number, _)| number)
            .collect();
        assert_eq!(line.take(&numbers), ["d", "a"]);
        assert_eq!(line.take(&numbers), [""; 0]);
        assert_eq!(line.take_due(Timestamp::from_millis(30)), Some("b"));
        assert_eq!(line.len(), 1);
    }

    #[test]
    fn memory_is_given_back() {
        let mut line = DelayLine::default();
        for number in 0..100_000_u64 {
            line.push(Timestamp::from_millis(number % 977), number);
        }
        while line.len() > 10 {
            assert!(line.take_due(Timestamp::from_millis(1000)).is_some());
        }
        assert!(line.heap.capacity() <= 2 * ROOM_KEPT);
        assert_eq!(line.iter().count(), 10);
    }
}
