//! The result of a load run: rates, latency and CPU time over the measured span.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::control::Totals;

/// Counters, CPU times and time at one end of the measured span.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    pub at: Duration,
    pub totals: Totals,
    pub server_cpu_us: Option<u64>,
    pub client_cpu_us: Option<u64>,
    pub server_memory: Option<u64>,
}

/// What is to be expected of consumers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// There are any.
    pub consumers: bool,
    /// How often each message is consumed.
    pub copies: u64,
    /// Messages that were published before the span, for consumers to read.
    pub before: u64,
}

/// Bytes in a mebibyte.
pub(super) const MIB: f64 = 1024.0 * 1024.0;

/// What a load run measured. All counts, rates and CPU times are those of the measured span.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub(crate) struct Report {
    /// Length of the measured span in seconds.
    pub seconds: f64,
    /// Messages written to the server's sockets.
    pub published: u64,
    /// Messages delivered to the consumers.
    pub consumed: u64,
    /// Messages the server confirmed.
    pub confirmed: u64,
    /// Messages the server refused with `basic.nack`.
    pub nacked: u64,
    /// Messages the server returned as unroutable.
    pub returned: u64,
    /// [`Report::published`] per second.
    pub published_per_s: f64,
    /// [`Report::consumed`] per second.
    pub consumed_per_s: f64,
    /// [`Report::confirmed`] per second.
    pub confirmed_per_s: f64,
    /// CPU time of the server per message in microseconds, when its process was given. A message
    /// is one delivery, which includes its publish; without consumers it is one publish.
    pub server_cpu_us_per_message: Option<f64>,
    /// CPU time of the load generator itself per message in microseconds, counted likewise;
    /// absent where there is no `/proc`.
    pub client_cpu_us_per_message: Option<f64>,
    /// Messages on their way to consumers when the span ended, most of them waiting in queues;
    /// absent without consumers.
    pub backlog: Option<u64>,
    /// Resident memory of the server in bytes when the span ended, when its process was given.
    pub server_memory_bytes: Option<u64>,
    /// Time from just before the publisher's write, or with a rate from when the message was due,
    /// until the consumer's read returned.
    #[serde(flatten)]
    pub latency: Option<Latency>,
}

/// Percentiles of the latency in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub(crate) struct Latency {
    /// Messages that were measured; at high rates only a sample is.
    #[serde(rename = "latency_samples")]
    pub samples: u64,
    /// Median.
    #[serde(rename = "p50_us")]
    pub p50: f64,
    /// 90th percentile.
    #[serde(rename = "p90_us")]
    pub p90: f64,
    /// 99th percentile.
    #[serde(rename = "p99_us")]
    pub p99: f64,
    /// 99.9th percentile.
    #[serde(rename = "p999_us")]
    pub p999: f64,
    /// Largest value.
    #[serde(rename = "max_us")]
    pub max: f64,
}

impl Latency {
    /// Reads the percentiles from a histogram of nanoseconds; `None` when it is empty.
    fn from_nanoseconds(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        (!histogram.is_empty()).then(|| Self {
            samples: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
        })
    }
}

impl Report {
    /// Of the span between two marks.
    pub(super) fn new(
        begin: &Mark,
        end: &Mark,
        expected: Expected,
        latency: &Histogram<u64>,
    ) -> Self {
        let Expected { consumers, copies, before } = expected;
        let seconds = end.at.saturating_sub(begin.at).as_secs_f64();
        let span =
            |value: fn(&Totals) -> u64| value(&end.totals).saturating_sub(value(&begin.totals));
        let published = span(|totals| totals.published);
        let consumed = span(|totals| totals.consumed);
        let confirmed = span(|totals| totals.confirmed);
        let messages = if consumers { consumed } else { published };
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let per_message = |begin: Option<u64>, end: Option<u64>| match (begin, end) {
            (Some(begin), Some(end)) if messages > 0 => {
                Some(end.saturating_sub(begin) as f64 / messages as f64)
            }
            _ => None,
        };
        Self {
            seconds,
            published,
            consumed,
            confirmed,
            nacked: span(|totals| totals.nacked),
            returned: span(|totals| totals.returned),
            published_per_s: per_second(published),
            consumed_per_s: per_second(consumed),
            confirmed_per_s: per_second(confirmed),
            server_cpu_us_per_message: per_message(begin.server_cpu_us, end.server_cpu_us),
            client_cpu_us_per_message: per_message(begin.client_cpu_us, end.client_cpu_us),
            backlog: consumers.then(|| end.totals.on_their_way(before, copies)),
            server_memory_bytes: end.server_memory,
            latency: Latency::from_nanoseconds(latency),
        }
    }

    /// Whether what was published was received, nearly: else the server has only moved messages
    /// into its own memory, and the rates say little.
    pub(super) fn keeps_up(&self, copies: u64) -> bool {
        self.backlog.is_none() || self.consumed as f64 >= 0.95 * (self.published * copies) as f64
    }

    /// The report as one line of JSON, with the fields' names as keys.
    ///
    /// # Errors
    /// Only when the serializer fails, which a report gives it no reason for.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "measured    {:.3} s", self.seconds)?;
        let mut line = |name: &str, count: u64, rate: f64| {
            writeln!(f, "{name:<11} {rate:.0} messages/s ({count} in total)")
        };
        line("published", self.published, self.published_per_s)?;
        line("consumed", self.consumed, self.consumed_per_s)?;
        line("confirmed", self.confirmed, self.confirmed_per_s)?;
        for (name, count) in [("nacked", self.nacked), ("returned", self.returned)] {
            if count > 0 {
                writeln!(f, "{name:<11} {count} messages")?;
            }
        }
        if let Some(latency) = &self.latency {
            let Latency { samples, p50, p90, p99, p999, max } = latency;
            writeln!(
                f,
                "latency     p50 {p50:.0} us, p90 {p90:.0} us, p99 {p99:.0} us, \
                 p99.9 {p999:.0} us, max {max:.0} us ({samples} samples)"
            )?;
        }
        if let Some(backlog) = self.backlog {
            writeln!(f, "backlog     {backlog} messages at the end")?;
        }
        if let Some(bytes) = self.server_memory_bytes {
            writeln!(f, "memory      {:.0} MiB resident at the end", bytes as f64 / MIB)?;
        }
        let cpu = [
            ("server CPU", self.server_cpu_us_per_message),
            ("client CPU", self.client_cpu_us_per_message),
        ];
        for (name, cost) in cpu {
            if let Some(cost) = cost {
                writeln!(f, "{name:<11} {cost:.3} us per message")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        values.into_iter().for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    const CONSUMED: Expected = Expected { consumers: true, copies: 1, before: 0 };

    fn marks() -> (Mark, Mark) {
        let begin = Mark {
            at: Duration::from_secs(1),
            totals: Totals { published: 100, consumed: 50, ..Totals::default() },
            server_cpu_us: Some(1000),
            client_cpu_us: Some(0),
            server_memory: None,
        };
        let end = Mark {
            at: Duration::from_secs(3),
            totals: Totals { published: 500, consumed: 250, confirmed: 40, ..Totals::default() },
            server_cpu_us: Some(3000),
            client_cpu_us: Some(100),
            server_memory: Some(5 << 20),
        };
        (begin, end)
    }

    #[test]
    fn only_the_measured_span_counts() {
        let (begin, end) = marks();
        let report = Report::new(&begin, &end, CONSUMED, &histogram([]));
        assert_eq!((report.published, report.consumed, report.confirmed), (400, 200, 40));
        assert_eq!((report.published_per_s, report.consumed_per_s), (200.0, 100.0));
        assert_eq!(report.server_cpu_us_per_message, Some(10.0));
        assert_eq!(report.client_cpu_us_per_message, Some(0.5));
        assert_eq!(report.latency, None);
        assert_eq!((report.backlog, report.server_memory_bytes), (Some(250), Some(5 << 20)));
        assert!(!report.keeps_up(1));
    }

    #[test]
    fn without_consumers_a_message_is_a_publish() {
        let (begin, end) = marks();
        let report =
            Report::new(&begin, &end, Expected { consumers: false, ..CONSUMED }, &histogram([]));
        assert_eq!(report.server_cpu_us_per_message, Some(5.0));
    }

    #[test]
    fn nothing_measured_divides_by_nothing() {
        let mark = Mark { server_cpu_us: Some(5), ..Mark::default() };
        let report = Report::new(&mark, &mark, CONSUMED, &histogram([]));
        assert_eq!((report.published_per_s, report.server_cpu_us_per_message), (0.0, None));
    }

    #[test]
    fn percentiles_are_in_microseconds() {
        let (begin, end) = marks();
        let latency = histogram((1..=1000).map(|value| value * 1000));
        let report = Report::new(&begin, &end, CONSUMED, &latency);
        let latency = report.latency.clone().unwrap();
        assert_eq!(latency.samples, 1000);
        assert!((latency.p50 - 500.0).abs() < 1.0, "{}", latency.p50);
        assert!((latency.p99 - 990.0).abs() < 1.0, "{}", latency.p99);
        assert!((latency.max - 1000.0).abs() < 1.0, "{}", latency.max);
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["consumed_per_s"], 100.0);
        assert_eq!(json["latency_samples"], 1000);
        assert!(report.to_string().contains("p99 990 us"), "{report}");
    }
}
