//! What was counted, as answers show it.

use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::Totals;
use crate::management::json::{Object, object};

/// Figures of `message_stats`, each with its rate: of all that is counted those that bear these
/// names.
pub fn message_stats<T: Totals>(measured: &Measured<T>, names: &[&str]) -> Object {
    let mut shown = Object::new();
    for figure in measured.figures().filter(|figure| names.contains(&figure.name)) {
        shown.insert(figure.name.into(), figure.total.into());
        shown.insert(format!("{}_details", figure.name), object! {"rate": figure.rate}.into());
    }
    shown
}

/// What channels, virtual hosts and the node count of deliveries.
pub const DELIVERING: &[&str] = &[
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

/// The same of queues.
pub const OF_QUEUE: &[&str] = &[
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
