//! What there is to be told of a node and of its connections at one moment.

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::Arc;

use amq_protocol::types::FieldTable;
use leveret_protocol::table::parse_table;

use crate::base::ids::ConnectionId;
use crate::base::names::{UserName, VirtualHostName};
use crate::insight::statistics::Measured;
use crate::insight::statistics::totals::{
    Churn, ConnectionTotals, DeathTotals, HostTotals, QueueTotals,
};
use crate::time::clock::Timestamp;

/// Whether a connection moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionState {
    /// It does.
    #[default]
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

/// What was agreed on in the handshake of TLS, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `tlsv1.2` or `tlsv1.3`.
    pub protocol: &'static str,
    /// `ecdhe_rsa`; `any` where the cipher suite does not say.
    pub key_exchange: String,
    /// `aes_256_gcm`.
    pub cipher: String,
    /// The client's certificate, if it showed one.
    pub certificate: Option<PeerCertificate>,
}

/// A client's certificate, which was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whose it is: `CN=shop,O=Example`.
    pub subject: String,
    /// Who has signed it.
    pub issuer: String,
    /// `2026-01-01T00:00:00Z - 2027-01-01T00:00:00Z`.
    pub validity: String,
    /// The name of the user in it, if it has one where it is looked for.
    pub login: Option<String>,
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
    /// `AMQP 0-9-1`, `stream`, or `Direct 0-9-1` for one of the embedding program.
    pub protocol: &'static str,
    /// SASL mechanism of the login; empty if there was none.
    pub auth_mechanism: Box<str>,
    /// Who logged in.
    pub user: UserName,
    /// Virtual host that was opened.
    pub virtual_host: VirtualHostName,
    /// What the client says of itself, as it came: see [`ConnectionFacts::client_properties`].
    pub raw_client_properties: Box<[u8]>,
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
    /// What was agreed on; `None` without TLS.
    pub tls: Option<Arc<TlsFacts>>,
}

impl ConnectionFacts {
    /// The protocol of connections of the embedding program, as RabbitMQ calls it.
    pub const EMBEDDED: &'static str = "Direct 0-9-1";
    /// That of clients.
    pub const AMQP: &'static str = "AMQP 0-9-1";
    /// That of clients of RabbitMQ's stream protocol.
    pub const STREAM: &'static str = "stream";

    /// Whether it is a connection of the embedding program.
    pub fn is_embedded(&self) -> bool {
        self.protocol == Self::EMBEDDED
    }

    /// What the client says of itself, `capabilities` among it.
    pub fn client_properties(&self) -> FieldTable {
        parse_table(&self.raw_client_properties).unwrap_or_default()
    }
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

impl AddAssign for ObjectTotals {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.channels += other.channels;
        self.publishers += other.publishers;
        self.consumers += other.consumers;
        self.queues += other.queues;
        self.exchanges += other.exchanges;
    }
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

/// What was counted of the queues of one type, those that are gone too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeTotals {
    /// `classic`, `quorum`.
    pub queue_type: &'static str,
    /// Messages.
    pub totals: QueueTotals,
    /// Messages that died.
    pub deaths: DeathTotals,
}

/// The node at one moment.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// When it was started.
    pub started_at: Timestamp,
    /// Milliseconds since then.
    pub uptime_ms: u64,
    /// Octets of memory that messages take: what the alarm is about.
    pub memory_used: usize,
    /// Octets above which publishers are blocked; `None` for no limit.
    pub memory_limit: Option<usize>,
    /// Whether they are.
    pub memory_alarm: bool,
    /// Whether publishers are blocked because the disk is full or fails.
    pub disk_alarm: bool,
    /// How many of what it has.
    pub objects: ObjectTotals,
    /// Messages of all virtual hosts, what was counted, and rates.
    pub messages: Measured<HostTotals>,
    /// What was counted of queues, by type.
    pub by_type: Vec<TypeTotals>,
    /// What came and went, and rates.
    pub churn: Measured<Churn>,
}
