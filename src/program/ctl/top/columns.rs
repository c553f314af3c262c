//! The lists, and their columns.

use clap::ValueEnum;

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// Queues and streams.
    #[default]
    Queues,
    /// Connections of clients.
    Connections,
}

/// A column of a list.
#[derive(Debug)]
pub(super) struct Column {
    /// Its head.
    pub name: &'static str,
    /// Where the HTTP API has it.
    pub field: &'static str,
    pub kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, which is sorted from A to Z.
    Text,
    /// A number, the greatest first.
    Count,
    /// So many in a second.
    Rate,
    /// So many octets in a second.
    Octets,
}

const fn column(name: &'static str, field: &'static str, kind: Kind) -> Column {
    Column { name, field, kind }
}

const QUEUES: &[Column] = &[
    column("name", "name", Kind::Text),
    column("vhost", "vhost", Kind::Text),
    column("type", "type", Kind::Text),
    column("ready", "messages_ready", Kind::Count),
    column("unacked", "messages_unacknowledged", Kind::Count),
    column("consumers", "consumers", Kind::Count),
    column("in/s", "message_stats.publish_details.rate", Kind::Rate),
    column("out/s", "message_stats.deliver_get_details.rate", Kind::Rate),
    column("acked/s", "message_stats.ack_details.rate", Kind::Rate),
];

const CONNECTIONS: &[Column] = &[
    column("name", "name", Kind::Text),
    column("called", "user_provided_name", Kind::Text),
    column("user", "user", Kind::Text),
    column("vhost", "vhost", Kind::Text),
    column("state", "state", Kind::Text),
    column("channels", "channels", Kind::Count),
    column("in B/s", "recv_oct_details.rate", Kind::Octets),
    column("out B/s", "send_oct_details.rate", Kind::Octets),
];

impl What {
    /// Those of the list.
    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Queues => QUEUES,
            Self::Connections => CONNECTIONS,
        }
    }

    /// The column that it is sorted by at first: what moves, on top.
    pub(super) fn first_order(self) -> usize {
        let name = if self == Self::Queues { "in/s" } else { "in B/s" };
        self.columns().iter().position(|column| column.name == name).unwrap_or_default()
    }
}
