//! Families that are told by protocol and by type of queue: `rabbitmq_global_*`.

use hyper::body::Bytes;

use crate::insight::statistics::totals::{DeathTotals, QueueTotals};
use crate::management::metrics::text::{Group, Table, counter, gauge};
use crate::node::status::NodeStatus;

/// The protocol of all clients, as these families call it.
const AMQP: (&str, &str) = ("protocol", "amqp091");

/// The types of queues, as these families call them. They are told whether there are any or not.
const TYPES: &[(&str, &str)] = &[
    ("classic", "rabbit_classic_queue"),
    ("quorum", "rabbit_quorum_queue"),
    ("stream", "rabbit_stream_queue"),
];

/// What is told of publishing.
static PUBLISHING: &[Group<NodeStatus>] = &[Group {
    name: "publishing",
    columns: &[
        counter(
            "messages_received_total",
            "Total number of messages received from publishers",
            |n| n.messages.totals.publish as f64,
        ),
        counter(
            "messages_received_confirm_total",
            "Total number of messages received from publishers expecting confirmations",
            |n| n.messages.totals.publish_confirm as f64,
        ),
        counter(
            "messages_routed_total",
            "Total number of messages routed to queues or streams",
            |n| n.messages.totals.routed as f64,
        ),
        counter(
            "messages_unroutable_dropped_total",
            "Total number of messages published as non-mandatory into an exchange and dropped as \
             unroutable",
            |n| n.messages.totals.drop_unroutable as f64,
        ),
        counter(
            "messages_unroutable_returned_total",
            "Total number of messages published as mandatory into an exchange and returned to \
             the publisher as unroutable",
            |n| n.messages.totals.return_unroutable as f64,
        ),
        counter(
            "messages_confirmed_total",
            "Total number of messages confirmed to publishers",
            |n| n.messages.totals.confirm as f64,
        ),
        gauge("publishers", "Current number of publishers", |n| n.objects.publishers as f64),
        gauge("consumers", "Current number of consumers", |n| n.objects.consumers as f64),
    ],
}];

/// What is told of queues of one type.
static DELIVERING: &[Group<QueueTotals>] = &[Group {
    name: "delivering",
    columns: &[
        counter(
            "messages_delivered_total",
            "Total number of messages delivered to consumers",
            |q| q.deliver_get() as f64,
        ),
        counter(
            "messages_delivered_consume_manual_ack_total",
            "Total number of messages delivered to consumers using basic.consume with manual \
             acknowledgment",
            |q| q.deliver as f64,
        ),
        counter(
            "messages_delivered_consume_auto_ack_total",
            "Total number of messages delivered to consumers using basic.consume with automatic \
             acknowledgment",
            |q| q.deliver_no_ack as f64,
        ),
        counter(
            "messages_delivered_get_manual_ack_total",
            "Total number of messages delivered to consumers using basic.get with manual \
             acknowledgment",
            |q| q.get as f64,
        ),
        counter(
            "messages_delivered_get_auto_ack_total",
            "Total number of messages delivered to consumers using basic.get with automatic \
             acknowledgment",
            |q| q.get_no_ack as f64,
        ),
        counter(
            "messages_get_empty_total",
            "Total number of times basic.get operations fetched no message",
            |q| q.get_empty as f64,
        ),
        counter(
            "messages_redelivered_total",
            "Total number of messages redelivered to consumers",
            |q| q.redeliver as f64,
        ),
        counter(
            "messages_acknowledged_total",
            "Total number of messages acknowledged by consumers",
            |q| q.ack as f64,
        ),
    ],
}];

/// Messages that died in queues of one type, by what became of them.
struct Deaths {
    expired: f64,
    rejected: f64,
    maxlen: f64,
    delivery_limit: f64,
    confirmed: f64,
}

static DYING: &[Group<Deaths>] = &[Group {
    name: "dying",
    columns: &[
        counter(
            "messages_dead_lettered_expired_total",
            "Total number of messages dead-lettered due to message TTL exceeded",
            |d| d.expired,
        ),
        counter(
            "messages_dead_lettered_rejected_total",
            "Total number of messages dead-lettered due to basic.reject or basic.nack",
            |d| d.rejected,
        ),
        counter(
            "messages_dead_lettered_maxlen_total",
            "Total number of messages dead-lettered due to overflow drop-head or \
             reject-publish-dlx",
            |d| d.maxlen,
        ),
        counter(
            "messages_dead_lettered_delivery_limit_total",
            "Total number of messages dead-lettered due to delivery-limit exceeded",
            |d| d.delivery_limit,
        ),
        counter(
            "messages_dead_lettered_confirmed_total",
            "Total number of messages dead-lettered and confirmed by target queues",
            |d| d.confirmed,
        ),
    ],
}];

/// What a type of queue has no figure for is not told of it.
const NONE: f64 = f64::NAN;

fn deaths(kind: &str, totals: &DeathTotals) -> Vec<(&'static str, Deaths)> {
    let is_quorum = kind == "quorum";
    let quorum = |count: u64| if is_quorum { count as f64 } else { NONE };
    let disabled = Deaths {
        expired: totals.expired_disabled as f64,
        rejected: totals.rejected_disabled as f64,
        maxlen: totals.maxlen_disabled as f64,
        delivery_limit: quorum(totals.delivery_limit_disabled),
        confirmed: NONE,
    };
    let at_most_once = Deaths {
        expired: totals.expired_at_most_once as f64,
        rejected: totals.rejected_at_most_once as f64,
        maxlen: totals.maxlen_at_most_once as f64,
        delivery_limit: quorum(totals.delivery_limit_at_most_once),
        confirmed: NONE,
    };
    let at_least_once = Deaths {
        expired: totals.expired_at_least_once as f64,
        rejected: totals.rejected_at_least_once as f64,
        maxlen: NONE,
        delivery_limit: totals.delivery_limit_at_least_once as f64,
        confirmed: totals.confirmed as f64,
    };
    match kind {
        "stream" => Vec::new(), // nothing dies there
        "quorum" => vec![
            ("disabled", disabled),
            ("at_most_once", at_most_once),
            ("at_least_once", at_least_once),
        ],
        _ => vec![("disabled", disabled), ("at_most_once", at_most_once)],
    }
}

/// All of these families.
pub(super) fn families(status: NodeStatus) -> impl Iterator<Item = Bytes> + Send {
    const PREFIX: &str = "rabbitmq_global_";
    let (mut delivering, mut dying) = (Table::new(PREFIX, DELIVERING), Table::new(PREFIX, DYING));
    for (kind, name) in TYPES {
        let known = status.by_type.iter().find(|known| known.queue_type == *kind);
        let (totals, died) = known.map(|known| (known.totals, known.deaths)).unwrap_or_default();
        delivering.add(&[AMQP, ("queue_type", name)], totals);
        for (strategy, deaths) in deaths(kind, &died) {
            dying.add(&[("queue_type", name), ("dead_letter_strategy", strategy)], deaths);
        }
    }
    let mut publishing = Table::new(PREFIX, PUBLISHING);
    publishing.add(&[AMQP], status);
    publishing.chain(delivering).chain(dying)
}
