//! The floor: of the publishers that send much, some at a time are told what was confirmed.
//!
//! A publisher sends as many messages as it may have unconfirmed, and as many again once it is
//! told. Of many publishers all that they may send lies in their sockets then, and a message waits
//! there until what all of them have sent before is read. Some of them are enough to keep a broker
//! busy. The others hear of their confirms when it is their turn, and what they send then is soon
//! read: a busy broker takes as much, and every message is younger when it is delivered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wake;
use crate::limits::FLOOR_HOLD_MS;

/// A publisher that has the floor, or waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Where a publisher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has the floor until then, in milliseconds.
    Has { until_ms: u64 },
    /// It is in line, and is woken in its turn. The first in line looks again by itself at this
    /// time, in milliseconds.
    Waits { until_ms: u64 },
}

impl Place {
    /// When its time is over, or it looks again, in milliseconds.
    pub(crate) fn until_ms(self) -> u64 {
        let (Self::Has { until_ms } | Self::Waits { until_ms }) = self;
        until_ms
    }
}

/// Who has the floor, and who waits for it, in the order in which they came.
pub(crate) struct Floor {
    state: Mutex<State, rank::Floor>,
    is_asked_for: AtomicBool,
}

struct State {
    places: usize,
    last: u64,
    /// Who has it, and until when at the latest.
    holders: Vec<(Ticket, u64)>,
    line: BTreeMap<Ticket, Arc<dyn Wake>>,
}

impl Floor {
    /// For so many at a time.
    pub(crate) fn new(places: usize) -> Self {
        let (holders, line) = (Vec::new(), BTreeMap::new());
        let state = State { places: places.max(1), last: 0, holders, line };
        Self { state: Mutex::new(state), is_asked_for: AtomicBool::new(false) }
    }

    /// Whether somebody is in line.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.is_asked_for.load(Ordering::Relaxed)
    }

    /// Gives the floor to a publisher, or has it wait and wakes it in its turn.
    pub(crate) fn ask(&self, now_ms: u64, publisher: &Arc<dyn Wake>) -> (Ticket, Place) {
        self.change(now_ms, |state| {
            state.last += 1;
            let ticket = Ticket(state.last);
            state.line.insert(ticket, Arc::clone(publisher));
            ticket
        })
    }

    /// Where the publisher with this ticket is. One that has neither kept the floor nor is in line
    /// has had it.
    pub(crate) fn look(&self, now_ms: u64, ticket: Ticket) -> Place {
        self.change(now_ms, |_| ticket).1
    }

    /// The publisher goes on: it has the floor for longer, if it still has it.
    pub(crate) fn extend(&self, now_ms: u64, ticket: Ticket) -> Place {
        let extend = |state: &mut State| {
            if let Some(holder) = state.holders.iter_mut().find(|holder| holder.0 == ticket) {
                holder.1 = now_ms + FLOOR_HOLD_MS;
            }
            ticket
        };
        self.change(now_ms, extend).1
    }

    /// The publisher gives up the floor, or its place in the line.
    pub(crate) fn leave(&self, now_ms: u64, ticket: Ticket) {
        self.change(now_ms, |state| {
            state.holders.retain(|holder| holder.0 != ticket);
            state.line.remove(&ticket);
            ticket
        });
    }

    /// Changes who is there, and lets those in whose turn it is then. They are woken, and so is who
    /// is first in line then, but for the one that asks.
    fn change(&self, now_ms: u64, change: impl FnOnce(&mut State) -> Ticket) -> (Ticket, Place) {
        let mut state = self.state.lock();
        let was_first = state.first();
        let asks = change(&mut state);
        let mut called = state.let_in(now_ms);
        if let Some((&first, publisher)) =
            state.line.first_key_value().filter(|_| state.first() != was_first)
        {
            called.push((first, Arc::clone(publisher)));
        }
        let place = state.place(now_ms, asks);
        self.is_asked_for.store(!state.line.is_empty(), Ordering::Relaxed);
        drop(state);
        for (_, publisher) in called.into_iter().filter(|called| called.0 != asks) {
            publisher.wake();
        }
        (asks, place)
    }
}

impl State {
    fn first(&self) -> Option<Ticket> {
        self.line.first_key_value().map(|(&ticket, _)| ticket)
    }

    /// Lets in who is next.
    fn let_in(&mut self, now_ms: u64) -> Vec<(Ticket, Arc<dyn Wake>)> {
        self.holders.retain(|&(_, until_ms)| now_ms < until_ms);
        let mut let_in = Vec::new();
        while self.holders.len() < self.places
            && let Some(next) = self.line.pop_first()
        {
            self.holders.push((next.0, now_ms + FLOOR_HOLD_MS));
            let_in.push(next);
        }
        let_in
    }

    fn place(&self, now_ms: u64, ticket: Ticket) -> Place {
        if let Some(&(_, until_ms)) = self.holders.iter().find(|holder| holder.0 == ticket) {
            return Place::Has { until_ms };
        }
        if !self.line.contains_key(&ticket) {
            return Place::Has { until_ms: now_ms };
        }
        let is_first = self.first() == Some(ticket);
        let next_ms = self.holders.iter().map(|&(_, until_ms)| until_ms).min();
        let until_ms = next_ms.filter(|_| is_first).unwrap_or(u64::MAX);
        Place::Waits { until_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wake::Bell;

    fn ask(floor: &Floor, now_ms: u64) -> (Arc<Bell>, Ticket, Place) {
        let publisher: Arc<Bell> = Arc::default();
        let (ticket, place) = floor.ask(now_ms, &(Arc::clone(&publisher) as _));
        (publisher, ticket, place)
    }

    fn is_woken(publisher: &Bell) -> bool {
        publisher.take() > 0
    }

    #[test]
    fn those_in_line_have_the_floor_in_turn() {
        const UNTIL: u64 = 5 + FLOOR_HOLD_MS;
        let floor = Floor::new(2);
        let (_, a, place) = ask(&floor, 5);
        assert_eq!(place, Place::Has { until_ms: UNTIL });
        let (_, b, _) = ask(&floor, 5);
        assert!(!floor.is_asked_for());
        // The first in line looks again when somebody has had the floor for long.
        let (first, c, place) = ask(&floor, 6);
        assert_eq!(place, Place::Waits { until_ms: UNTIL });
        let (second, d, place) = ask(&floor, 6);
        assert_eq!(place, Place::Waits { until_ms: u64::MAX });
        assert!(floor.is_asked_for());

        floor.leave(7, b);
        assert!(is_woken(&first));
        assert_eq!(floor.look(8, c), Place::Has { until_ms: 7 + FLOOR_HOLD_MS });
        // Who is first in line by now hears of it, to look again as well.
        assert!(is_woken(&second));
        assert_eq!(floor.look(8, d), Place::Waits { until_ms: UNTIL });
        assert_eq!(floor.look(UNTIL, d), Place::Has { until_ms: UNTIL + FLOOR_HOLD_MS });
        assert_eq!(floor.extend(UNTIL, a), Place::Has { until_ms: UNTIL }, "its time is over");
        let longer = Place::Has { until_ms: UNTIL + 1 + FLOOR_HOLD_MS };
        assert_eq!(floor.extend(UNTIL + 1, d), longer);
        assert!(!floor.is_asked_for());
    }

    #[test]
    fn who_goes_makes_room_for_the_next() {
        let floor = Floor::new(1);
        let (_, holder, _) = ask(&floor, 0);
        let (first, a, _) = ask(&floor, 0);
        let (second, b, _) = ask(&floor, 0);
        floor.leave(0, a);
        assert!(is_woken(&second), "it is first now");
        floor.leave(0, holder);
        assert!(is_woken(&second) && !is_woken(&first));
        floor.leave(0, b);
        assert!(matches!(ask(&floor, 0).2, Place::Has { .. }));
    }
}
