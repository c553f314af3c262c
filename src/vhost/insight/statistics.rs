//! What is counted in a virtual host beside its queues and exchanges: who came and went, and what
//! those had counted who are gone.

use std::collections::BTreeMap;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::insight::statistics::recent::Recent;
use crate::insight::statistics::tally::Tally;
use crate::insight::statistics::totals::{
    ChannelTotals, Churn, ConnectionTotals, DeathTotals, HostTotals, QueueTotals,
};
use crate::queue::QueueType;
use crate::queue::tally::QueueTally;

/// The statistics of a virtual host.
#[derive(Debug, Default)]
pub(crate) struct HostStatistics {
    /// Whoever leaves does so with this locked, and so does who wants a sum that misses nobody and
    /// counts nobody twice.
    pub gone: Mutex<Gone, rank::Gone>,
    pub churn: ChurnTallies,
    /// For rates.
    pub recent: Mutex<Recent<HostTotals>, rank::Rates>,
}

/// What those had counted who are gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone {
    /// By type of queue.
    queues: BTreeMap<&'static str, (QueueTotals, DeathTotals)>,
    pub channels: ChannelTotals,
    pub connections: ConnectionTotals,
}

/// Who came and went.
#[derive(Debug, Default)]
pub(crate) struct ChurnTallies {
    pub connection_created: Tally,
    pub connection_closed: Tally,
    pub channel_created: Tally,
    pub channel_closed: Tally,
    pub queue_declared: Tally,
    pub queue_created: Tally,
    pub queue_deleted: Tally,
}

impl Gone {
    /// A queue was deleted.
    pub(crate) fn add_queue(&mut self, queue_type: QueueType, tally: &QueueTally) {
        let (totals, deaths) = self.queues.entry(queue_type.as_str()).or_default();
        // What it still held is held no more.
        *totals += QueueTotals { messages_ready: 0, messages_unacknowledged: 0, ..tally.totals };
        *deaths += tally.deaths;
    }

    /// Adds those who are gone from elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        for (queue_type, (totals, deaths)) in &other.queues {
            let known = self.queues.entry(queue_type).or_default();
            known.0 += *totals;
            known.1 += *deaths;
        }
        self.channels += other.channels;
        self.connections += other.connections;
    }

    /// What the queues had counted that are gone, by type.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (&'static str, QueueTotals, DeathTotals)> {
        self.queues.iter().map(|(&queue_type, &(totals, deaths))| (queue_type, totals, deaths))
    }
}

impl ChurnTallies {
    /// All of them.
    pub(crate) fn totals(&self) -> Churn {
        Churn {
            connection_created: self.connection_created.get(),
            connection_closed: self.connection_closed.get(),
            channel_created: self.channel_created.get(),
            channel_closed: self.channel_closed.get(),
            queue_declared: self.queue_declared.get(),
            queue_created: self.queue_created.get(),
            queue_deleted: self.queue_deleted.get(),
        }
    }
}

impl HostTotals {
    /// Adds what a queue has counted.
    pub fn add_queue(&mut self, queue: &QueueTotals) {
        *self += Self {
            messages_ready: queue.messages_ready,
            messages_unacknowledged: queue.messages_unacknowledged,
            deliver: queue.deliver,
            deliver_no_ack: queue.deliver_no_ack,
            get: queue.get,
            get_no_ack: queue.get_no_ack,
            get_empty: queue.get_empty,
            ack: queue.ack,
            redeliver: queue.redeliver,
            disk_reads: queue.disk_reads,
            disk_writes: queue.disk_writes,
            ..Self::default()
        };
    }

    /// Adds what a channel has counted of publishes. What it got is counted by the queues.
    pub fn add_channel(&mut self, channel: &ChannelTotals) {
        *self += Self {
            publish: channel.publish,
            publish_confirm: channel.publish_confirm,
            routed: channel.routed,
            confirm: channel.confirm,
            return_unroutable: channel.return_unroutable,
            drop_unroutable: channel.drop_unroutable,
            ..Self::default()
        };
    }

    /// Adds the octets of a connection.
    pub fn add_connection(&mut self, connection: &ConnectionTotals) {
        *self += Self {
            recv_oct: connection.recv_oct,
            send_oct: connection.send_oct,
            ..Self::default()
        };
    }
}
