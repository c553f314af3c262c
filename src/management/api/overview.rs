//! The whole broker at a glance.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::exchange::ExchangeType;
use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::{Churn, HostTotals, Totals};
use crate::management::answer::Outcome;
use crate::management::api::contexts::contexts;
use crate::management::api::counted::{DELIVERING, LEVELS, STORE, message_stats};
use crate::management::api::own::testing;
use crate::management::api::ranges::Ranges;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::one;
use crate::management::rights::Who::Managers;
use crate::management::version;
use crate::node::listeners::Listener;
use crate::node::status::ObjectTotals;
use crate::vhost::VirtualHost;

pub(crate) const ENDPOINTS: &[Endpoint] =
    &[get("api/overview", Managers, overview, "The whole broker at a glance.")];

fn overview(call: &Call) -> Outcome {
    let ranges = Ranges::of(call)?;
    let mut shown = object! {
        "management_version": version::COMPATIBLE,
        "rates_mode": "basic",
        // How far samples go back, in seconds: `Resolution` has them. There are none in detail.
        "sample_retention_policies": {
            "global": [600, 3600, 28_800, 86_400],
            "basic": [600, 3600],
            "detailed": [],
        },
        "exchange_types": exchange_types(),
        "product_version": version::COMPATIBLE,
        "product_name": version::PRODUCT,
        "rabbitmq_version": version::COMPATIBLE,
        "leveret_version": version::LEVERET,
        "leveret_testing": testing::is_on(call.node()),
        "erlang_version": version::ERLANG,
        "erlang_full_version": version::ERLANG_FULL,
        "cluster_name": call.node().cluster_name(),
        "cluster_tags": cluster_tags(call),
        "node_tags": {},
        "default_queue_type": "classic",
        "disable_stats": false,
        "enable_queue_totals": false,
        "is_op_policy_updating_enabled": true,
        "statistics_db_event_queue": 0,
    };
    let status = call.node().status();
    let churn = message_stats(&status.churn, Churn::NAMES, &[]);
    shown.insert("churn_rates".into(), churn.into());
    if call.is_monitor() {
        shown.extend(render_totals(call, &ranges, &status.objects, &status.messages));
        shown.insert("node".into(), call.node().name().into());
        shown.insert("listeners".into(), listeners(call).into());
        shown.insert("contexts".into(), contexts_of_node(call).into());
    } else {
        shown.extend(totals(call, &call.hosts_to_list().unwrap_or_default()));
    }
    one(call, shown)
}

/// Of virtual hosts, added up.
fn totals(call: &Call, hosts: &[Arc<VirtualHost>]) -> Object {
    let mut objects = ObjectTotals::default();
    let mut messages = HostTotals::default();
    for host in hosts {
        let status = call.node().host_status(host);
        objects.connections += status.objects.connections;
        objects.channels += status.objects.channels;
        objects.consumers += status.objects.consumers;
        objects.exchanges += status.objects.exchanges;
        objects.queues += status.objects.queues;
        messages += status.messages.totals;
    }
    render(&objects, &Measured { totals: messages, interval: None }, [&[], &[]])
}

/// Of all virtual hosts, with their curves.
fn render_totals(
    call: &Call,
    ranges: &Ranges,
    objects: &ObjectTotals,
    messages: &Measured<HostTotals>,
) -> Object {
    let samples = |span: Option<Span>| span.map_or(Vec::new(), |span| call.node().samples(span));
    let (lengths, rates) = (samples(ranges.lengths), samples(ranges.msg_rates));
    render(objects, messages, [&lengths, &rates])
}

fn render(
    objects: &ObjectTotals,
    messages: &Measured<HostTotals>,
    [lengths, rates]: [&[Sample<HostTotals>]; 2],
) -> Object {
    object! {
        "object_totals": {
            "connections": objects.connections,
            "channels": objects.channels,
            "consumers": objects.consumers,
            "exchanges": objects.exchanges,
            "queues": objects.queues,
        },
        "queue_totals": message_stats(messages, LEVELS, lengths),
        "message_stats": message_stats(messages, &[DELIVERING, STORE].concat(), rates),
    }
}

/// What others call the cluster, as whoever set the parameter wrote it.
fn cluster_tags(call: &Call) -> Value {
    let tags = call.node().global_parameters.get("cluster_tags");
    tags.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

/// With what only an overview has.
fn contexts_of_node(call: &Call) -> Vec<Object> {
    let mut found = contexts(call);
    for context in &mut found {
        context.insert("node".into(), call.node().name().into());
        context.insert("ssl_opts".into(), json!([]));
    }
    found
}

pub(super) fn exchange_types() -> Vec<Value> {
    let described = |kind: ExchangeType| match kind {
        ExchangeType::Direct
        | ExchangeType::Fanout
        | ExchangeType::Headers
        | ExchangeType::Topic => {
            format!("AMQP {} exchange, as per the AMQP specification", kind.as_str())
        }
        _ => format!("Exchanges of the type {}", kind.as_str()),
    };
    let mut kinds = ExchangeType::ALL;
    kinds.sort_unstable_by_key(|kind| kind.as_str());
    let shown = kinds.map(
        |kind| json!({"name": kind.as_str(), "description": described(kind), "enabled": true}),
    );
    shown.into()
}

fn listeners(call: &Call) -> Vec<Value> {
    let shown =
        call.node().listeners.list().into_iter().map(|Listener { protocol, address, .. }| {
            json!({
                "node": call.node().name(),
                "protocol": protocol,
                "ip_address": address.ip().to_string(),
                "port": address.port(),
            })
        });
    shown.collect()
}
