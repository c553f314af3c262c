//! What memory is used for, by RabbitMQ's names. leveret tells messages from all else; what an
//! Erlang machine has besides is 0.

use crate::base::process::Process;
use crate::management::json::Object;
use crate::management::metrics::text::{Group, gauge};
use crate::node::Node;

/// Memory of the process at one moment, octets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is in RAM.
    pub resident: u64,
    /// What messages take, with all that belongs to them.
    pub messages: u64,
}

impl Memory {
    /// That of this process.
    pub(crate) fn of(node: &Node) -> Self {
        Self { resident: Process::now().resident_bytes, messages: node.memory().used() as u64 }
    }

    /// What messages do not take.
    fn other(&self) -> u64 {
        self.resident.saturating_sub(self.messages)
    }

    /// The figures by the names that the HTTP API has for them.
    pub(crate) fn render(&self) -> Object {
        let mut shown: Object = ABSENT.iter().map(|name| ((*name).to_owned(), 0.into())).collect();
        shown.insert("binary".into(), self.messages.into());
        shown.insert("other_system".into(), self.other().into());
        shown.insert("strategy".into(), "rss".into());
        let all = self.resident.max(self.messages);
        let total = serde_json::json!({"rss": all, "allocated": all, "erlang": all});
        shown.insert("total".into(), total);
        shown
    }

    /// The same in hundredths of all, and at least one of what there is.
    pub(crate) fn render_shares(&self) -> Object {
        let all = self.resident.max(self.messages).max(1);
        let share = |octets: u64| match (octets.saturating_mul(100) + all / 2) / all {
            0 => octets.min(1),
            share => share,
        };
        let mut shown: Object = ABSENT.iter().map(|name| ((*name).to_owned(), 0.into())).collect();
        shown.insert("binary".into(), share(self.messages).into());
        shown.insert("other_system".into(), share(self.other()).into());
        shown.insert("total".into(), 100.into());
        shown
    }
}

/// Names of what there is not.
const ABSENT: &[&str] = &[
    "allocated_unused",
    "atom",
    "code",
    "connection_channels",
    "connection_other",
    "connection_readers",
    "connection_writers",
    "metadata_store",
    "metadata_store_ets",
    "metrics",
    "mgmt_db",
    "mnesia",
    "msg_index",
    "other_ets",
    "other_proc",
    "plugins",
    "quorum_ets",
    "quorum_queue_dlx_procs",
    "quorum_queue_procs",
    "queue_procs",
    "queue_slave_procs",
    "reserved_unallocated",
    "stream_queue_coordinator_procs",
    "stream_queue_procs",
    "stream_queue_replica_reader_procs",
];

/// The families that RabbitMQ has of it.
pub(crate) static GROUPS: &[Group<Memory>] = &[Group {
    name: "node_memory",
    columns: &[
        gauge("memory_code_module_bytes", "Code module memory footprint", |_| 0.0),
        gauge("memory_metrics_bytes", "Metric table footprint in bytes", |_| 0.0),
        gauge("memory_binary_heap_bytes", "Binary heap size in bytes", |m| m.messages as f64),
        gauge("memory_other_system_bytes", "Other runtime footprint in bytes", |m| {
            m.other() as f64
        }),
    ],
}];
