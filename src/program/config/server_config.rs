//! The settings of a server, complete and checked.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::ConfigError;
use super::management::ManagementConfig;
use super::memory::default_high_watermark_bytes;
use super::metrics::MetricsConfig;
use super::settings::Settings;
use super::shovels::StaticShovels;
use super::stream::StreamConfig;
use super::tls::TlsConfig;
use super::uplink::{Uplink, UplinkParts};
use super::values::{ByteSize, LogFormat, LogLevel, LogRotation, Password};
use leveret::lint::LintLevel;
use leveret::names::{UserName, VirtualHostName};
use leveret::{Durability, Limits};

/// Name of the socket in the data directory on which `leveret ctl` needs no password.
pub(crate) const CTL_SOCKET: &str = "ctl.sock";

/// Room that the disk of the data directory is to have: 50 MB `[rabbitmq disk-alarms]`.
const DISK_FREE_LIMIT_BYTES: u64 = 50_000_000;

/// Largest `max_message_size`: 512 MiB `[rabbitmq max_message_size]`.
pub(super) const MESSAGE_SIZE_MAX: u64 = 512 << 20;

/// Smallest `frame_max` that the protocol allows, in bytes `[amqp 0-9-1 frame-min-size]`.
pub(super) const FRAME_MAX_MIN: u64 = 4096;

/// Largest `frame_max`: 16 MiB. A connection buffers up to one frame before it knows whether the
/// frame is good.
pub(super) const FRAME_MAX_MAX: u64 = 16 << 20;

/// Everything that can be set on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerConfig {
    /// Addresses to listen on for AMQP 0-9-1; port 0 lets the system choose. Default
    /// 127.0.0.1:5672: a server that nobody configured is not open to the network.
    pub amqp: Vec<SocketAddr>,
    /// The HTTP API.
    pub management: ManagementConfig,
    /// Metrics for Prometheus.
    pub metrics: MetricsConfig,
    /// Clients of RabbitMQ's stream protocol.
    pub stream: StreamConfig,
    /// What is served over TLS. Default: nothing.
    pub tls: Option<TlsConfig>,
    /// Static shovels. Default none.
    pub shovels: StaticShovels,
    /// What is kept here until the broker above has it. Default nothing.
    pub uplink: UplinkParts,
    /// Directory for what survives a restart. Default none: everything is kept in memory.
    pub data_dir: Option<PathBuf>,
    /// What a confirm of a persistent message promises when there is a data directory. Default
    /// [`Durability::Fsync`].
    pub durability: Durability,
    /// Octets of memory that the messages of one queue may take before those at its end are kept
    /// in the data directory alone; at least 64 KiB. Default 32 MiB.
    pub queue_memory_bytes_max: u64,
    /// Consumers that one channel may have. Default: no limit.
    pub consumer_max_per_channel: usize,
    /// Octets of direct replies that wait for one connection which does not read. Default 32 MiB.
    pub unread_replies_max: u64,
    /// Definitions file to load at the start. Default none.
    pub definitions: Option<PathBuf>,
    /// How much is logged. Default info.
    pub log_level: LogLevel,
    /// How the log is written. Default text.
    pub log_format: LogFormat,
    /// Socket on which `leveret ctl` needs no password. Default `ctl.sock` in the data directory.
    pub ctl_socket: Option<PathBuf>,
    /// Where the log goes; `None` for standard error.
    pub log_file: Option<PathBuf>,
    /// When a new log file is begun. Default daily.
    pub log_rotation: LogRotation,
    /// Log files that are kept. Default 7.
    pub log_files_max: usize,
    /// A sentence for each key of rabbitmq.conf that is not read.
    pub unread: Vec<String>,
    /// Whether what is seldom meant is logged. Default off.
    pub lint: LintLevel,
    /// Worker threads, 1 to 1024. Default one for each processor core that the process may use.
    pub threads: usize,
    /// Administrator that is created when no definitions bring users. Default `guest`, as
    /// RabbitMQ has it.
    pub default_user: UserName,
    /// Password of `default_user`. Default `guest`.
    pub default_pass: Password,
    /// Virtual host that is created when no definitions bring any, and the one that definitions
    /// of a single virtual host are for. Default `/`.
    pub default_vhost: VirtualHostName,
    /// Users that may connect from this host only. Default `guest`, since everybody knows its
    /// password; without it where `default_user` or `default_pass` is set, as in RabbitMQ's
    /// container image.
    pub loopback_users: Vec<UserName>,
    /// Most connections at a time, at least 1. Default 65,536: beyond it come the limits of one
    /// machine's ports and file descriptors.
    pub max_connections: usize,
    /// Most channels of a connection that the server offers, 1 to 65,535. Default 2047, which
    /// RabbitMQ offers.
    pub channel_max: u16,
    /// Largest frame in bytes that the server offers, [`FRAME_MAX_MIN`] to [`FRAME_MAX_MAX`].
    /// Default 131,072, which RabbitMQ offers.
    pub frame_max: u32,
    /// Seconds between heartbeats that the server offers, 0 for none. Default 60, which RabbitMQ
    /// offers.
    pub heartbeat_s: u16,
    /// Time from the connection's first byte to its `connection.open`. Default 10 seconds, as
    /// RabbitMQ has it; at most an hour.
    pub handshake_timeout: Duration,
    /// Most connections at a time that have not opened a virtual host, at least 1. Default 1024:
    /// enough for a fleet that reconnects at once, and little memory for an attacker to hold.
    pub max_unfinished_handshakes: usize,
    /// Largest message body in bytes, 1 to [`MESSAGE_SIZE_MAX`]. Default 16 MiB, as RabbitMQ 4.0
    /// has it.
    pub max_message_size: u64,
    /// Publishers are blocked while messages take more bytes of memory than this; at least
    /// 1 MiB. Default 40 % of the memory of the control group or the machine, 1 GiB where that
    /// cannot be told.
    pub memory_high_watermark_bytes: u64,
    /// Whether what RabbitMQ 4.3 refuses by default, and 4.0 does not, is refused. Default false.
    pub deny_deprecated: bool,
    /// Publishers are blocked while the disk of the data directory has less room, in bytes; 0 for
    /// none. Default 50 MB, as RabbitMQ has it.
    pub disk_free_limit_bytes: u64,
    /// How long a delivery may wait for its acknowledgement, in milliseconds; 0 for ever. Default
    /// half an hour, as RabbitMQ has it.
    pub consumer_timeout_ms: u64,
    /// Whether what comes and goes is published to `amq.rabbitmq.event`. Default: no.
    pub event_exchange: bool,
    /// Knows only what RabbitMQ 4.0 knows without plugins. Default: no.
    pub without_plugins: bool,
    /// Repeats what RabbitMQ 4.0 does wrong. Default: no.
    pub rabbitmq_faults: bool,
    /// Whether consumers of streams without a prefetch are refused, as RabbitMQ does it. Default
    /// false.
    pub require_stream_prefetch: bool,
    /// Whether a damaged data directory is repaired from what is sound in it. Default false: the
    /// server does not start on one.
    pub repair: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            amqp: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5672))],
            management: ManagementConfig::default(),
            metrics: MetricsConfig::default(),
            stream: StreamConfig::default(),
            tls: None,
            shovels: StaticShovels::default(),
            uplink: UplinkParts::default(),
            data_dir: None,
            durability: Durability::Fsync,
            queue_memory_bytes_max: 32 << 20,
            consumer_max_per_channel: usize::MAX,
            unread_replies_max: 32 << 20,
            definitions: None,
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
            ctl_socket: None,
            log_file: None,
            log_rotation: LogRotation::default(),
            log_files_max: 7,
            unread: Vec::new(),
            lint: LintLevel::Off,
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            default_user: "guest".into(),
            default_pass: "guest".into(),
            default_vhost: "/".into(),
            loopback_users: vec!["guest".into()],
            max_connections: 65_536,
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat_s: 60,
            handshake_timeout: Duration::from_secs(10),
            max_unfinished_handshakes: 1024,
            max_message_size: 16 << 20,
            memory_high_watermark_bytes: default_high_watermark_bytes(),
            deny_deprecated: false,
            disk_free_limit_bytes: DISK_FREE_LIMIT_BYTES,
            consumer_timeout_ms: Limits::default().consumer_timeout_ms,
            event_exchange: false,
            without_plugins: false,
            rabbitmq_faults: false,
            require_stream_prefetch: false,
            repair: false,
        }
    }
}

impl ServerConfig {
    /// Puts the settings over the defaults and checks them.
    pub(super) fn from_settings(settings: Settings) -> Result<Self, ConfigError> {
        check(&settings)?;
        let default = Self::default();
        let loopback_users = loopback_users(&settings, default.loopback_users);
        let stream = StreamConfig::from_settings(settings.stream, settings.amqp.as_deref());
        let amqp = settings.amqp.map(|list| list.into_iter().filter_map(|a| a.0).collect());
        let handshake_timeout = settings.handshake_timeout_ms.map(Duration::from_millis);
        let frame_max = settings.frame_max.and_then(|size| u32::try_from(size.0).ok());
        let data_dir = settings.data_dir.filter(|_| settings.ephemeral != Some(true));
        let ctl_socket = ctl_socket(settings.ctl_socket, data_dir.as_deref());
        Ok(Self {
            amqp: amqp.unwrap_or(default.amqp),
            management: ManagementConfig::from_settings(settings.management),
            metrics: MetricsConfig::from_settings(settings.metrics),
            stream,
            tls: TlsConfig::from_settings(settings.tls)?,
            shovels: settings.shovels.unwrap_or_default(),
            uplink: uplink(settings.uplink, settings.default_vhost.as_deref())?,
            data_dir,
            durability: settings.durability.map_or(default.durability, |mode| mode.0),
            queue_memory_bytes_max: bytes(
                settings.queue_memory_bytes_max,
                default.queue_memory_bytes_max,
            ),
            consumer_max_per_channel: settings
                .consumer_max_per_channel
                .unwrap_or(default.consumer_max_per_channel),
            unread_replies_max: bytes(settings.unread_replies_max, default.unread_replies_max),
            definitions: settings.definitions,
            log_level: settings.log_level.unwrap_or(default.log_level),
            log_format: settings.log_format.unwrap_or_default(),
            ctl_socket,
            log_file: settings.log_file,
            log_rotation: settings.log_rotation.unwrap_or_default(),
            log_files_max: settings.log_files_max.unwrap_or(default.log_files_max),
            unread: settings.unread,
            lint: settings.lint.map_or(default.lint, |mode| mode.0),
            threads: settings.threads.unwrap_or(default.threads),
            default_user: settings.default_user.map_or(default.default_user, UserName::from),
            default_pass: settings.default_pass.unwrap_or(default.default_pass),
            default_vhost: settings.default_vhost.map_or(default.default_vhost, From::from),
            loopback_users,
            max_connections: settings.max_connections.unwrap_or(default.max_connections),
            channel_max: settings.channel_max.unwrap_or(default.channel_max),
            frame_max: frame_max.unwrap_or(default.frame_max),
            heartbeat_s: settings.heartbeat_s.unwrap_or(default.heartbeat_s),
            handshake_timeout: handshake_timeout.unwrap_or(default.handshake_timeout),
            max_unfinished_handshakes: settings
                .max_unfinished_handshakes
                .unwrap_or(default.max_unfinished_handshakes),
            max_message_size: bytes(settings.max_message_size, default.max_message_size),
            memory_high_watermark_bytes: bytes(
                settings.memory_high_watermark_bytes,
                default.memory_high_watermark_bytes,
            ),
            deny_deprecated: settings.deny_deprecated.unwrap_or(default.deny_deprecated),
            disk_free_limit_bytes: settings
                .disk_free_limit
                .map_or(default.disk_free_limit_bytes, |limit| limit.0),
            consumer_timeout_ms: settings
                .consumer_timeout_ms
                .unwrap_or(default.consumer_timeout_ms),
            event_exchange: settings.event_exchange.unwrap_or(default.event_exchange),
            without_plugins: settings.without_plugins.unwrap_or(default.without_plugins),
            rabbitmq_faults: settings.rabbitmq_faults.unwrap_or(default.rabbitmq_faults),
            require_stream_prefetch: settings.require_stream_prefetch.unwrap_or_default(),
            repair: settings.repair.unwrap_or(default.repair),
        })
    }
}

/// What the uplink is made of, in this virtual host unless it names another one.
fn uplink(uplink: Option<Uplink>, host: Option<&str>) -> Result<UplinkParts, ConfigError> {
    uplink.map_or(Ok(UplinkParts::default()), |uplink| uplink.parts(host.unwrap_or("/")))
}

/// The local socket: where somebody said, or else in the data directory.
fn ctl_socket(named: Option<PathBuf>, data_dir: Option<&Path>) -> Option<PathBuf> {
    match named {
        None => data_dir.map(|directory| directory.join(CTL_SOCKET)),
        named => named.filter(|path| path.as_os_str() != "none"),
    }
}

/// A size that is set, or else this one.
fn bytes(size: Option<ByteSize>, default: u64) -> u64 {
    size.map_or(default, |size| size.0)
}

fn check(settings: &Settings) -> Result<(), ConfigError> {
    if settings.data_dir.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        return Err(ConfigError::Refused("data_dir must not be empty"));
    }
    if settings.amqp.as_ref().is_some_and(Vec::is_empty) {
        return Err(ConfigError::Refused("amqp must name at least one address to listen on"));
    }
    let is_none = |list: &Vec<super::address::AddressOrNone>| list.iter().all(|a| a.0.is_none());
    if settings.amqp.as_ref().is_some_and(is_none) && settings.tls.amqps.is_none() {
        return Err(ConfigError::Refused("amqp may be none if amqps says where clients connect"));
    }
    let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    if empty(&settings.stream.advertised_host) {
        return Err(ConfigError::Refused("advertised_host in [stream] must not be empty"));
    }
    if empty(&settings.default_user) || empty(&settings.default_vhost) {
        return Err(ConfigError::Refused("default_user and default_vhost must not be empty"));
    }
    if settings.default_pass.as_ref().is_some_and(|password| password.reveal().is_empty()) {
        return Err(ConfigError::Refused("default_pass must not be empty"));
    }
    let count = |value: Option<usize>| value.map(|value| value as u64);
    let bytes = |value: Option<ByteSize>| value.map(|size| size.0);
    let ranges = [
        ("threads", count(settings.threads), 1, 1024),
        ("max_connections", count(settings.max_connections), 1, u64::from(u32::MAX)),
        ("channel_max", settings.channel_max.map(u64::from), 1, u64::from(u16::MAX)),
        ("frame_max", bytes(settings.frame_max), FRAME_MAX_MIN, FRAME_MAX_MAX),
        ("handshake_timeout_ms", settings.handshake_timeout_ms, 1, 3_600_000),
        (
            "max_unfinished_handshakes",
            count(settings.max_unfinished_handshakes),
            1,
            u64::from(u32::MAX),
        ),
        ("log_files_max", count(settings.log_files_max), 1, 10_000),
        ("consumer_max_per_channel", count(settings.consumer_max_per_channel), 1, u64::MAX),
        ("unread_replies_max", bytes(settings.unread_replies_max), 64 << 10, u64::MAX),
        ("queue_memory_bytes_max", bytes(settings.queue_memory_bytes_max), 64 << 10, u64::MAX),
        ("max_message_size", bytes(settings.max_message_size), 1, MESSAGE_SIZE_MAX),
        (
            "memory_high_watermark_bytes",
            bytes(settings.memory_high_watermark_bytes),
            1 << 20,
            u64::MAX,
        ),
    ];
    for (setting, value, min, max) in ranges {
        if let Some(value) = value.filter(|value| !(min..=max).contains(value)) {
            return Err(ConfigError::OutOfRange { setting, value, min, max });
        }
    }
    Ok(())
}

/// The users that were named; if none were, the default ones, unless somebody chose the default
/// user's name or password and so made it an ordinary user.
fn loopback_users(settings: &Settings, default: Vec<UserName>) -> Vec<UserName> {
    match &settings.loopback_users {
        Some(names) => {
            let named = names.iter().map(|name| name.trim());
            named.filter(|name| !["", "none"].contains(name)).map(UserName::from).collect()
        }
        None if settings.default_user.is_some() || settings.default_pass.is_some() => Vec::new(),
        None => default,
    }
}
