//! Connections that have sent messages in part while memory is short. None of them can go on before
//! there is memory again, and what they hold may be why there is none. If it is too much those go
//! that hold most.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::limits::HOARD_PATIENCE_MS;

/// So many go at most while others wait for the lock.
const STEP: usize = 64;

/// What one connection holds, the largest of several last, and of those of one size the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hoard {
    octets: usize,
    number: Reverse<u64>,
}

impl Hoard {
    /// Octets that it holds.
    pub(crate) fn octets(self) -> usize {
        self.octets
    }
}

/// Those of one broker.
#[derive(Default)]
pub(crate) struct Hoards(Mutex<State, rank::Hoards>);

#[derive(Default)]
struct State {
    next: u64,
    present: BTreeSet<Hoard>,
    /// Octets of those that are present.
    octets: usize,
    /// When it became too much, and when it still was, in milliseconds.
    too_much_ms: Option<(u64, u64)>,
}

impl Hoards {
    /// One more connection holds so many octets.
    pub(crate) fn enter(&self, octets: usize) -> Hoard {
        let mut state = self.0.lock();
        let hoard = Hoard { octets, number: Reverse(state.next) };
        state.next += 1;
        state.octets += octets;
        state.present.insert(hoard);
        hoard
    }

    /// It can go on, or is gone, or holds more by now.
    pub(crate) fn leave(&self, hoard: Hoard) {
        let mut state = self.0.lock();
        if state.present.remove(&hoard) {
            state.octets -= hoard.octets;
        }
    }

    /// Whether it has to go: all together have been more than is bearable for a while, if with
    /// breaks, and those with more, or that came before it, are not enough. Each of them asks this
    /// now and then.
    pub(crate) fn has_to_go(&self, hoard: Hoard, bearable: usize, now_ms: u64) -> bool {
        let mut state = self.0.lock();
        if state.octets > bearable {
            let lately = |(_, last_ms): &(u64, u64)| now_ms < last_ms + HOARD_PATIENCE_MS;
            let since_ms =
                state.too_much_ms.filter(lately).map_or(now_ms, |(since_ms, _)| since_ms);
            state.too_much_ms = Some((since_ms, now_ms));
            if now_ms >= since_ms + HOARD_PATIENCE_MS {
                state.choose(bearable);
            }
        }
        !state.present.contains(&hoard)
    }
}

impl State {
    /// Strikes off the largest.
    fn choose(&mut self, bearable: usize) {
        for _ in 0..STEP {
            if self.octets <= bearable {
                break;
            }
            let Some(largest) = self.present.pop_last() else { break };
            self.octets -= largest.octets;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_go_until_it_is_bearable() {
        let hoards = Hoards::default();
        let all = [10, 30, 30, 20].map(|octets| hoards.enter(octets));
        let have_to_go =
            |bearable, now_ms| all.map(|hoard| hoards.has_to_go(hoard, bearable, now_ms));
        assert_eq!(have_to_go(89, 1_000), [false; 4], "that may end by itself");
        let late = 3_000 + HOARD_PATIENCE_MS;
        assert_eq!(have_to_go(90, late), [false; 4], "it has ended");
        assert_eq!(have_to_go(89, late), [false; 4], "that is new");
        assert_eq!(have_to_go(89, late + HOARD_PATIENCE_MS - 1), [false; 4]);
        assert_eq!(have_to_go(90, late + HOARD_PATIENCE_MS), [false; 4], "a break");
        let later = late + HOARD_PATIENCE_MS + 1;
        assert!(!hoards.has_to_go(all[2], 89, later), "the older one is enough");
        assert_eq!(have_to_go(89, later), [false, true, false, false]);
        assert!(hoards.has_to_go(all[2], 15, later + 1), "it is too much again");
        assert_eq!(have_to_go(15, later + 1), [false, true, true, true]);
        all.iter().for_each(|hoard| hoards.leave(*hoard));
        let state = hoards.0.lock();
        assert!(state.octets == 0 && state.present.is_empty());
    }

    #[test]
    fn each_step_is_bounded() {
        let hoards = Hoards::default();
        let all: Vec<_> = (0..3 * STEP).map(|_| hoards.enter(1)).collect();
        assert!(!hoards.has_to_go(all[0], 0, 0) && !hoards.has_to_go(all[0], 0, 2_000));
        assert!(hoards.has_to_go(all[0], 0, HOARD_PATIENCE_MS));
        assert_eq!(hoards.0.lock().present.len(), 2 * STEP);
    }
}
