//! Accepting connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use amq_protocol::types::{AMQPValue, FieldTable, LongString};
use leveret_protocol::{ConnectionConfig, server_capabilities};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::base::field_value;
use crate::gateway::handshakes::Handshakes;
use crate::gateway::line::Line;
use crate::gateway::login::mechanisms;
use crate::gateway::newcomer::{Start, Unfinished};
use crate::gateway::peer::Peer;
use crate::limits::{KEEPALIVE_AFTER, KEEPALIVE_EVERY};
use crate::node::Node;
use crate::node::parameters::CLUSTER_NAME;
use crate::time::clock::Clock;
use crate::time::quiescence::Watched;

/// Waiting time after accepting failed, as when no file descriptors are left.
const PAUSE: Duration = Duration::from_millis(100);

/// The version of RabbitMQ whose behaviour is offered. Clients parse it and decide by it.
pub(super) const COMPATIBLE_VERSION: &str = "4.0.5";

/// Accepts connections for as long as the runtime lives, and has `serve_one` serve them. All of
/// them share `line` and `alive`, and the listener shares that, too, as it is dropped before its
/// first argument.
pub(super) async fn serve<C, F>(
    alive: Arc<()>,
    listener: TcpListener,
    line: Line,
    broker: Arc<Node>,
    clock: Clock,
    config: C,
    serve_one: impl Fn(TcpStream, Start<C>) -> F,
) where
    F: Future<Output = ()> + Unpin + Send + 'static,
{
    let config = Arc::new(config);
    let handshakes = Handshakes::new(broker.limits.unfinished_handshakes_max);
    loop {
        if broker.connections.is_closed() {
            return;
        }
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if broker.connections.is_closed() {
            return; // while it waited
        }
        prepare(&socket);
        // Fails only for a socket that has been closed meanwhile.
        let Ok(local) = socket.local_addr() else { continue };
        let start = Start {
            broker: Arc::clone(&broker),
            config: Arc::clone(&config),
            clock: clock.clone(),
            peer: Peer::remote(peer, local),
            unfinished: Unfinished::Admission(handshakes.admit()),
            line: line.clone(),
            alive: Arc::clone(&alive),
        };
        let task = serve_one(socket, start);
        match &clock {
            Clock::System(_) => tokio::spawn(task),
            Clock::Manual(_) => tokio::spawn(Watched::new(task, &broker.timers().quiescence)),
        };
    }
}

fn prepare(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY could not be set: {error}");
    }
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&keepalive) {
        tracing::debug!("SO_KEEPALIVE could not be set: {error}");
    }
}

/// What connections of a broker offer.
pub(super) fn connection_config(broker: &Node, asks_for_certificates: bool) -> ConnectionConfig {
    let limits = &broker.limits;
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    let properties = [
        // Kombu and others change their behaviour for any other name.
        ("product", text("RabbitMQ")),
        ("version", text(COMPATIBLE_VERSION)),
        ("platform", text("Rust")),
        ("copyright", text("Copyright (c) the leveret authors.")),
        ("information", text(concat!("leveret ", env!("CARGO_PKG_VERSION")))),
        (CLUSTER_NAME, text(&broker.cluster_name())),
        ("capabilities", AMQPValue::FieldTable(server_capabilities())),
    ];
    let properties = properties.map(|(name, value)| (name.into(), value));
    ConnectionConfig {
        channel_max: limits.channel_max,
        frame_max: limits.frame_max,
        heartbeat_s: limits.heartbeat_s,
        handshake_timeout_ms: limits.handshake_timeout_ms,
        close_timeout_ms: limits.close_timeout_ms,
        message_size_max: limits.message_size_max,
        server_properties: FieldTable::from(BTreeMap::from(properties)),
        mechanisms: mechanisms(asks_for_certificates).join(" "),
        ..ConnectionConfig::default()
    }
}

/// The same, with the name that the cluster has at present: brokers of a federation know each other
/// by it.
pub(super) fn named(config: Arc<ConnectionConfig>, cluster: &str) -> Arc<ConnectionConfig> {
    let told = field_value::get(&config.server_properties, CLUSTER_NAME);
    if told.and_then(field_value::text) == Some(cluster) {
        return config;
    }
    let mut config = ConnectionConfig::clone(&config);
    let name = AMQPValue::LongString(LongString::from(cluster));
    config.server_properties.insert(CLUSTER_NAME.into(), name);
    Arc::new(config)
}
