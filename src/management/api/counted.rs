//! What was counted, as answers show it.

use crate::insight::statistics::totals::Totals;
use crate::insight::statistics::{Figure, Measured};
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

/// Figures that go up and down, each with its rate.
pub fn message_counts<T: Totals>(measured: &Measured<T>) -> Object {
    let count = |name: &str| measured.figures().find(|figure| figure.name == name);
    let ready = count("messages_ready");
    let unacknowledged = count("messages_unacknowledged");
    let total =
        |figure: Option<Figure>| figure.map_or((0, 0.0), |figure| (figure.total, figure.rate));
    let ((ready, ready_rate), (unacked, unacked_rate)) = (total(ready), total(unacknowledged));
    object! {
        "messages": ready + unacked,
        "messages_details": {"rate": ready_rate + unacked_rate},
        "messages_ready": ready,
        "messages_ready_details": {"rate": ready_rate},
        "messages_unacknowledged": unacked,
        "messages_unacknowledged_details": {"rate": unacked_rate},
    }
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
