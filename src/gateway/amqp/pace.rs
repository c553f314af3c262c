//! A publisher that waits for the consumers of the queue that it publishes to.
//!
//! It waits while they make progress, and at most a moment while they do not: then they are slow
//! of themselves, and nobody waits for them for a while. If they have very much to catch up with,
//! it has a turn now and then all the same.

use crate::limits::{PACE_PATIENCE_MS, PACE_PROGRESS_MIN, PACE_SLOW_MS, PACE_WAIT_MAX_MS};

/// What there is to see of a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Its consumers have caught up, or it has none.
    pub has_caught_up: bool,
    /// Messages that it has handed out since it was made.
    pub handed_out: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The publisher goes on.
    GoOn,
    /// It goes on, and nobody waits for these consumers until then, in milliseconds.
    GiveUp { slow_until_ms: u64 },
    /// It waits, and looks again at this time at the latest, in milliseconds.
    Wait { until_ms: u64 },
}

/// How long a publisher has waited, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// It has waited since then.
    begun_ms: u64,
    /// When it last looked whether the consumers make progress, and what was handed out by then.
    since_ms: u64,
    handed_out: u64,
}

impl Pace {
    /// Begins to wait.
    pub(super) fn new(now_ms: u64, seen: Seen) -> Self {
        Self { begun_ms: now_ms, since_ms: now_ms, handed_out: seen.handed_out }
    }

    /// Looks again.
    pub(super) fn look(&mut self, now_ms: u64, seen: Seen) -> Step {
        if seen.has_caught_up || now_ms >= self.begun_ms + PACE_WAIT_MAX_MS {
            return Step::GoOn;
        }
        let end_ms = self.begun_ms + PACE_WAIT_MAX_MS;
        if now_ms < self.since_ms + PACE_PATIENCE_MS {
            return Step::Wait { until_ms: end_ms.min(self.since_ms + PACE_PATIENCE_MS) };
        }
        if seen.handed_out - self.handed_out < PACE_PROGRESS_MIN {
            return Step::GiveUp { slow_until_ms: now_ms + PACE_SLOW_MS };
        }
        (self.since_ms, self.handed_out) = (now_ms, seen.handed_out);
        Step::Wait { until_ms: end_ms.min(now_ms + PACE_PATIENCE_MS) }
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: u64 = PACE_PROGRESS_MIN;

    fn seen(handed_out: u64) -> Seen {
        Seen { has_caught_up: false, handed_out }
    }

    #[test]
    fn it_waits_while_consumers_are_fast_and_then_has_a_turn() {
        const { assert!(PACE_WAIT_MAX_MS.is_multiple_of(PACE_PATIENCE_MS)) }
        let mut pace = Pace::new(100, seen(5));
        for round in 1..PACE_WAIT_MAX_MS / PACE_PATIENCE_MS {
            let now = 100 + round * PACE_PATIENCE_MS;
            let next = now + PACE_PATIENCE_MS;
            assert_eq!(pace.look(now - 1, seen(5)), Step::Wait { until_ms: now });
            let step = pace.look(now, seen(5 + round * FAST));
            assert_eq!(step, Step::Wait { until_ms: next });
        }
        let caught_up = Seen { has_caught_up: true, handed_out: 5 };
        assert_eq!({ pace }.look(0, caught_up), Step::GoOn);
        assert_eq!(pace.look(100 + PACE_WAIT_MAX_MS, seen(1 << 20)), Step::GoOn);
    }

    #[test]
    fn it_does_not_wait_for_consumers_that_are_slow() {
        let mut pace = Pace::new(100, seen(5));
        let now = 100 + PACE_PATIENCE_MS;
        let step = pace.look(now, seen(5 + FAST - 1));
        assert_eq!(step, Step::GiveUp { slow_until_ms: now + PACE_SLOW_MS });
        // That costs a small part of the time.
        const { assert!(PACE_PATIENCE_MS * 20 <= PACE_SLOW_MS) }
    }
}
