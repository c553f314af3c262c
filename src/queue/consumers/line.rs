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

/// Those of one priority.
#[derive(Default)]
struct Line {
    /// Among them those that were left, each until it is its turn or there are too many.
    places: VecDeque<Place>,
    standing: usize,
}

/// All who stand in line. Coming and leaving takes as long however many there are.
#[derive(Default)]
pub(super) struct Lines {
    /// Highest priority first; a line where nobody stands is not here.
    lines: BTreeMap<Reverse<i64>, Line>,
    /// The ticket that was given out last; 0 is none.
    ticket: u64,
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The consumer in a slot, which stands nowhere, goes to the end of its line; its ticket.
    pub(super) fn join(&mut self, priority: i64, slot: usize) -> u64 {
        self.ticket += 1;
        let line = self.lines.entry(Reverse(priority)).or_default();
        line.places.push_back(Place { slot, ticket: self.ticket });
        line.standing += 1;
        self.ticket
    }

    /// Somebody has left his line. `is_held` tells whether a place still is somebody's.
    pub(super) fn leave(&mut self, priority: i64, is_held: impl Fn(Place) -> bool) {
        let priority = Reverse(priority);
        let Some(line) = self.lines.get_mut(&priority) else { return };
        line.standing -= 1;
        if line.standing == 0 {
            self.lines.remove(&priority);
        } else if line.places.len() > 2 * line.standing + LEFT_MIN {
            line.places.retain(|place| is_held(*place));
        }
    }

    /// The slot of the consumer of the next message, which goes to the end of its line. The first
    /// ones are asked, in turn, until one takes it.
    pub(super) fn next(&mut self, mut ask: impl FnMut(Place) -> Turn) -> Option<usize> {
        loop {
            let mut first = self.lines.first_entry()?;
            let line = first.get_mut();
            let place = *line.places.front()?;
            let turn = ask(place);
            if turn == Turn::Takes {
                if line.places.len() > 1 {
                    line.places.rotate_left(1);
                }
                return Some(place.slot);
            }
            line.places.pop_front();
            if turn == Turn::Passes {
                line.standing -= 1;
                if line.standing == 0 {
                    first.remove();
                }
            }
        }
    }
}
