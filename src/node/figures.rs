//! What the process takes of the machine, and what the store does with the disk.

use crate::base::disk;
use crate::base::process::Process;
use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::totals::{HostTotals, NodeTotals};
use crate::node::Node;

impl Node {
    /// At this moment, with rates.
    pub(crate) fn figures(&self, messages: &HostTotals) -> Measured<NodeTotals> {
        let interval = self.statistics.samples.lock().figures.interval();
        Measured { totals: self.figures_now(messages), interval }
    }

    /// In a span of time.
    pub(crate) fn figure_samples(&self, span: Span) -> Vec<Sample<NodeTotals>> {
        self.statistics.samples.lock().figures.samples(self.clock().now(), span)
    }

    pub(super) fn figures_now(&self, messages: &HostTotals) -> NodeTotals {
        let process = Process::now();
        let usage = self.persistence().map(|store| store.usage()).unwrap_or_default();
        NodeTotals {
            mem_used: process.resident_bytes,
            fd_used: process.open_files,
            sockets_used: self.connections.count() as u64,
            proc_used: process.threads,
            disk_free: disk::free_bytes(self.disk()).unwrap_or_default(),
            context_switches: process.context_switches,
            io_read_count: usage.reads.count,
            io_read_bytes: usage.reads.octets,
            io_read_time_us: usage.reads.us,
            io_write_count: usage.writes.count,
            io_write_bytes: usage.writes.octets,
            io_write_time_us: usage.writes.us,
            io_sync_count: usage.syncs,
            io_sync_time_us: usage.sync_us,
            msg_store_read_count: messages.disk_reads,
            msg_store_write_count: messages.disk_writes,
        }
    }
}
