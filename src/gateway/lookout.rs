//! Looking after clients that are not read: whether they are still there.

use crate::limits::{HANG_UP_LOOK_MS, HANG_UP_PROBE_MS};
use crate::time::clock::Clock;

/// Looks after one client. Times are milliseconds of its connection's clock.
pub(super) struct Lookout {
    /// Nobody is waited for on a manual clock but what the test waits for.
    is_on: bool,
    /// When it is asked next; `None` while it is read.
    probe_ms: Option<u64>,
}

impl Lookout {
    /// For a connection on this clock.
    pub(super) fn new(clock: &Clock) -> Self {
        Self { is_on: matches!(clock, Clock::System(_)), probe_ms: None }
    }

    /// When to look at a client next that is held back, or not.
    pub(super) fn next_ms(&self, is_held_back: bool, now_ms: u64) -> u64 {
        if self.is_on && is_held_back { now_ms + HANG_UP_LOOK_MS } else { u64::MAX }
    }

    /// Whether it is time to ask the client.
    pub(super) fn has_to_ask(&mut self, is_held_back: bool, now_ms: u64) -> bool {
        let is_held_back = self.is_on && is_held_back;
        let is_time = is_held_back && self.probe_ms.is_some_and(|probe_ms| now_ms >= probe_ms);
        if !is_held_back {
            self.probe_ms = None;
        } else if is_time || self.probe_ms.is_none() {
            self.probe_ms = Some(now_ms + HANG_UP_PROBE_MS);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_held_back_is_asked_now_and_then() {
        let mut lookout = Lookout::new(&Clock::system());
        let mut asked = |is_held_back, now_ms| lookout.has_to_ask(is_held_back, now_ms);
        assert!(!asked(false, 0) && !asked(true, 10_000));
        assert!(!asked(true, 9_999 + HANG_UP_PROBE_MS) && asked(true, 10_000 + HANG_UP_PROBE_MS));
        assert!(!asked(true, 10_001 + HANG_UP_PROBE_MS));
        assert!(!asked(false, 90_000) && !asked(true, 90_001), "it begins anew");
    }
}
