//! Settings of the server side of a connection.

use std::collections::BTreeMap;

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::constants::FRAME_MAX_MIN;
use crate::tune::Tuning;

/// Settings that all connections of a server share.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// Channels that a connection may have open at the same time; 0 for no limit. Default 2047.
    pub channel_max: u16,
    /// Largest frame in octets. Default 131072; values below 4096, the least that clients must
    /// be allowed, count as 4096.
    pub frame_max: u32,
    /// Heartbeat interval to propose, in seconds; 0 for none. Default 60. The client decides.
    pub heartbeat_s: u16,
    /// Time from accepting the socket to connection.open, in milliseconds. Default 10,000.
    pub handshake_timeout_ms: u64,
    /// Largest body of a message in octets. Default 16 MiB.
    pub message_size_max: u64,
    /// Time to wait for close-ok, or for the client to close its socket after close-ok, in
    /// milliseconds. Default 30,000. [rabbitmq reader]
    pub close_timeout_ms: u64,
    /// Time until the socket closes after a failed handshake that the client is not told about, in
    /// milliseconds. It slows down guessing of passwords. Default 3,000. [rabbitmq reader]
    pub silent_close_delay_ms: u64,
    /// What connection.start says about the server. Default: capabilities alone.
    pub server_properties: FieldTable,
    /// Mechanisms to offer, separated by spaces. Default `PLAIN AMQPLAIN`.
    pub mechanisms: String,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        let mut server_properties = FieldTable::default();
        let capabilities = AMQPValue::FieldTable(server_capabilities());
        server_properties.insert("capabilities".into(), capabilities);
        Self {
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat_s: 60,
            handshake_timeout_ms: 10_000,
            message_size_max: 16 * 1024 * 1024,
            close_timeout_ms: 30_000,
            silent_close_delay_ms: 3_000,
            server_properties,
            mechanisms: "PLAIN AMQPLAIN".to_owned(),
        }
    }
}

impl ConnectionConfig {
    /// What connection.tune offers.
    pub(crate) fn offer(&self) -> Tuning {
        Tuning {
            channel_max: self.channel_max,
            frame_max: self.frame_max.max(FRAME_MAX_MIN),
            heartbeat_s: self.heartbeat_s,
        }
    }

    /// Whether a mechanism is offered.
    pub(crate) fn offers(&self, mechanism: &str) -> bool {
        self.mechanisms.split_ascii_whitespace().any(|offered| offered == mechanism)
    }
}

/// The capabilities that RabbitMQ announces, all true.
pub fn server_capabilities() -> FieldTable {
    let names = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ];
    let entries = names.map(|name| (name.into(), AMQPValue::Boolean(true)));
    FieldTable::from(BTreeMap::from(entries))
}

/// What the client announced that it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// Wants to be told that its login failed.
    pub authentication_failure_close: bool,
    /// Takes basic.cancel from the server.
    pub consumer_cancel_notify: bool,
    /// Takes connection.blocked and unblocked.
    pub connection_blocked: bool,
    /// Knows confirms.
    pub publisher_confirms: bool,
    /// Takes basic.nack.
    pub basic_nack: bool,
    /// Knows bindings between exchanges.
    pub exchange_exchange_bindings: bool,
}

impl ClientCapabilities {
    /// Reads `capabilities` in the client's properties.
    pub(crate) fn read(client_properties: &FieldTable) -> Self {
        let capabilities = match client_properties.inner().get("capabilities") {
            Some(AMQPValue::FieldTable(capabilities)) => capabilities.inner(),
            _ => return Self::default(),
        };
        let has = |name: &str| matches!(capabilities.get(name), Some(AMQPValue::Boolean(true)));
        Self {
            authentication_failure_close: has("authentication_failure_close"),
            consumer_cancel_notify: has("consumer_cancel_notify"),
            connection_blocked: has("connection.blocked"),
            publisher_confirms: has("publisher_confirms"),
            basic_nack: has("basic.nack"),
            exchange_exchange_bindings: has("exchange_exchange_bindings"),
        }
    }
}
