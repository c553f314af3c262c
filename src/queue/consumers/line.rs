//! Who stands in line for the next message: by priority, within a priority in turns.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// So many places that were left are not worth clearing away.
const LEFT_MIN: usize = 32;

/// A consumer's place. It stands there for as long as it has the same ticket.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: usize,
    pub(super) ticket: u64,
}

/// What the one whose turn it is does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It takes the next message, and goes to the end of the line.
    Takes,
    /// It cannot, and leaves the line.
    Passes,
    /// It had left the place before.
    HasLeft,
}

/// Those of one priority. Among the places are some that were left, each until it is its turn or
/// there are too many.
#[derive(Default)]
struct Line {
    /// Whose turn it is: most queues have no other consumer, and find it here.
    front: Option<Place>,
    /// Those behind it.
    behind: VecDeque<Place>,
    standing: usize,
}

impl Line {
    fn len(&self) -> usize {
        self.behind.len() + usize::from(self.front.is_some())
    }

    fn push(&mut self, place: Place) {
        match self.front {
            None => self.front = Some(place),
            Some(_) => self.behind.push_back(place),
        }
    }

    fn pop(&mut self) {
        self.front = self.behind.pop_front();
    }

    fn retain(&mut self, is_held: impl Fn(Place) -> bool) {
        self.behind.retain(|place| is_held(*place));
        if self.front.is_some_and(|front| !is_held(front)) {
            self.pop();
        }
    }
}

/// All who stand in line. Coming and leaving takes as long however many there are.
#[derive(Default)]
pub(super) struct Lines {
    /// That of the highest priority, the only one that most queues have. There is one if anybody
    /// stands anywhere.
    first: Option<(Reverse<i64>, Line)>,
    /// The others, highest priority first; a line where nobody stands is not here.
    others: BTreeMap<Reverse<i64>, Line>,
    /// The ticket that was given out last; 0 is none.
    ticket: u64,
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The consumer in a slot, which stands nowhere, goes to the end of its line; its ticket.
    pub(super) fn join(&mut self, priority: i64, slot: usize) -> u64 {
        self.ticket += 1;
        let place = Place { slot, ticket: self.ticket };
        let line = self.line(Reverse(priority));
        line.push(place);
        line.standing += 1;
        self.ticket
    }

    /// The line of a priority, which is there from now on.
    fn line(&mut self, priority: Reverse<i64>) -> &mut Line {
        if let Some(lower) = self.first.take_if(|(first, _)| priority < *first) {
            self.others.extend([lower]);
        }
        match self.first.get_or_insert_with(|| (priority, Line::default())) {
            (first, line) if *first == priority => line,
            _ => self.others.entry(priority).or_default(),
        }
    }

    /// Somebody has left his line. `is_held` tells whether a place still is somebody's.
    pub(super) fn leave(&mut self, priority: i64, is_held: impl Fn(Place) -> bool) {
        let priority = Reverse(priority);
        let line = match &mut self.first {
            Some((first, line)) if *first == priority => Some(line),
            _ => self.others.get_mut(&priority),
        };
        let Some(line) = line else { return };
        line.standing -= 1;
        if line.standing == 0 {
            self.others.remove(&priority);
            self.drop_empty();
        } else if line.len() > 2 * line.standing + LEFT_MIN {
            line.retain(is_held);
        }
    }

    /// If nobody stands in the first line any more, the next one is the first.
    fn drop_empty(&mut self) {
        if self.first.as_ref().is_some_and(|(_, line)| line.standing == 0) {
            self.first = self.others.pop_first();
        }
    }

    /// The slot of the consumer of the next message, which goes to the end of its line. The first
    /// ones are asked, in turn, until one takes it.
    #[inline]
    pub(super) fn next(&mut self, mut ask: impl FnMut(Place) -> Turn) -> Option<usize> {
        loop {
            let (_, line) = self.first.as_mut()?;
            let place = line.front?;
            let turn = ask(place);
            if turn == Turn::Takes {
                if !line.behind.is_empty() {
                    line.behind.push_back(place);
                    line.pop();
                }
                return Some(place.slot);
            }
            line.pop();
            if turn == Turn::Passes {
                line.standing -= 1;
                self.drop_empty();
            }
        }
    }

    /// The slot of the one whose turn it is, if he stands alone in his line, so that it is his turn
    /// again after it.
    #[inline]
    pub(super) fn alone(&self) -> Option<usize> {
        let (_, line) = self.first.as_ref()?;
        line.front.filter(|_| line.behind.is_empty()).map(|place| place.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(lines: &mut Lines) -> Option<usize> {
        lines.next(|_| Turn::Takes)
    }

    #[test]
    fn those_of_the_highest_priority_take_turns_until_they_have_left() {
        let mut lines = Lines::default();
        let tickets = [(0, 5), (2, 1), (2, 2), (1, 3), (3, 4)];
        let tickets = tickets.map(|(priority, slot)| lines.join(priority, slot));
        assert_eq!(lines.alone(), Some(4));
        assert_eq!([next(&mut lines), next(&mut lines)], [Some(4), Some(4)]);
        lines.leave(3, |_| false);
        let taken = lines.next(|place| match place.slot {
            1 => Turn::Passes,
            _ => Turn::Takes,
        });
        assert_eq!((taken, lines.alone()), (Some(2), Some(2)));
        lines.leave(0, |place| place.ticket != tickets[0]);
        lines.leave(2, |place| place.ticket != tickets[2]);
        assert_eq!(next(&mut lines), Some(3));
        lines.leave(1, |_| false);
        assert!(lines.is_empty() && next(&mut lines).is_none());
    }
}
