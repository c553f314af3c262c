//! RabbitMQ's stream protocol of one connection, on the machine of `leveret_stream_protocol`.
//!
//! [`connection_task`] moves octets between a socket and the machine; [`client`] does what a client
//! asks for: [`requests`] are answered, [`publishing`] appends, [`subscriptions`] and [`reading`]
//! send chunks as they lie in the log; [`faults`] have it otherwise. What others tell the
//! connection, such as that messages are safe, is in its [`inbox`].

mod client;
mod codes;
pub(super) mod connection_task;
mod credit;
mod faults;
mod inbox;
mod publishers;
mod publishing;
mod reading;
mod requests;
mod stream_use;
mod subscriptions;
mod super_streams;
mod topology;

use std::net::SocketAddr;
use std::sync::Arc;

use leveret_stream_protocol::ConnectionConfig;

use crate::gateway::listener::COMPATIBLE_VERSION;
use crate::gateway::login::mechanisms;
use crate::node::Node;
use crate::node::parameters::CLUSTER_NAME;

/// The port that clients look for.
const PORT: u16 = 5552;

/// Where stream clients are told to come to, by which they publish and read. What is not said is
/// that of the address that the client has come to, which is right unless there is something in
/// between, such as a container's port `[rabbitmq stream.advertised_host]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdvertisedAddress {
    /// Host name or address.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
}

/// Where the client of a connection reaches this server.
#[derive(Clone, Debug)]
pub(super) struct Advertised {
    pub host: String,
    pub port: u16,
}

impl Advertised {
    /// What was said, else that of the address that the client has come to.
    pub(super) fn new(said: &AdvertisedAddress, local: Option<SocketAddr>) -> Self {
        let local_host = || match local {
            Some(local) => local.ip().to_canonical().to_string(),
            None => "localhost".to_owned(),
        };
        let local_port = || local.map_or(PORT, |local| local.port());
        Self {
            host: said.host.clone().unwrap_or_else(local_host),
            port: said.port.unwrap_or_else(local_port),
        }
    }
}

/// Octets of a frame beside the message that it holds, if it holds the largest.
const FRAME_ROOM_BYTES: u64 = 64 * 1024;

/// What connections of a broker offer.
pub(super) fn connection_config(broker: &Node, asks_for_certificates: bool) -> ConnectionConfig {
    let limits = &broker.limits;
    let cluster = broker.cluster_name();
    let properties = [
        ("product", "RabbitMQ"),
        ("version", COMPATIBLE_VERSION),
        ("platform", "Rust"),
        ("copyright", "Copyright (c) the leveret authors."),
        ("information", concat!("leveret ", env!("CARGO_PKG_VERSION"))),
        (CLUSTER_NAME, &cluster),
    ];
    let frame_octets_max = limits.message_size_max.saturating_add(FRAME_ROOM_BYTES);
    let usual = ConnectionConfig::default();
    ConnectionConfig {
        heartbeat_s: limits.heartbeat_s.into(),
        step_timeout_ms: limits.handshake_timeout_ms,
        frame_octets_max: usize::try_from(frame_octets_max).unwrap_or(usize::MAX),
        server_properties: properties.map(|(name, value)| (name.into(), value.into())).to_vec(),
        mechanisms: mechanisms(asks_for_certificates).into_iter().map(str::to_owned).collect(),
        close_timeout_ms: usual.close_timeout_ms.min(limits.close_timeout_ms),
        ..usual
    }
}

/// The configuration with what the cluster is called now.
fn named(mut config: Arc<ConnectionConfig>, cluster: &str) -> Arc<ConnectionConfig> {
    let is_name = |(name, value): &(String, String)| name == CLUSTER_NAME && value != cluster;
    if let Some(at) = config.server_properties.iter().position(is_name)
        && let Some((_, value)) = Arc::make_mut(&mut config).server_properties.get_mut(at)
    {
        cluster.clone_into(value);
    }
    config
}
