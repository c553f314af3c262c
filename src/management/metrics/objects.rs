//! Queues, channels, connections and exchanges, and the families that are told of them.

use crate::channel::status::ChannelStatus;
use crate::insight::statistics::totals::{
    ChannelTotals, ConnectionTotals, ExchangeTotals, QueueTotals,
};
use crate::management::metrics::text::{Group, counter, gauge};
use crate::node::status::ConnectionStatus;
use crate::queue::status::QueueStatus;
use crate::queue::tally::Volume;

/// A queue, or in a sum those that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueueFigures {
    pub totals: QueueTotals,
    pub ready: Volume,
    pub unacked: Volume,
    pub persistent: Volume,
    pub paged_out: Volume,
    pub head_timestamp: Option<u64>,
    pub consumers: usize,
    pub capacity: f64,
    pub memory: usize,
}

impl QueueFigures {
    /// The figures of a queue.
    pub(super) fn of(status: &QueueStatus) -> Self {
        Self {
            totals: status.messages.totals,
            ready: status.ready,
            unacked: status.unacknowledged,
            persistent: status.persistent,
            paged_out: status.paged_out,
            head_timestamp: status.head_message_timestamp,
            consumers: status.consumers,
            capacity: status.consumer_capacity,
            memory: status.memory,
        }
    }

    fn ready_in_memory(&self) -> f64 {
        self.ready.messages.saturating_sub(self.paged_out.messages) as f64
    }
}

/// A channel, or those that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChannelFigures {
    totals: ChannelTotals,
    consumers: usize,
    unacked: usize,
    unconfirmed: u64,
    uncommitted: usize,
    acks_uncommitted: usize,
    prefetch: u32,
    global_prefetch: u32,
}

impl ChannelFigures {
    /// The figures of a channel.
    pub(super) fn of(status: &ChannelStatus) -> Self {
        Self {
            totals: status.messages.totals,
            consumers: status.consumers,
            unacked: status.messages_unacknowledged,
            unconfirmed: status.messages_unconfirmed,
            uncommitted: status.messages_uncommitted,
            acks_uncommitted: status.acks_uncommitted,
            prefetch: status.prefetch_count,
            global_prefetch: status.global_prefetch_count,
        }
    }

    /// Those of channels that are gone.
    pub(super) fn gone(totals: ChannelTotals) -> Self {
        Self { totals, ..Self::default() }
    }
}

/// A connection, or those that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConnectionFigures {
    pub totals: ConnectionTotals,
    pub send_pend: usize,
    pub channels: usize,
}

impl ConnectionFigures {
    /// The figures of a connection.
    pub(super) fn of(status: &ConnectionStatus) -> Self {
        Self {
            totals: status.octets.totals,
            send_pend: status.send_pend,
            channels: status.channels,
        }
    }

    /// Those of connections that are gone.
    pub(super) fn gone(totals: ConnectionTotals) -> Self {
        Self { totals, ..Self::default() }
    }
}

/// What is told of queues.
pub(super) static QUEUES: &[Group<QueueFigures>] = &[
    Group {
        name: "queue_coarse_metrics",
        columns: &[
            gauge("queue_messages_ready", "Messages ready to be delivered to consumers", |q| {
                q.ready.messages as f64
            }),
            gauge(
                "queue_messages_unacked",
                "Messages delivered to consumers but not yet acknowledged",
                |q| q.unacked.messages as f64,
            ),
            gauge(
                "queue_messages",
                "Sum of ready and unacknowledged messages - total queue depth",
                |q| (q.ready.messages + q.unacked.messages) as f64,
            ),
        ],
    },
    Group {
        name: "queue_consumer_count",
        columns: &[gauge("queue_consumers", "Consumers on a queue", |q| q.consumers as f64)],
    },
    Group {
        name: "queue_metrics",
        columns: &[
            gauge("queue_consumers", "Consumers on a queue", |q| q.consumers as f64),
            gauge("queue_consumer_capacity", "Consumer capacity", |q| q.capacity),
            gauge("queue_consumer_utilisation", "Same as consumer capacity", |q| q.capacity),
            gauge(
                "queue_process_memory_bytes",
                "Memory in bytes used by the Erlang queue process",
                |q| q.memory as f64,
            ),
            gauge(
                "queue_messages_ram",
                "Ready and unacknowledged messages stored in memory",
                |q| q.ready_in_memory() + q.unacked.messages as f64,
            ),
            gauge(
                "queue_messages_ram_bytes",
                "Size of ready and unacknowledged messages stored in memory",
                |q| (q.ready.bytes + q.unacked.bytes).saturating_sub(q.paged_out.bytes) as f64,
            ),
            gauge("queue_messages_ready_ram", "Ready messages stored in memory", |q| {
                q.ready_in_memory()
            }),
            gauge("queue_messages_unacked_ram", "Unacknowledged messages stored in memory", |q| {
                q.unacked.messages as f64
            }),
            gauge("queue_messages_persistent", "Persistent messages", |q| {
                q.persistent.messages as f64
            }),
            gauge("queue_messages_persistent_bytes", "Size in bytes of persistent messages", |q| {
                q.persistent.bytes as f64
            }),
            gauge(
                "queue_messages_bytes",
                "Size in bytes of ready and unacknowledged messages",
                |q| (q.ready.bytes + q.unacked.bytes) as f64,
            ),
            gauge("queue_messages_ready_bytes", "Size in bytes of ready messages", |q| {
                q.ready.bytes as f64
            }),
            gauge(
                "queue_messages_unacked_bytes",
                "Size in bytes of all unacknowledged messages",
                |q| q.unacked.bytes as f64,
            ),
            gauge("queue_messages_paged_out", "Messages paged out to disk", |q| {
                q.paged_out.messages as f64
            }),
            gauge(
                "queue_messages_paged_out_bytes",
                "Size in bytes of messages paged out to disk",
                |q| q.paged_out.bytes as f64,
            ),
            gauge(
                "queue_head_message_timestamp",
                "Timestamp of the first message in the queue, if any",
                |q| q.head_timestamp.map_or(f64::NAN, |timestamp| timestamp as f64),
            ),
            counter(
                "queue_disk_reads_total",
                "Total number of times queue read messages from disk",
                |q| q.totals.disk_reads as f64,
            ),
            counter(
                "queue_disk_writes_total",
                "Total number of times queue wrote messages to disk",
                |q| q.totals.disk_writes as f64,
            ),
        ],
    },
    Group {
        name: "queue_delivery_metrics",
        columns: &[
            counter(
                "queue_get_ack_total",
                "Total number of messages fetched from a queue with basic.get in manual \
                 acknowledgement mode",
                |q| q.totals.get as f64,
            ),
            counter(
                "queue_get_total",
                "Total number of messages fetched from a queue with basic.get in automatic \
                 acknowledgement mode",
                |q| q.totals.get_no_ack as f64,
            ),
            counter(
                "queue_messages_delivered_ack_total",
                "Total number of messages delivered from a queue to consumers in manual \
                 acknowledgement mode",
                |q| q.totals.deliver as f64,
            ),
            counter(
                "queue_messages_delivered_total",
                "Total number of messages delivered from a queue to consumers in automatic \
                 acknowledgement mode",
                |q| q.totals.deliver_no_ack as f64,
            ),
            counter(
                "queue_messages_redelivered_total",
                "Total number of messages redelivered from a queue to consumers",
                |q| q.totals.redeliver as f64,
            ),
            counter(
                "queue_messages_acked_total",
                "Total number of messages acknowledged by consumers on a queue",
                |q| q.totals.ack as f64,
            ),
            counter(
                "queue_get_empty_total",
                "Total number of times basic.get operations fetched no message on a queue",
                |q| q.totals.get_empty as f64,
            ),
        ],
    },
];

/// What is told of channels.
pub(super) static CHANNELS: &[Group<ChannelFigures>] = &[
    Group {
        name: "channel_metrics",
        columns: &[
            gauge("channel_consumers", "Consumers on a channel", |c| c.consumers as f64),
            gauge("channel_messages_unacked", "Delivered but not yet acknowledged messages", |c| {
                c.unacked as f64
            }),
            gauge(
                "channel_messages_unconfirmed",
                "Published but not yet confirmed messages",
                |c| c.unconfirmed as f64,
            ),
            gauge(
                "channel_messages_uncommitted",
                "Messages received in a transaction but not yet committed",
                |c| c.uncommitted as f64,
            ),
            gauge(
                "channel_acks_uncommitted",
                "Message acknowledgements in a transaction not yet committed",
                |c| c.acks_uncommitted as f64,
            ),
            gauge("consumer_prefetch", "Limit of unacknowledged messages for each consumer", |c| {
                f64::from(c.prefetch)
            }),
            gauge("channel_prefetch", "Deprecated and will be removed in a future version", |c| {
                f64::from(c.global_prefetch)
            }),
        ],
    },
    Group {
        name: "channel_exchange_metrics",
        columns: &[
            counter(
                "channel_messages_published_total",
                "Total number of messages published into an exchange on a channel",
                |c| c.totals.publish as f64,
            ),
            counter(
                "channel_messages_confirmed_total",
                "Total number of messages published into an exchange and confirmed on the channel",
                |c| c.totals.confirm as f64,
            ),
            counter(
                "channel_messages_unroutable_returned_total",
                "Total number of messages published as mandatory into an exchange and returned \
                 to the publisher as unroutable",
                |c| c.totals.return_unroutable as f64,
            ),
            counter(
                "channel_messages_unroutable_dropped_total",
                "Total number of messages published as non-mandatory into an exchange and \
                 dropped as unroutable",
                |c| c.totals.drop_unroutable as f64,
            ),
        ],
    },
    Group {
        name: "channel_queue_metrics",
        columns: &[
            counter(
                "channel_get_ack_total",
                "Total number of messages fetched with basic.get in manual acknowledgement mode",
                |c| c.totals.get as f64,
            ),
            counter(
                "channel_get_total",
                "Total number of messages fetched with basic.get in automatic acknowledgement \
                 mode",
                |c| c.totals.get_no_ack as f64,
            ),
            counter(
                "channel_messages_delivered_ack_total",
                "Total number of messages delivered to consumers in manual acknowledgement mode",
                |c| c.totals.deliver as f64,
            ),
            counter(
                "channel_messages_delivered_total",
                "Total number of messages delivered to consumers in automatic acknowledgement mode",
                |c| c.totals.deliver_no_ack as f64,
            ),
            counter(
                "channel_messages_redelivered_total",
                "Total number of messages redelivered to consumers",
                |c| c.totals.redeliver as f64,
            ),
            counter(
                "channel_messages_acked_total",
                "Total number of messages acknowledged by consumers",
                |c| c.totals.ack as f64,
            ),
            counter(
                "channel_get_empty_total",
                "Total number of times basic.get operations fetched no message",
                |c| c.totals.get_empty as f64,
            ),
        ],
    },
];

/// What is told of connections.
pub(super) static CONNECTIONS: &[Group<ConnectionFigures>] = &[
    Group {
        name: "connection_coarse_metrics",
        columns: &[
            counter(
                "connection_incoming_bytes_total",
                "Total number of bytes received on a connection",
                |c| c.totals.recv_oct as f64,
            ),
            counter(
                "connection_outgoing_bytes_total",
                "Total number of bytes sent on a connection",
                |c| c.totals.send_oct as f64,
            ),
        ],
    },
    Group {
        name: "connection_metrics",
        columns: &[
            counter(
                "connection_incoming_packets_total",
                "Total number of packets received on a connection",
                |c| c.totals.recv_cnt as f64,
            ),
            counter(
                "connection_outgoing_packets_total",
                "Total number of packets sent on a connection",
                |c| c.totals.send_cnt as f64,
            ),
            gauge(
                "connection_pending_packets",
                "Number of packets waiting to be sent on a connection",
                |c| c.send_pend as f64,
            ),
            gauge("connection_channels", "Channels on a connection", |c| c.channels as f64),
        ],
    },
];

/// What is told of exchanges.
pub(super) static EXCHANGES: &[Group<ExchangeTotals>] = &[Group {
    name: "exchange_metrics",
    columns: &[counter(
        "exchange_messages_published_total",
        "Total number of messages published into an exchange",
        |x| x.publish_in as f64,
    )],
}];
