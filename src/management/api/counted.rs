//! What was counted, as answers show it.

use serde_json::{Value, json};

use crate::insight::statistics::history::Sample;
use crate::insight::statistics::totals::Totals;
use crate::insight::statistics::{Measured, per_second};
use crate::management::json::{Object, object};

/// Figures, each with its rate, and with its curve if there are samples: of all
/// that is counted those that bear these names.
pub(super) fn message_stats<T: Totals>(
    measured: &Measured<T>,
    names: &[&str],
    samples: &[Sample<T>],
) -> Object {
    let mut shown = Object::new();
    for (at, figure) in measured.figures().enumerate() {
        if names.contains(&figure.name) {
            shown.insert(figure.name.into(), figure.total.into());
            let details = details(figure.rate, &curve(samples, at));
            shown.insert(format!("{}_details", figure.name), details.into());
        }
    }
    shown
}

/// The values of one figure, with their times in milliseconds, the latest first.
fn curve<T: Totals>(samples: &[Sample<T>], at: usize) -> Vec<(u64, u64)> {
    let value = |totals: &T| totals.values().nth(at).unwrap_or_default();
    samples.iter().map(|sample| (sample.at.as_millis(), value(&sample.totals))).collect()
}

/// How a figure changes, and has changed.
fn details(rate: f64, curve: &[(u64, u64)]) -> Object {
    let mut shown = object! {"rate": rate};
    let (Some((until, last)), Some((since, first))) = (curve.first(), curve.last()) else {
        return shown;
    };
    let sum: u64 = curve.iter().map(|(_, value)| value).sum();
    let samples: Vec<Value> =
        curve.iter().map(|(at, value)| json!({"sample": value, "timestamp": at})).collect();
    let average_rate = per_second(*first, *last, until - since);
    shown.insert("avg".into(), (sum as f64 / curve.len() as f64).into());
    shown.insert("avg_rate".into(), average_rate.into());
    shown.insert("samples".into(), samples.into());
    shown
}

/// Messages, which go up and down.
pub(super) const LEVELS: &[&str] = &["messages", "messages_ready", "messages_unacknowledged"];

/// What channels, virtual hosts and the node count of deliveries.
pub(super) const DELIVERING: &[&str] = &[
    "ack",
    "confirm",
    "deliver",
    "deliver_get",
    "deliver_no_ack",
    "drop_unroutable",
    "get",
    "get_empty",
    "get_no_ack",
    "publish",
    "redeliver",
    "return_unroutable",
];

/// What the store did for them.
pub(super) const STORE: &[&str] = &["disk_reads", "disk_writes"];

/// The same of queues.
pub(super) const OF_QUEUE: &[&str] = &[
    "ack",
    "deliver",
    "deliver_get",
    "deliver_no_ack",
    "get",
    "get_empty",
    "get_no_ack",
    "publish",
    "redeliver",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::statistics::totals::ExchangeTotals;
    use crate::time::clock::Timestamp;

    #[test]
    fn curves_come_with_their_averages() {
        let sample = |at, publish_in| Sample {
            at: Timestamp::from_millis(at),
            totals: ExchangeTotals { publish_in, publish_out: 0 },
        };
        let samples = [sample(30_000, 9), sample(20_000, 6), sample(10_000, 0)];
        let measured = Measured::now(samples[0].totals);
        let shown = message_stats(&measured, &["publish_in"], &samples);
        assert_eq!(shown["publish_in"], 9);
        let details = &shown["publish_in_details"];
        assert_eq!((&details["avg"], &details["avg_rate"]), (&5.0.into(), &0.45.into()));
        assert_eq!(details["samples"][1], json!({"sample": 6, "timestamp": 20_000}));
        let plain = message_stats(&measured, &["publish_in"], &[]);
        assert_eq!(plain["publish_in_details"], json!({"rate": 0.0}));
    }
}
