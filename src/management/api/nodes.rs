//! The node: what the operating system says of it.

use std::num::NonZeroUsize;

use serde_json::{Value, json};

use crate::base::process::Process;
use crate::insight::statistics::totals::{Churn, NodeTotals, Totals};
use crate::insight::statistics::{Interval, Measured};
use crate::management::answer::Outcome;
use crate::management::api::contexts::contexts;
use crate::management::api::counted::message_stats;
use crate::management::api::overview::exchange_types;
use crate::management::api::ranges::Ranges;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, one, whole};
use crate::management::metrics::memory::Memory;
use crate::management::rights::Who::Monitors;
use crate::node::Node;
use crate::node::listeners::MECHANISMS;
use crate::node::steering::Steering;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/nodes", Monitors, all, "The nodes: there is one."),
    get("api/nodes/{node}", Monitors, show, "A node."),
    get("api/nodes/{node}/memory", Monitors, memory, "What its memory is used for."),
    get("api/nodes/{node}/memory/relative", Monitors, memory_shares, "The same, in hundredths."),
];

/// What RabbitMQ has in plugins and is built in here, by the names that tools look for.
const PLUGINS: &[&str] = &[
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_prometheus",
];

/// Where the program writes its log.
fn log_file(node: &Node) -> Value {
    let file = node.steering().and_then(Steering::log_file);
    file.map_or_else(|| "<stderr>".into(), |file| file.display().to_string().into())
}

fn render(call: &Call) -> Outcome<Object> {
    let ranges = Ranges::of(call)?;
    let node = call.node();
    let status = node.status();
    let process = Process::now();
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut shown = object! {
        "name": node.name(),
        "type": "disc",
        "running": true,
        "being_drained": false,
        "partitions": [],
        "os_pid": std::process::id().to_string(),
        "uptime": status.uptime_ms,
        "mem_used_by_messages": status.memory_used,
        "mem_limit": status.memory_limit,
        "mem_alarm": status.memory_alarm,
        "mem_calculation_strategy": "rss",
        "disk_free_limit": node.disk_alarm.limit_bytes(),
        "disk_free_alarm": status.disk_alarm,
        "fd_total": process.open_files_max,
        "sockets_total": node.limits.connections_max,
        "proc_total": PROCESSES_MAX,
        "run_queue": 0,
        "processors": processors,
        "rates_mode": "basic",
        "enabled_plugins": enabled_plugins(call),
        "applications": [],
        "auth_mechanisms": auth_mechanisms(call),
        "exchange_types": exchange_types(),
        "contexts": contexts(call),
        "cluster_links": [],
        "db_dir": node.disk(),
        "log_files": [log_file(node)],
        "config_files": [],
        "net_ticktime": 60,
    };
    let figures = node.figures(&status.messages.totals);
    let samples = ranges.node_stats.map(|span| node.figure_samples(span)).unwrap_or_default();
    shown.extend(message_stats(&figures, FIGURES, &samples));
    shown.extend(message_stats(&status.churn, Churn::NAMES, &[]));
    for what in ["read", "write", "sync"] {
        let name = format!("io_{what}_avg_time");
        let average = |average: Option<f64>| average.unwrap_or_default();
        shown.insert(format!("{name}_details"), json!({"rate": average(recently(&figures, what))}));
        shown.insert(name, average(average_ms(&figures.totals, what)).into());
    }
    for name in NEVER {
        shown.insert((*name).into(), 0.into());
        shown.insert(format!("{name}_details"), json!({"rate": 0.0}));
    }
    Ok(shown)
}

/// Those that are offered somewhere are enabled.
fn auth_mechanisms(call: &Call) -> Vec<Value> {
    let asks = call.node().listeners.list().iter().any(|port| port.asks_for_certificates);
    let told = |&(name, description): &(&str, &str)| {
        let enabled = asks || name != "EXTERNAL";
        json!({"name": name, "description": description, "enabled": enabled})
    };
    MECHANISMS.iter().map(told).collect()
}

/// What is told with rates.
const FIGURES: &[&str] = &[
    "mem_used",
    "fd_used",
    "sockets_used",
    "proc_used",
    "disk_free",
    "context_switches",
    "io_read_count",
    "io_read_bytes",
    "io_write_count",
    "io_write_bytes",
    "io_sync_count",
    "msg_store_read_count",
    "msg_store_write_count",
];

/// What does not happen here: there is no memory to be looked through, no database of that kind, no
/// index beside the messages, and nothing is looked for in files before it is read.
const NEVER: &[&str] = &[
    "gc_num",
    "gc_bytes_reclaimed",
    "io_reopen_count",
    "io_seek_count",
    "io_seek_avg_time",
    "mnesia_disk_tx_count",
    "mnesia_ram_tx_count",
    "queue_index_read_count",
    "queue_index_write_count",
];

/// How long one has taken on average, in milliseconds; `None` if there was none.
fn average_ms(totals: &NodeTotals, what: &str) -> Option<f64> {
    let (count, us) = io(totals, what);
    (count > 0).then(|| us as f64 / 1000.0 / count as f64)
}

/// The same of those in the last interval.
fn recently(figures: &Measured<NodeTotals>, what: &str) -> Option<f64> {
    let Interval { before, after, .. } = figures.interval.as_ref()?;
    let ((count, us), (count_before, us_before)) = (io(after, what), io(before, what));
    let count = count.saturating_sub(count_before);
    (count > 0).then(|| us.saturating_sub(us_before) as f64 / 1000.0 / count as f64)
}

/// How many there were, and how long they have taken.
fn io(totals: &NodeTotals, what: &str) -> (u64, u64) {
    match what {
        "read" => (totals.io_read_count, totals.io_read_time_us),
        "write" => (totals.io_write_count, totals.io_write_time_us),
        _ => (totals.io_sync_count, totals.io_sync_time_us),
    }
}

fn enabled_plugins(call: &Call) -> Vec<&'static str> {
    let events = call.node().has_event_exchange().then_some("rabbitmq_event_exchange");
    PLUGINS.iter().copied().chain(events).collect()
}

/// Erlang's usual limit of its processes, which threads stand for here: tools divide by it.
const PROCESSES_MAX: u64 = 1_048_576;

fn all(call: &Call) -> Outcome {
    whole(call, vec![render(call)?], BY_NAME)
}

fn show(call: &Call) -> Outcome {
    call.check_node()?;
    one(call, render(call)?)
}

fn memory(call: &Call) -> Outcome {
    call.check_node()?;
    one(call, object! {"memory": Memory::of(call.node()).render()})
}

fn memory_shares(call: &Call) -> Outcome {
    call.check_node()?;
    one(call, object! {"memory": Memory::of(call.node()).render_shares()})
}
