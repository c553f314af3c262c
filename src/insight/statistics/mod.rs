//! Statistics: what has been counted of messages, connections and the disk, and how fast it grows.
//!
//! Totals are exact at the moment they are read. They are counted where a lock is held anyway, or
//! by the one thread that owns what is counted. Rates come from what a
//! [`History`](history::History) kept of them at regular times.

pub(crate) mod history;
pub(crate) mod recent;
pub(crate) mod tally;
pub(crate) mod totals;

use self::totals::Totals;

/// Time between the samples that rates are worked out from, in milliseconds: RabbitMQ's default
/// `collect_statistics_interval`.
pub const INTERVAL_MS: u64 = 5000;

/// Totals, and how they have moved lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured<T> {
    /// At the moment of reading.
    pub totals: T,
    /// The last interval that was measured from end to end; `None` if nothing was, and every rate
    /// is 0.
    pub interval: Option<Interval<T>>,
}

/// Totals at the two ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval<T> {
    /// At its beginning.
    pub before: T,
    /// At its end.
    pub after: T,
    /// Its length in milliseconds.
    pub ms: u64,
}

/// One figure of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// RabbitMQ's name for it, such as `publish`.
    pub name: &'static str,
    /// Its value at the moment of reading.
    pub total: u64,
    /// How much it has grown per second, or shrunk, if it is negative.
    pub rate: f64,
    /// Whether it goes up and down, and does not only rise.
    pub is_level: bool,
}

impl<T: Totals> Measured<T> {
    /// Totals of which no history is known.
    pub fn now(totals: T) -> Self {
        Self { totals, interval: None }
    }

    /// The figures, one by one: levels first, then counters.
    pub fn figures(&self) -> impl Iterator<Item = Figure> {
        let totals = T::NAMES.iter().zip(self.totals.values());
        totals.enumerate().map(|(at, (&name, total))| Figure {
            name,
            total,
            rate: self.rate_at(at),
            is_level: at < T::LEVELS,
        })
    }

    /// The rate of the figure with this name, per second; 0 for one that there is not.
    pub fn rate(&self, name: &str) -> f64 {
        T::NAMES.iter().position(|known| *known == name).map_or(0.0, |at| self.rate_at(at))
    }

    fn rate_at(&self, at: usize) -> f64 {
        let Some(Interval { before, after, ms }) = &self.interval else { return 0.0 };
        let value = |totals: &T| totals.values().nth(at).unwrap_or(0);
        per_second(value(before), value(after), *ms)
    }
}

/// Growth per second over so many milliseconds; negative if there is less after than before.
pub(crate) fn per_second(before: u64, after: u64, ms: u64) -> f64 {
    if ms == 0 {
        return 0.0;
    }
    // The difference fits: nothing here comes near 2^63.
    after.wrapping_sub(before).cast_signed() as f64 * 1000.0 / ms as f64
}
