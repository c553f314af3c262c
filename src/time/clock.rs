//! Time as the broker sees it: the one file that reads the operating system's clock.
//!
//! Everything else takes `now` as an argument, so that a test, or a program that embeds the
//! broker, can run it on a [`ManualClock`].

use std::fmt;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Microseconds in a millisecond.
const MS: u64 = 1000;

/// A point in time: microseconds since the UNIX epoch, so that what is to last a millisecond does
/// not end earlier because it began late in one. It never goes back while a broker runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Later than any time that is reached.
    pub const NEVER: Timestamp = Timestamp(u64::MAX);

    /// The time `ms` milliseconds after the UNIX epoch.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(MS))
    }

    /// Milliseconds since the UNIX epoch, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / MS
    }

    /// The time `us` microseconds after the UNIX epoch.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the UNIX epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Seconds since the UNIX epoch, rounded down, as AMQP's timestamps count.
    pub const fn as_seconds(self) -> u64 {
        self.0 / (1000 * MS)
    }

    /// As long after `to` as it is after `from`; at `to` if it is before.
    pub(crate) const fn moved(self, from: Self, to: Self) -> Self {
        match self {
            Self::NEVER => self,
            _ => Self(to.0.saturating_add(self.0.saturating_sub(from.0))),
        }
    }

    /// The time `ms` milliseconds later; [`Timestamp::NEVER`] on overflow.
    pub const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(MS)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(us))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} us", self.0)
    }
}

/// Where the broker's time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The operating system's clock.
    System(SystemClock),
    /// A clock that moves only when it is told to.
    Manual(ManualClock),
}

impl Clock {
    /// A clock that follows the operating system's.
    pub fn system() -> Self {
        Self::System(SystemClock::start())
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System(clock) => clock.now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// The present time, or up to some milliseconds before, as the operating system has noted it
    /// last: for what is to be shown and never waited for. It costs a quarter.
    #[inline]
    pub(crate) fn lately(&self) -> Timestamp {
        match self {
            Self::System(clock) => clock.lately(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// A time that is not before the present one, of which `lately` was just told; it is later by
    /// some milliseconds at most. What is to last from now on ends no earlier if it begins then.
    #[inline]
    pub(crate) fn at_latest(&self, lately: Timestamp) -> Timestamp {
        match self {
            Self::System(clock) => Timestamp(lately.0.saturating_add(clock.lag_us)),
            Self::Manual(_) => lately,
        }
    }
}

/// The operating system's clock: wall time at the start, then counted on by the monotonic clock,
/// so that a correction of the wall clock neither expires nor revives messages.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
    started_at: Timestamp,
    /// What the monotonic clock showed then, in microseconds.
    #[cfg(target_os = "linux")]
    started_us: u64,
    /// How long the time stands still that the operating system has noted last, in microseconds.
    lag_us: u64,
}

impl SystemClock {
    #[allow(clippy::disallowed_methods)] // this is the one place
    fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started: Instant::now(),
            started_at: Timestamp(0) + since_epoch,
            #[cfg(target_os = "linux")]
            started_us: monotonic_us(rustix::time::ClockId::Monotonic),
            #[cfg(target_os = "linux")]
            lag_us: in_us(rustix::time::clock_getres(rustix::time::ClockId::MonotonicCoarse)) + 1,
            #[cfg(not(target_os = "linux"))]
            lag_us: 0,
        }
    }

    fn now(&self) -> Timestamp {
        self.started_at + self.started.elapsed()
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn lately(&self) -> Timestamp {
        let us = monotonic_us(rustix::time::ClockId::MonotonicCoarse);
        Timestamp(self.started_at.0.saturating_add(us.saturating_sub(self.started_us)))
    }

    #[cfg(not(target_os = "linux"))]
    fn lately(&self) -> Timestamp {
        self.now()
    }
}

/// What a monotonic clock shows, in microseconds.
#[cfg(target_os = "linux")]
#[inline]
fn monotonic_us(clock: rustix::time::ClockId) -> u64 {
    in_us(rustix::time::clock_gettime(clock))
}

#[cfg(target_os = "linux")]
#[inline]
fn in_us(time: rustix::time::Timespec) -> u64 {
    time.tv_sec.unsigned_abs().wrapping_mul(1_000_000) + time.tv_nsec.unsigned_abs() / 1000
}

/// A clock for tests: it stands still until it is advanced.
///
/// A broker that was built with it expires messages and queues when
/// [`Broker::advance`](crate::Broker::advance) is called, and only then.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.0)))
    }

    /// The time that the clock shows.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn advance_to(&self, time: Timestamp) {
        self.0.fetch_max(time.0, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// A clock that shows the start of 2020.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_577_836_800_000))
    }
}

/// How long to wait in real time until `deadline`; nothing if it is due.
pub(crate) fn until(deadline: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(deadline.0.saturating_sub(now.0))
}

/// The operating system's time, for what only takes that.
#[allow(clippy::disallowed_methods)] // to be given to nothing that depends on the broker's time
pub(crate) fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_lately_is_a_little_before_the_present() {
        let clock = Clock::system();
        for _ in 0..100 {
            let before = clock.now();
            let lately = clock.lately();
            assert!(lately <= clock.now());
            assert!(before <= lately.after_ms(1000), "{before:?} {lately:?}");
        }
        let manual = Clock::Manual(ManualClock::default());
        assert_eq!(manual.lately(), manual.now());
    }

    #[test]
    fn a_time_to_live_is_kept_to_the_microsecond() {
        let late = Timestamp::from_millis(10) + Duration::from_micros(900);
        let end = late.after_ms(100);
        assert_eq!((end.as_millis(), end > Timestamp::from_millis(110)), (110, true));
        assert_eq!(until(end, late), Duration::from_millis(100));
        assert_eq!(until(late, end), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp::from_millis(1999).as_seconds(), 1);
    }
}
