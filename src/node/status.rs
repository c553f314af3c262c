//! What there is to be told of a node and of its connections at one moment.

use std::net::SocketAddr;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::base::ids::ConnectionId;
use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::{
    Churn, ConnectionTotals, DeathTotals, HostTotals, QueueTotals, StoreTotals,
};
use crate::names::{UserName, VirtualHostName};
use crate::time::clock::Timestamp;

/// Whether a connection moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It does.
    Running,
    /// It is not read because it has published and there is an alarm.
    Blocked,
    /// There is an alarm, and it will be blocked when it publishes.
    Blocking,
    /// It is not read for a moment because the disk does not keep up.
    Flow,
}

impl ConnectionState {
    /// RabbitMQ's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Blocking => "blocking",
            Self::Flow => "flow",
        }
    }
}

/// What does not change about a connection once it is open.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// Number, which no other connection of the node ever has.
    pub id: ConnectionId,
    /// Name: `127.0.0.1:51234 -> 127.0.0.1:5672`, or what stands for it without a socket.
    pub name: String,
    /// Where the client is; `None` without a socket.
    pub peer: Option<SocketAddr>,
    /// The address that it connected to; `None` without a socket.
    pub local: Option<SocketAddr>,
    /// `AMQP 0-9-1`, or `Direct 0-9-1` for one of the embedding program.
    pub protocol: &'static str,
    /// SASL mechanism of the login; empty if there was none.
    pub auth_mechanism: String,
    /// Who logged in.
    pub user: UserName,
    /// Virtual host that was opened.
    pub virtual_host: VirtualHostName,
    /// What the client says of itself, `capabilities` among it.
    pub client_properties: FieldTable,
    /// What the client calls the connection; empty if it does not say.
    pub user_provided_name: String,
    /// Heartbeat interval that was agreed on, in seconds; 0 for none.
    pub heartbeat_s: u16,
    /// Largest frame that was agreed on, in octets.
    pub frame_max: u32,
    /// Channels that may be open at a time; 0 for no limit.
    pub channel_max: u16,
    /// When it was opened.
    pub connected_at: Timestamp,
}

/// An open connection at one moment.
#[derive(Clone, Debug)]
pub struct ConnectionStatus {
    /// What does not change.
    pub facts: Arc<ConnectionFacts>,
    /// Whether it moves.
    pub state: ConnectionState,
    /// Open channels.
    pub channels: usize,
    /// Octets that wait to be written to it.
    pub send_pend: usize,
    /// Octets that came and went, and rates.
    pub octets: Measured<ConnectionTotals>,
}

/// Where the node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    /// `amqp`, `amqp/ssl`, `http`, `http/prometheus`...
    pub protocol: &'static str,
    /// Address.
    pub address: SocketAddr,
}

/// What the operating system says of the process. What it does not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Process number.
    pub os_pid: u32,
    /// Octets of memory that are resident.
    pub memory_resident: Option<u64>,
    /// Octets of memory of the machine, or of what the process is confined to.
    pub memory_total: Option<u64>,
    /// Open file descriptors, sockets among them.
    pub fd_used: Option<u64>,
    /// File descriptors that may be open.
    pub fd_total: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Processors that it may use.
    pub processors: usize,
}

/// What is counted of objects of all kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectTotals {
    /// Open connections.
    pub connections: usize,
    /// Open channels.
    pub channels: usize,
    /// Of these, the ones that have published.
    pub publishers: usize,
    /// Consumers.
    pub consumers: usize,
    /// Queues.
    pub queues: usize,
    /// Exchanges.
    pub exchanges: usize,
}

/// A virtual host at one moment.
#[derive(Clone, Debug)]
pub struct HostStatus {
    /// Name.
    pub name: VirtualHostName,
    /// Messages, what was counted, and rates.
    pub messages: Measured<HostTotals>,
    /// How many of what it has.
    pub objects: ObjectTotals,
}

/// The node at one moment.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Name: `leveret@hostname`.
    pub name: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// Milliseconds since then.
    pub uptime_ms: u64,
    /// Where it listens.
    pub listeners: Vec<ListenerStatus>,
    /// What the operating system says of the process.
    pub process: ProcessStatus,
    /// Octets of memory that messages take: what the alarm is about.
    pub memory_used: usize,
    /// Octets above which publishers are blocked; `None` for no limit.
    pub memory_limit: Option<usize>,
    /// Whether they are.
    pub memory_alarm: bool,
    /// Octets that are free where the data directory is; `None` without one.
    pub disk_free: Option<u64>,
    /// Octets below which publishers are blocked.
    pub disk_free_limit: u64,
    /// Whether they are, for this or because the disk fails.
    pub disk_alarm: bool,
    /// How many of what it has.
    pub objects: ObjectTotals,
    /// Messages of all virtual hosts, what was counted, and rates.
    pub messages: Measured<HostTotals>,
    /// What was counted of queues, by type: classic, quorum.
    pub by_queue_type: [QueueTotals; 2],
    /// Messages that died, by type of their queue: classic, quorum.
    pub deaths: [DeathTotals; 2],
    /// What came and went, and rates.
    pub churn: Measured<Churn>,
    /// What the store has done, and rates.
    pub store: Measured<StoreTotals>,
}
