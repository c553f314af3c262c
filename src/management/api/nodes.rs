//! The node: what the operating system says of it.

use std::num::NonZeroUsize;

use serde_json::json;

use crate::base::disk;
use crate::base::process::Process;
use crate::management::answer::Outcome;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, list, one};
use crate::management::metrics::memory::Memory;
use crate::management::rights::Who::Monitors;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/nodes", Monitors, all, "The nodes: there is one."),
    get("api/nodes/{node}", Monitors, show, "A node."),
    get("api/nodes/{node}/memory", Monitors, memory, "What its memory is used for."),
];

/// What RabbitMQ has in plugins and is built in here, by the names that tools look for.
const PLUGINS: &[&str] = &[
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_prometheus",
];

fn render(call: &Call) -> Object {
    let node = call.node();
    let status = node.status();
    let process = Process::now();
    let sockets = node.connections.count();
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut shown = object! {
        "name": node.name(),
        "type": "disc",
        "running": true,
        "being_drained": false,
        "partitions": [],
        "os_pid": std::process::id().to_string(),
        "uptime": status.uptime_ms,
        "mem_used": process.resident_bytes,
        "mem_used_by_messages": status.memory_used,
        "mem_limit": status.memory_limit,
        "mem_alarm": status.memory_alarm,
        "mem_calculation_strategy": "rss",
        "disk_free": disk::free_bytes(node.disk()).unwrap_or_default(),
        "disk_free_limit": node.disk_alarm.limit_bytes(),
        "disk_free_alarm": status.disk_alarm,
        "fd_used": process.open_files,
        "fd_total": process.open_files_max,
        "sockets_used": sockets,
        "sockets_total": node.limits.connections_max,
        "proc_used": process.threads,
        "proc_total": PROCESSES_MAX,
        "run_queue": 0,
        "processors": processors,
        "rates_mode": "basic",
        "enabled_plugins": enabled_plugins(call),
        "applications": [],
        "auth_mechanisms": [],
        "exchange_types": [],
        "contexts": [],
        "cluster_links": [],
        "db_dir": node.disk(),
        "log_files": ["<stderr>"],
        "config_files": [],
        "net_ticktime": 60,
    };
    if let Some(usage) = node.persistence().map(|store| store.usage()) {
        let average_ms = usage.sync_us as f64 / 1000.0 / usage.syncs.max(1) as f64;
        shown.insert("io_sync_count".into(), usage.syncs.into());
        shown.insert("io_sync_avg_time".into(), average_ms.into());
    }
    for name in ["mem_used", "disk_free", "fd_used", "sockets_used", "proc_used"] {
        // Nobody asks often enough for more.
        shown.insert(format!("{name}_details"), json!({"rate": 0.0}));
    }
    shown
}

fn enabled_plugins(call: &Call) -> Vec<&'static str> {
    let events = call.node().has_event_exchange().then_some("rabbitmq_event_exchange");
    PLUGINS.iter().copied().chain(events).collect()
}

/// Erlang's usual limit of its processes, which threads stand for here: tools divide by it.
const PROCESSES_MAX: u64 = 1_048_576;

fn all(call: &Call) -> Outcome {
    list(call, vec![render(call)], BY_NAME)
}

fn show(call: &Call) -> Outcome {
    call.check_node()?;
    one(call, render(call))
}

fn memory(call: &Call) -> Outcome {
    call.check_node()?;
    one(call, object! {"memory": Memory::of(call.node()).render()})
}
