//! The whole broker at a glance.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::exchange::ExchangeType;
use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::{Churn, HostTotals, Totals};
use crate::management::answer::{Outcome, Refusal};
use crate::management::api::counted::{DELIVERING, message_counts, message_stats};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, list, one};
use crate::management::rights::Who::{Managers, Monitors};
use crate::management::version;
use crate::node::status::ObjectTotals;
use crate::vhost::VirtualHost;

pub const ENDPOINTS: &[Endpoint] = &[
    get("api/overview", Managers, overview, "The whole broker at a glance."),
    get("api/nodes", Monitors, nodes, "The nodes: there is one."),
    get("api/nodes/{node}", Monitors, node, "A node."),
];

/// Most samples that a range of time may have.
const SAMPLES_MAX: u64 = 500;

/// The ranges of time that a request may name.
const RANGES: [&str; 4] = ["lengths", "msg_rates", "data_rates", "node_stats"];

fn check_ranges(call: &Call) -> Outcome<()> {
    for range in RANGES {
        let number = |part: &str| call.query.get(&format!("{range}_{part}"))?.parse::<u64>().ok();
        let (Some(age), Some(step)) = (number("age"), number("incr")) else { continue };
        if step == 0 || age / step > SAMPLES_MAX {
            let reason = format!("Invalid range parameters: age {age}, incr {step}");
            return Err(Refusal::bad(reason));
        }
    }
    Ok(())
}

fn overview(call: &Call) -> Outcome {
    check_ranges(call)?;
    let mut shown = object! {
        "management_version": version::COMPATIBLE,
        "rates_mode": "basic",
        "exchange_types": exchange_types(),
        "product_version": version::COMPATIBLE,
        "product_name": version::PRODUCT,
        "rabbitmq_version": version::COMPATIBLE,
        "leveret_version": version::LEVERET,
        "cluster_name": call.node().cluster_name(),
        "cluster_tags": {},
        "node_tags": {},
        "default_queue_type": "classic",
        "disable_stats": false,
        "enable_queue_totals": false,
        "is_op_policy_updating_enabled": true,
        "statistics_db_event_queue": 0,
    };
    if call.is_monitor() {
        let status = call.node().status();
        shown.extend(render_totals(&status.objects, &status.messages));
        let churn = message_stats(&status.churn, Churn::NAMES);
        shown.insert("churn_rates".into(), churn.into());
        shown.insert("node".into(), call.node().name().into());
        shown.insert("listeners".into(), http_listeners(call));
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
    render_totals(&objects, &Measured { totals: messages, interval: None })
}

fn render_totals(objects: &ObjectTotals, messages: &Measured<HostTotals>) -> Object {
    object! {
        "object_totals": {
            "connections": objects.connections,
            "channels": objects.channels,
            "consumers": objects.consumers,
            "exchanges": objects.exchanges,
            "queues": objects.queues,
        },
        "queue_totals": message_counts(messages),
        "message_stats": message_stats(messages, DELIVERING),
    }
}

fn exchange_types() -> Vec<Value> {
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

fn http_listeners(call: &Call) -> Value {
    let listeners = call.manager.listeners.read();
    let shown = listeners.iter().map(|address| {
        json!({
            "node": call.node().name(),
            "protocol": "http",
            "ip_address": address.ip().to_string(),
            "port": address.port(),
        })
    });
    shown.collect::<Vec<_>>().into()
}

fn node_facts(call: &Call) -> Object {
    let node = call.node();
    let status = node.status();
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    object! {
        "name": node.name(),
        "type": "disc",
        "running": true,
        "being_drained": false,
        "partitions": [],
        "os_pid": std::process::id().to_string(),
        "uptime": status.uptime_ms,
        "mem_used": status.memory_used,
        "mem_limit": status.memory_limit,
        "mem_alarm": status.memory_alarm,
        "disk_free_alarm": status.disk_alarm,
        "sockets_used": node.connections.count(),
        "processors": processors,
        "rates_mode": "basic",
    }
}

fn nodes(call: &Call) -> Outcome {
    list(call, vec![node_facts(call)], BY_NAME)
}

fn node(call: &Call) -> Outcome {
    call.check_node()?;
    one(call, node_facts(call))
}
