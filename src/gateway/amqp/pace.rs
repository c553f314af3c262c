//! A publisher that waits for the consumers of the queue that it publishes to.
//!
//! It waits while they make progress, and at most a moment while they do not: then they are slow
//! of themselves, and nobody waits for them for a while. If they have very much to catch up with,
//! it has a turn now and then all the same.

use std::sync::Arc;

use crate::limits::{
    PACE_CROWD, PACE_PATIENCE_MS, PACE_PROGRESS_MIN, PACE_SLOW_MS, PACE_WAIT_MAX_MS,
};
use crate::queue::Queue;
use crate::queue::backlog::Backlog;

/// A publisher that waits for the consumers of a queue, and counts among those who do until it is
/// dropped.
pub(super) struct Paced {
    queue: Arc<Queue>,
    pace: Pace,
}

impl Paced {
    /// Begins to wait.
    pub(super) fn new(queue: Arc<Queue>, now_ms: u64) -> Self {
        queue.backlog().begin_waiting();
        Self { pace: Pace::new(now_ms, Seen::of(&queue)), queue }
    }

    /// Those whom it waits for.
    pub(super) fn backlog(&self) -> &Backlog {
        self.queue.backlog()
    }

    /// Looks again.
    pub(super) fn look(&mut self, now_ms: u64) -> Step {
        self.pace.look(now_ms, Seen::of(&self.queue))
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.queue.backlog().end_waiting();
    }
}

/// What there is to see of a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Its consumers have caught up, or it has none.
    pub has_caught_up: bool,
    /// Messages that it has handed out since it was made.
    pub handed_out: u64,
    /// Publishers that wait for its consumers.
    pub waiting: usize,
}

impl Seen {
    fn of(queue: &Queue) -> Self {
        let (handed_out, waiting) = (queue.backlog().handed_out(), queue.backlog().waiting());
        Self { has_caught_up: queue.has_caught_up(), handed_out, waiting }
    }

    /// How many times as long each publisher waits as a few would. The turns of a thousand that
    /// came as often would be more than consumers can take, and keep these from running.
    fn crowd(&self) -> u64 {
        1 + (self.waiting / PACE_CROWD) as u64
    }
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
        let crowd = seen.crowd();
        let (end_ms, patience_ms) =
            (self.begun_ms + PACE_WAIT_MAX_MS * crowd, PACE_PATIENCE_MS * crowd);
        if seen.has_caught_up || now_ms >= end_ms {
            return Step::GoOn;
        }
        if now_ms < self.since_ms + patience_ms {
            return Step::Wait { until_ms: end_ms.min(self.since_ms + patience_ms) };
        }
        if seen.handed_out - self.handed_out < PACE_PROGRESS_MIN * crowd {
            return Step::GiveUp { slow_until_ms: now_ms + PACE_SLOW_MS };
        }
        (self.since_ms, self.handed_out) = (now_ms, seen.handed_out);
        Step::Wait { until_ms: end_ms.min(now_ms + patience_ms) }
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: u64 = PACE_PROGRESS_MIN;

    fn seen(handed_out: u64) -> Seen {
        Seen { has_caught_up: false, handed_out, waiting: 1 }
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
        let caught_up = Seen { has_caught_up: true, ..seen(5) };
        assert_eq!({ pace }.look(0, caught_up), Step::GoOn);
        assert_eq!(pace.look(100 + PACE_WAIT_MAX_MS, seen(1 << 20)), Step::GoOn);
    }

    #[test]
    fn among_many_it_waits_longer() {
        let among = |waiting, handed_out| Seen { waiting, ..seen(handed_out) };
        let mut pace = Pace::new(100, among(1, 0));
        let patience = 100 + 2 * PACE_PATIENCE_MS;
        let step = pace.look(100 + PACE_PATIENCE_MS, among(PACE_CROWD, 0));
        assert_eq!(step, Step::Wait { until_ms: patience });
        assert!(matches!({ pace }.look(patience, among(PACE_CROWD, FAST)), Step::GiveUp { .. }));
        let step = pace.look(patience, among(PACE_CROWD, 2 * FAST));
        assert_eq!(step, Step::Wait { until_ms: patience + 2 * PACE_PATIENCE_MS });
        let end = 100 + 2 * PACE_WAIT_MAX_MS;
        assert!(matches!({ pace }.look(end - 1, among(PACE_CROWD, 9 * FAST)), Step::Wait { .. }));
        assert_eq!({ pace }.look(end, among(PACE_CROWD, 9 * FAST)), Step::GoOn);
        // The others have gone.
        assert_eq!(pace.look(end - 1, among(PACE_CROWD - 1, 9 * FAST)), Step::GoOn);
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
