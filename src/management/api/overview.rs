//! The whole broker at a glance.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::exchange::ExchangeType;
use crate::management::answer::{Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, list, one};
use crate::management::rights::Who::{Managers, Monitors};
use crate::management::version;
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
    let hosts = match call.is_monitor() {
        true => call.node().all_virtual_hosts(),
        false => call.hosts_to_list().unwrap_or_default(),
    };
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
    shown.extend(totals(call, &hosts));
    if call.is_monitor() {
        shown.insert("node".into(), call.node().name().into());
        shown.insert("listeners".into(), http_listeners(call));
    }
    one(call, shown)
}

fn totals(call: &Call, hosts: &[Arc<VirtualHost>]) -> Object {
    let (mut queues, mut exchanges, mut consumers) = (0, 0, 0);
    let (mut ready, mut unacknowledged) = (0, 0);
    for host in hosts {
        exchanges += host.exchanges().len();
        for queue in host.queues() {
            let counts = queue.counts();
            queues += 1;
            consumers += counts.consumers;
            ready += counts.ready;
            unacknowledged += counts.unacked;
        }
    }
    let is_seen = |host: &Arc<VirtualHost>| hosts.iter().any(|seen| Arc::ptr_eq(seen, host));
    let connections = call.node().connections.count_where(|session| is_seen(&session.virtual_host));
    object! {
        "object_totals": {
            "connections": connections,
            "consumers": consumers,
            "exchanges": exchanges,
            "queues": queues,
        },
        "queue_totals": {
            "messages": ready + unacknowledged,
            "messages_ready": ready,
            "messages_unacknowledged": unacknowledged,
        },
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
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    object! {
        "name": node.name(),
        "type": "disc",
        "running": true,
        "being_drained": false,
        "partitions": [],
        "os_pid": std::process::id().to_string(),
        "mem_used": node.memory().used(),
        "mem_alarm": node.memory().is_alarmed(),
        "disk_free_alarm": node.is_low_on_disk(),
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
