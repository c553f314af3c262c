//! What is served, and where.

use std::io;
use std::net::SocketAddr;

use tracing::{info, warn};

use crate::program::config::{
    ManagementConfig, MetricsConfig, ServerConfig, StreamConfig, TlsConfig,
};
use crate::program::reach::{nobody_from_elsewhere, only_from_here};
use leveret::Broker;
use leveret::tls::Tls;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}{}", advice(.reason))]
pub(crate) struct DoorError {
    /// The address.
    pub address: SocketAddr,
    /// What the operating system says.
    pub reason: io::Error,
}

/// What to do about what the operating system says.
pub(super) fn advice(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program, or another server, has this port: end that, or choose another one"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 are for the superuser, and for who has CAP_NET_BIND_SERVICE"
        }
        _ => "",
    }
}

/// What is served, and on which addresses.
pub(super) type Door = (&'static str, Vec<SocketAddr>);

/// Opens all that the configuration asks for; AMQP comes last.
///
/// # Errors
/// If an address cannot be listened on that somebody asked for.
pub(super) fn open(
    broker: &Broker,
    config: &ServerConfig,
    tls: Option<&Tls>,
) -> Result<Vec<Door>, DoorError> {
    let mut bound = Vec::new();
    for &address in &config.amqp {
        let listening = broker.listen(address);
        bound.push(listening.map_err(|reason| DoorError { address, reason })?);
    }
    let mut doors = serve_http(broker, config)?.to_vec();
    doors.push(serve_streams(broker, &config.stream)?);
    if let (Some(over), Some(tls)) = (&config.tls, tls) {
        doors.extend(serve_tls(broker, config, over, tls)?);
    }
    serve_locally(broker, config);
    let of_amqps = doors.iter().filter(|(what, _)| *what == AMQPS).flat_map(|(_, bound)| bound);
    let reached: Vec<_> = bound.iter().chain(of_amqps.clone()).copied().collect();
    // In RabbitMQ's words, which those wait for who start it in a container.
    bound.iter().for_each(|address| info!("started TCP listener on {address}"));
    of_amqps.for_each(|address| info!("started TLS (SSL) listener on {address}"));
    if let Some(text) = only_from_here(config, &reached) {
        warn!("{text}");
    }
    let users: Vec<_> = broker.access().users.list().iter().map(|u| u.name.clone()).collect();
    if let Some(text) = nobody_from_elsewhere(config, &reached, &users) {
        warn!("{text}");
    }
    doors.push(("AMQP", bound));
    Ok(doors)
}

const AMQPS: &str = "AMQPS";

/// Serves all that is served over TLS; returns where.
fn serve_tls(
    broker: &Broker,
    config: &ServerConfig,
    over: &TlsConfig,
    tls: &Tls,
) -> Result<[Door; 3], DoorError> {
    let each = |addresses: &[SocketAddr], serve: &dyn Fn(SocketAddr) -> io::Result<SocketAddr>| {
        let listen =
            |&address: &SocketAddr| serve(address).map_err(|reason| DoorError { address, reason });
        addresses.iter().map(listen).collect::<Result<Vec<_>, _>>()
    };
    let advertised = &config.stream.advertised;
    let https = each(&over.https, &|address| broker.serve_https(address, tls))?;
    let streams = each(&over.streams, &|address| {
        broker.listen_for_streams_tls(address, advertised.clone(), tls)
    })?;
    let amqps = each(&over.amqps, &|address| broker.listen_tls(address, tls))?;
    Ok([("HTTPS API", https), ("streams over TLS", streams), (AMQPS, amqps)])
}

/// Serves something on each of these addresses. If nobody said where, and the default
/// address is taken by another server, this one goes without.
fn serve_on(
    what: &str,
    addresses: Option<&[SocketAddr]>,
    default: SocketAddr,
    serve: impl Fn(SocketAddr) -> io::Result<SocketAddr>,
) -> Result<Vec<SocketAddr>, DoorError> {
    let mut bound = Vec::new();
    for &address in addresses.unwrap_or(&[default]) {
        match serve(address) {
            Ok(address) => bound.push(address),
            Err(reason) if addresses.is_none() => {
                let advice = advice(&reason);
                warn!("no {what}: cannot listen on {address}: {reason}{advice}");
            }
            Err(reason) => return Err(DoorError { address, reason }),
        }
    }
    Ok(bound)
}

/// Serves the HTTP API and metrics; returns where.
fn serve_http(broker: &Broker, config: &ServerConfig) -> Result<[Door; 2], DoorError> {
    let (api, metrics) = (&config.management.addresses, &config.metrics.addresses);
    let api = serve_on("HTTP API", api.as_deref(), ManagementConfig::ADDRESS, |address| {
        broker.serve_http(address)
    })?;
    let metrics = serve_on("metrics", metrics.as_deref(), MetricsConfig::ADDRESS, |address| {
        broker.serve_metrics(address)
    })?;
    Ok([("HTTP API", api), ("metrics", metrics)])
}

/// Serves the HTTP API on the local socket, if there is to be one; the server goes without if it
/// cannot be made.
#[cfg(unix)]
fn serve_locally(broker: &Broker, config: &ServerConfig) {
    let Some(path) = &config.ctl_socket else { return };
    if let Err(error) = broker.serve_http_locally(path) {
        let path = path.display();
        warn!("no local socket for leveret ctl, which needs a password then: {path}: {error}");
    }
}

#[cfg(not(unix))]
fn serve_locally(_: &Broker, _: &ServerConfig) {}

/// Serves clients of the stream protocol; returns where.
fn serve_streams(broker: &Broker, config: &StreamConfig) -> Result<Door, DoorError> {
    let addresses = config.addresses.as_deref();
    let bound = serve_on("stream clients", addresses, StreamConfig::ADDRESS, |address| {
        broker.listen_for_streams(address, config.advertised.clone())
    })?;
    Ok(("streams", bound))
}
