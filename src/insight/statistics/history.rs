//! Totals at regular times, for rates and curves: a pure machine of fixed size.

use std::collections::VecDeque;

use crate::insight::statistics::totals::Totals;
use crate::insight::statistics::{INTERVAL_MS, Interval};
use crate::time::clock::Timestamp;

/// How long after somebody has asked for a curve more is kept than a rate needs, in milliseconds.
const ASKED_MS: u64 = 600_000;

/// How far apart samples are, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// Milliseconds from one sample to the next.
    pub interval_ms: u64,
    /// Samples that are kept.
    pub samples: usize,
}

impl Resolution {
    /// Enough for a rate, and no more.
    pub(crate) const RATE: &'static [Self] = &[Self::of(INTERVAL_MS, 2)];

    /// Ten minutes, and an hour less closely: RabbitMQ's `basic` retention policy.
    pub(crate) const BASIC: &'static [Self] = &[Self::of(INTERVAL_MS, 122), Self::of(60_000, 61)];

    /// The same, eight hours and a day: RabbitMQ's `global` retention policy.
    pub(crate) const GLOBAL: &'static [Self] = &[
        Self::of(INTERVAL_MS, 122),
        Self::of(60_000, 62),
        Self::of(600_000, 50),
        Self::of(1_800_000, 49),
    ];

    const fn of(interval_ms: u64, samples: usize) -> Self {
        Self { interval_ms, samples }
    }
}

/// The time until now that a curve is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How far it goes back, in milliseconds.
    pub age_ms: u64,
    /// How far its samples are apart, in milliseconds.
    pub increment_ms: u64,
}

/// Totals at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<T> {
    /// When: a multiple of the increment that was asked for.
    pub at: Timestamp,
    /// What they were.
    pub totals: T,
}

/// The samples of one resolution: at every multiple of its interval, up to the last one.
#[derive(Clone, Debug)]
struct Ring<T> {
    resolution: Resolution,
    /// The time of the last sample, as a multiple of the interval.
    last: u64,
    samples: VecDeque<T>,
}

/// What the totals of an object were lately.
///
/// A sample is taken for every time that has gone by since the last one, with the totals as they
/// are when it is recorded: whoever records often enough gets the totals of that time, and after a
/// jump of the clock everything has happened at its beginning.
#[derive(Clone, Debug)]
pub(crate) struct History<T> {
    rings: Vec<Ring<T>>,
    /// When somebody asked for more than a rate.
    asked_at: Option<Timestamp>,
}

impl<T: Totals> History<T> {
    /// Nothing is known yet, or that the totals were these `before` the first time that is
    /// recorded, as those of a new object were 0.
    pub(crate) fn new(resolutions: &[Resolution], before: Option<T>) -> Self {
        let ring = |&resolution| Ring {
            resolution,
            last: 0,
            samples: {
                let mut samples = VecDeque::with_capacity(resolution.samples.min(2));
                samples.extend(before);
                samples
            },
        };
        Self { rings: resolutions.iter().map(ring).collect(), asked_at: None }
    }

    /// The totals are these now. What nobody asks for any more is forgotten.
    pub(crate) fn record(&mut self, now: Timestamp, totals: T) {
        if self.asked_at.is_some_and(|asked_at| now > asked_at.after_ms(ASKED_MS)) {
            self.asked_at = None;
            self.forget();
        }
        self.rings.iter_mut().for_each(|ring| ring.record(now, totals));
    }

    /// Somebody asks for curves: as much as these resolutions say is kept from now on, beside what
    /// is known already, until nobody has asked for ten minutes.
    pub(crate) fn keep(&mut self, resolutions: &[Resolution], now: Timestamp) {
        self.asked_at = Some(now);
        for &resolution in resolutions {
            let is_same =
                |ring: &&mut Ring<T>| ring.resolution.interval_ms == resolution.interval_ms;
            match self.rings.iter_mut().find(is_same) {
                Some(ring) => ring.resolution = resolution,
                None => {
                    let samples = VecDeque::new();
                    self.rings.push(Ring { resolution, last: 0, samples });
                }
            }
        }
    }

    /// Keeps enough for a rate, and no more.
    fn forget(&mut self) {
        self.rings.truncate(Resolution::RATE.len());
        for (ring, &resolution) in self.rings.iter_mut().zip(Resolution::RATE) {
            ring.resolution = resolution;
            let beyond = ring.samples.len().saturating_sub(resolution.samples);
            ring.samples.drain(..beyond);
            ring.samples.shrink_to_fit();
        }
    }

    /// The last interval of the finest resolution, if both its ends are known.
    pub(crate) fn interval(&self) -> Option<Interval<T>> {
        let ring = self.rings.first()?;
        let before = *ring.samples.iter().rev().nth(1)?;
        Some(Interval { before, after: *ring.samples.back()?, ms: ring.resolution.interval_ms })
    }

    /// The samples of a span of time, the latest first: those that are known, of the finest
    /// resolution that goes back as far.
    pub(crate) fn samples(&self, now: Timestamp, span: Span) -> Vec<Sample<T>> {
        let Span { age_ms, increment_ms } = span;
        let increment_ms = increment_ms.max(1);
        let Some(ring) = self.ring_for(age_ms) else { return Vec::new() };
        let newest = now.as_millis() / increment_ms;
        let count = age_ms / increment_ms + 1;
        let times = (0..count.min(newest + 1)).map(|back| (newest - back) * increment_ms);
        let samples = times.map_while(|ms| {
            let totals = ring.at(ms)?;
            Some(Sample { at: Timestamp::from_millis(ms), totals })
        });
        samples.collect()
    }

    /// The finest ring that may go back `age_ms`, or the one that goes back furthest.
    fn ring_for(&self, age_ms: u64) -> Option<&Ring<T>> {
        self.rings.iter().find(|ring| ring.reach_ms() >= age_ms).or(self.rings.last())
    }
}

impl<T: Totals> Ring<T> {
    fn reach_ms(&self) -> u64 {
        self.resolution.interval_ms.saturating_mul(self.resolution.samples as u64 - 1)
    }

    fn record(&mut self, now: Timestamp, totals: T) {
        let latest = now.as_millis() / self.resolution.interval_ms;
        let is_first = self.last == 0;
        let passed = if is_first { 1 } else { latest.saturating_sub(self.last) };
        self.last = latest;
        for _ in 0..passed.min(self.resolution.samples as u64) {
            if self.samples.len() >= self.resolution.samples {
                self.samples.pop_front();
            }
            self.samples.push_back(totals);
        }
    }

    /// The totals at this time in milliseconds, or shortly before.
    fn at(&self, ms: u64) -> Option<T> {
        let back = self.last.saturating_sub(ms / self.resolution.interval_ms);
        let at = self.samples.len().checked_sub(usize::try_from(back).ok()? + 1)?;
        self.samples.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::statistics::totals::ExchangeTotals;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_600_000_000_000 + seconds * 1000)
    }

    fn totals(publish_in: u64) -> ExchangeTotals {
        ExchangeTotals { publish_in, publish_out: 0 }
    }

    fn span(age_ms: u64, increment_ms: u64) -> Span {
        Span { age_ms, increment_ms }
    }

    fn rate(history: &History<ExchangeTotals>) -> Option<f64> {
        let Interval { before, after, ms } = history.interval()?;
        Some((after.publish_in as f64 - before.publish_in as f64) * 1000.0 / ms as f64)
    }

    #[test]
    fn a_rate_is_that_of_the_last_whole_interval() {
        let mut history = History::new(Resolution::RATE, None);
        history.record(at(0), totals(100));
        assert_eq!(rate(&history), None);
        history.record(at(4), totals(110));
        assert_eq!(rate(&history), None, "the interval is not over");
        history.record(at(5), totals(150));
        assert_eq!(rate(&history), Some(10.0));
        history.record(at(10), totals(150));
        assert_eq!(rate(&history), Some(0.0));
    }

    #[test]
    fn what_a_new_object_has_counted_counts_at_once() {
        let mut history = History::new(Resolution::RATE, Some(ExchangeTotals::default()));
        history.record(at(0), totals(50));
        assert_eq!(rate(&history), Some(10.0));
    }

    #[test]
    fn after_a_jump_of_the_clock_everything_has_happened_at_its_beginning() {
        let mut history = History::new(Resolution::BASIC, None);
        history.record(at(0), totals(0));
        history.record(at(60), totals(600));
        assert_eq!(rate(&history), Some(0.0));
        let samples = history.samples(at(60), span(60_000, 5000));
        let known: Vec<_> = samples.iter().map(|sample| sample.totals.publish_in).collect();
        assert_eq!(known, [600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 0]);
    }

    #[test]
    fn samples_are_the_latest_first_and_only_those_that_are_known() {
        let mut history = History::new(Resolution::BASIC, None);
        for step in 0..=4 {
            history.record(at(step * 5), totals(step));
        }
        let samples = history.samples(at(21), span(600_000, 10_000));
        let known: Vec<_> = samples.iter().map(|s| (s.at, s.totals.publish_in)).collect();
        assert_eq!(known, [(at(20), 4), (at(10), 2), (at(0), 0)]);
    }

    #[test]
    fn the_size_is_fixed_and_older_times_are_known_less_closely() {
        let mut history = History::new(Resolution::GLOBAL, None);
        for step in 0..=20_000 {
            history.record(at(step * 5), totals(step));
        }
        for (ring, resolution) in history.rings.iter().zip(Resolution::GLOBAL) {
            assert_eq!(ring.samples.len(), resolution.samples);
        }
        let day = history.samples(at(100_000), span(86_400_000, 1_800_000));
        assert_eq!(day.len(), 49);
        let steps = day.windows(2).map(|two| two[0].totals.publish_in - two[1].totals.publish_in);
        assert!(steps.clone().all(|step| step == 360), "{:?}", steps.collect::<Vec<_>>());
    }

    #[test]
    fn more_is_kept_while_it_is_asked_for() {
        let mut history = History::new(Resolution::RATE, None);
        for step in 0..10 {
            history.record(at(step * 5), totals(step));
        }
        assert_eq!(history.samples(at(45), span(60_000, 5000)).len(), 2);
        history.keep(Resolution::BASIC, at(45));
        for step in 10..20 {
            history.record(at(step * 5), totals(step));
        }
        assert_eq!(history.samples(at(95), span(60_000, 5000)).len(), 12);
        assert_eq!(rate(&history), Some(0.2));
        history.record(at(646), totals(20));
        assert_eq!(
            history.samples(at(646), span(60_000, 5000)).len(),
            2,
            "nobody has asked for long"
        );
    }
}
