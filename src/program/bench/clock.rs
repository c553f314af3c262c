//! The monotonic clock that paces, stamps and times a load run.

use std::time::{Duration, Instant};

/// Nanoseconds since the run began; one clock is shared by all threads of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts a clock at zero.
    #[expect(clippy::disallowed_methods, reason = "a load generator measures the real time")]
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Time since [`Clock::start`].
    #[expect(clippy::disallowed_methods, reason = "a load generator measures the real time")]
    pub(super) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }

    /// [`Clock::elapsed`] as a stamp.
    pub(super) fn stamp(&self) -> u64 {
        stamp_of(self.elapsed())
    }
}

/// A time in nanoseconds, never 0, because a stamp of 0 means "no stamp".
pub(super) fn stamp_of(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}
