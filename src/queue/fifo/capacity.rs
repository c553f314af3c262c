//! How ready the consumers of a queue are: `consumer_capacity`.

use crate::time::clock::Timestamp;

/// Time after which what was before counts half, in microseconds.
const HALF_LIFE_US: f64 = 1_000_000.0;

/// Time that is gathered before the average is worked out anew, in microseconds.
const GATHERED_US: u64 = 50_000;

/// The part of the time in which somebody could have taken a message at once: a moving average.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(in crate::queue) struct Capacity {
    since: Option<Timestamp>,
    /// Time that is not in the average yet, and how much of it somebody could.
    gathered_us: u64,
    able_us: u64,
    average: f64,
    /// Whether somebody can.
    is_able: bool,
}

impl Capacity {
    /// The first consumer has come: it is ready.
    pub(crate) fn start(&mut self, now: Timestamp) {
        *self = Self { is_able: true, since: Some(now), average: 1.0, ..Self::default() };
    }

    /// Whether somebody can take a message from now on.
    #[inline]
    pub(crate) fn set(&mut self, is_able: bool, now: Timestamp) {
        if is_able != self.is_able {
            self.turn(is_able, now);
        }
    }

    fn turn(&mut self, is_able: bool, now: Timestamp) {
        self.gather(now);
        self.is_able = is_able;
        if self.gathered_us >= GATHERED_US {
            self.average = self.blended();
            (self.gathered_us, self.able_us) = (0, 0);
        }
    }

    fn gather(&mut self, now: Timestamp) {
        let since = self.since.replace(now).unwrap_or(now);
        let passed_us = now.as_micros().saturating_sub(since.as_micros());
        self.gathered_us = self.gathered_us.saturating_add(passed_us);
        if self.is_able {
            self.able_us = self.able_us.saturating_add(passed_us);
        }
    }

    /// The average with what was gathered since.
    fn blended(&self) -> f64 {
        if self.gathered_us == 0 {
            return self.average;
        }
        let weight = (-(self.gathered_us as f64) / HALF_LIFE_US).exp2();
        let lately = self.able_us as f64 / self.gathered_us as f64;
        self.average * weight + lately * (1.0 - weight)
    }

    /// The part of the time, 0 to 1.
    pub(crate) fn average(mut self, now: Timestamp) -> f64 {
        self.gather(now);
        self.blended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_part_of_the_time_in_which_somebody_is_ready() {
        let at = Timestamp::from_millis;
        let mut capacity = Capacity::default();
        assert_eq!(capacity.average(at(0)), 0.0);
        capacity.start(at(0));
        assert_eq!(capacity.average(at(10)), 1.0);
        for step in 0..10_000 {
            // Ready for one millisecond of four.
            capacity.set(true, at(step * 4));
            capacity.set(false, at(step * 4 + 1));
        }
        let average = capacity.average(at(40_000));
        assert!((0.24..0.26).contains(&average), "{average}");
        assert!(capacity.average(at(60_000)) < 0.001);
        capacity.set(true, at(60_000));
        let average = capacity.average(at(61_000));
        assert!((0.49..0.51).contains(&average), "{average}");
    }
}
