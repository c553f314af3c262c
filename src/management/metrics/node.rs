//! The node as a whole, and the families that are told of it.

use crate::base::disk;
use crate::base::process::Process;
use crate::insight::statistics::totals::Churn;
use crate::management::metrics::text::{Group, counter, gauge, untyped};
use crate::node::Node;
use crate::node::login_attempts::AttemptCounts;
use crate::node::status::NodeStatus;
use crate::persist::recovered::LogUsage;

/// The node at one moment.
#[derive(Clone)]
pub(super) struct NodeFigures {
    pub status: NodeStatus,
    churn: Churn,
    process: Process,
    disk_free_bytes: u64,
    disk_free_limit_bytes: u64,
    storage: Option<LogUsage>,
    has_failed: bool,
    is_behind: bool,
    timers: usize,
}

impl NodeFigures {
    /// The figures of a node.
    pub(super) fn of(node: &Node) -> Self {
        let status = node.status();
        let store = node.persistence();
        Self {
            churn: status.churn.totals,
            status,
            process: Process::now(),
            disk_free_bytes: disk::free_bytes(node.disk()).unwrap_or_default(),
            disk_free_limit_bytes: node.disk_alarm.limit_bytes(),
            storage: store.map(|store| store.usage()),
            has_failed: store.is_some_and(|store| store.is_alarmed()),
            is_behind: node.is_behind(),
            timers: node.timers().pending(),
        }
    }

    fn storage(&self, figure: fn(&LogUsage) -> u64) -> f64 {
        self.storage.as_ref().map_or(f64::NAN, |usage| figure(usage) as f64)
    }
}

fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

/// What can be asked for by family.
pub(super) static GROUPS: &[Group<NodeFigures>] = &[
    Group {
        name: "connection_churn_metrics",
        columns: &[
            counter("connections_opened_total", "Total number of connections opened", |n| {
                n.churn.connection_created as f64
            }),
            counter(
                "connections_closed_total",
                "Total number of connections closed or terminated",
                |n| n.churn.connection_closed as f64,
            ),
            counter("channels_opened_total", "Total number of channels opened", |n| {
                n.churn.channel_created as f64
            }),
            counter("channels_closed_total", "Total number of channels closed", |n| {
                n.churn.channel_closed as f64
            }),
            counter("queues_declared_total", "Total number of queues declared", |n| {
                n.churn.queue_declared as f64
            }),
            counter("queues_created_total", "Total number of queues created", |n| {
                n.churn.queue_created as f64
            }),
            counter("queues_deleted_total", "Total number of queues deleted", |n| {
                n.churn.queue_deleted as f64
            }),
        ],
    },
    Group {
        name: "node_coarse_metrics",
        columns: &[
            gauge("process_open_fds", "Open file descriptors", |n| n.process.open_files as f64),
            gauge("process_resident_memory_bytes", "Memory used in bytes", |n| {
                n.process.resident_bytes as f64
            }),
            gauge("disk_space_available_bytes", "Disk space available in bytes", |n| {
                n.disk_free_bytes as f64
            }),
        ],
    },
    Group {
        name: "node_metrics",
        columns: &[
            gauge("process_max_fds", "Open file descriptors limit", |n| {
                n.process.open_files_max as f64
            }),
            gauge("resident_memory_limit_bytes", "Memory high watermark in bytes", |n| {
                n.status.memory_limit.unwrap_or_default() as f64
            }),
            gauge(
                "disk_space_available_limit_bytes",
                "Free disk space low watermark in bytes",
                |n| n.disk_free_limit_bytes as f64,
            ),
            gauge("erlang_uptime_seconds", "Node uptime", |n| n.status.uptime_ms as f64 / 1000.0),
        ],
    },
];

/// What is there once, and cannot be asked for by family.
pub(super) static TOTALS: &[Group<NodeFigures>] = &[Group {
    name: "totals",
    columns: &[
        gauge("connections", "Connections currently open", |n| n.status.objects.connections as f64),
        gauge("channels", "Channels currently open", |n| n.status.objects.channels as f64),
        gauge("consumers", "Consumers currently connected", |n| n.status.objects.consumers as f64),
        gauge("queues", "Queues available", |n| n.status.objects.queues as f64),
        untyped(
            "alarms_file_descriptor_limit",
            "is 1 if file descriptor limit alarm is in effect",
            |_| 0.0, // connections are refused before that
        ),
        untyped(
            "alarms_free_disk_space_watermark",
            "is 1 if free disk space watermark alarm is in effect",
            |n| flag(n.status.disk_alarm),
        ),
        untyped(
            "alarms_memory_used_watermark",
            "is 1 if VM memory watermark alarm is in effect",
            |n| flag(n.status.memory_alarm),
        ),
        gauge(
            "unreachable_cluster_peers_count",
            "Number of peers in the cluster the current node cannot reach.",
            |_| 0.0,
        ),
    ],
}];

/// What Prometheus' libraries tell of every process.
pub(super) static PROCESS: &[Group<NodeFigures>] = &[Group {
    name: "process",
    columns: &[
        gauge(
            "start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            |n| n.status.started_at.as_millis() as f64 / 1000.0,
        ),
        counter("cpu_seconds_total", "CPU time of the process in seconds.", |n| n.process.cpu_s),
        gauge("resident_memory_bytes", "Resident memory size in bytes.", |n| {
            n.process.resident_bytes as f64
        }),
        gauge("virtual_memory_bytes", "Virtual memory size in bytes.", |n| {
            n.process.virtual_bytes as f64
        }),
        gauge("open_fds", "Number of open file descriptors.", |n| n.process.open_files as f64),
        gauge("max_fds", "Maximum number of open file descriptors.", |n| {
            n.process.open_files_max as f64
        }),
        gauge("threads", "Number of threads.", |n| n.process.threads as f64),
    ],
}];

/// What leveret tells beside RabbitMQ's families.
pub(super) static OWN: &[Group<NodeFigures>] = &[Group {
    name: "leveret",
    columns: &[
        gauge(
            "memory_used_bytes",
            "Memory that messages take, with all that belongs to them; the alarm goes by it",
            |n| n.status.memory_used as f64,
        ),
        gauge("timers", "Deadlines of queues, exchanges and tasks that are waited for", |n| {
            n.timers as f64
        }),
        gauge("storage_bytes", "Size in bytes of the log of messages on disk", |n| {
            n.storage(|usage| usage.octets)
        }),
        gauge("storage_segments", "Files of the log of messages", |n| {
            n.storage(|usage| usage.segments as u64)
        }),
        gauge("storage_messages", "Messages in the log that queues still hold", |n| {
            n.storage(|usage| usage.messages)
        }),
        counter("storage_syncs_total", "Times that the log of messages was synced to disk", |n| {
            n.storage(|usage| usage.syncs)
        }),
        counter(
            "storage_sync_seconds_total",
            "Time that syncing the log of messages to disk has taken",
            |n| n.storage(|usage| usage.sync_us) / 1e6,
        ),
        gauge(
            "storage_failed",
            "is 1 while the disk takes nothing, and publishers are blocked",
            |n| if n.storage.is_some() { flag(n.has_failed) } else { f64::NAN },
        ),
        gauge(
            "storage_behind",
            "is 1 while publishers are not read because too much waits for the disk",
            |n| if n.storage.is_some() { flag(n.is_behind) } else { f64::NAN },
        ),
    ],
}];

/// Logins by one protocol.
pub(super) static ATTEMPTS: &[Group<AttemptCounts>] = &[Group {
    name: "auth_attempt_metrics",
    columns: &[
        counter("auth_attempts_total", "Total number of authentication attempts", |attempts| {
            (attempts.succeeded + attempts.failed) as f64
        }),
        counter(
            "auth_attempts_succeeded_total",
            "Total number of successful authentication attempts",
            |attempts| attempts.succeeded as f64,
        ),
        counter(
            "auth_attempts_failed_total",
            "Total number of failed authentication attempts",
            |attempts| attempts.failed as f64,
        ),
    ],
}];
