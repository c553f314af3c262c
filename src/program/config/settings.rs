//! Settings as one layer gives them: flags, environment or file. What a layer does not give is
//! `None`.

use std::path::PathBuf;

use serde::Deserialize;

use super::address::AddressOrNone;
use super::management::ManagementSettings;
use super::metrics::MetricsSettings;
use super::shovels::StaticShovels;
use super::stream::StreamSettings;
use super::tls::TlsSettings;
use super::uplink::Uplink;
use super::values::{
    ByteSize, DiskFreeLimit, DurabilityMode, LintMode, LogFormat, LogLevel, LogRotation, Password,
};

/// The settings of one layer. The doc comments are the help texts of the flags.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Configuration file: TOML, with the names below written with `_` instead of `-`.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// RabbitMQ's configuration file, rabbitmq.conf: what there is a setting for is read from it,
    /// below all else; the log names the rest. Also RABBITMQ_CONFIG_FILE.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub rabbitmq_conf: Option<PathBuf>,

    /// What was found in rabbitmq.conf and is not read.
    #[arg(skip)]
    #[serde(skip)]
    pub unread: Vec<String>,

    /// Address to listen on for AMQP 0-9-1, such as 127.0.0.1:5672, localhost:5672 or [::]:5672;
    /// :5672 or 5672 is that port of all addresses. Repeat it or separate several with commas.
    /// Port 0 lets the system choose one; `none` is for servers that speak TLS alone
    /// [default: 127.0.0.1:5672].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub amqp: Option<Vec<AddressOrNone>>,

    #[command(flatten)]
    #[serde(default)]
    pub management: ManagementSettings,

    #[command(flatten)]
    #[serde(default)]
    pub stream: StreamSettings,

    #[command(flatten)]
    #[serde(default)]
    pub metrics: MetricsSettings,

    #[command(flatten)]
    #[serde(default)]
    pub tls: TlsSettings,

    /// Static shovels: the sections `[shovels.NAME]` of the file, and nowhere else.
    #[arg(skip)]
    pub shovels: Option<StaticShovels>,

    /// Store and forward: the section `[uplink]` of the file, and nowhere else.
    #[arg(skip)]
    pub uplink: Option<Uplink>,

    /// Directory for what survives a restart: users, virtual hosts, policies, durable exchanges
    /// and queues, persistent messages. It is made if it is not there [default: none, everything
    /// is kept in memory].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// What a confirm of a persistent message promises: `fsync`, that it survives a power cut, or
    /// `buffered`, that it survives the end of the server but not that of the machine. Only with a
    /// data directory [default: fsync].
    #[arg(long, value_name = "MODE")]
    pub durability: Option<DurabilityMode>,

    /// Memory that the messages of one queue may take before those at its end are kept in the data
    /// directory alone, at least 64KiB [default: 32MiB].
    #[arg(long, value_name = "SIZE")]
    pub queue_memory_bytes_max: Option<ByteSize>,

    /// Consumers that one channel may have [default: as many as it likes].
    #[arg(long, value_name = "NUMBER")]
    pub consumer_max_per_channel: Option<usize>,

    /// Direct replies that wait for one connection which does not read; further ones are
    /// unroutable, and while memory is short a sixteenth of it has to do [default: 32MiB].
    #[arg(long, value_name = "SIZE")]
    pub unread_replies_max: Option<ByteSize>,

    /// Keep everything in memory, even if the environment or the file names a data directory.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub ephemeral: Option<bool>,

    /// Users, permissions, exchanges, queues and bindings to start with: a definitions file as
    /// RabbitMQ exports it. If it has users, the default user is not created.
    #[arg(long, value_name = "FILE")]
    pub definitions: Option<PathBuf>,

    /// How much is logged on standard error: error, warn, info, debug or trace [default: info].
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,

    /// Socket on which `leveret ctl` needs no password, for who may open the file; `none` for none
    /// [default: ctl.sock in the data directory].
    #[arg(long, value_name = "FILE")]
    pub ctl_socket: Option<PathBuf>,

    /// File to log to instead of standard error [default: none].
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// When a new log file is begun, whose name has the time in it: never, hourly or daily
    /// [default: daily].
    #[arg(long, value_name = "WHEN")]
    pub log_rotation: Option<LogRotation>,

    /// Log files that are kept [default: 7].
    #[arg(long, value_name = "N")]
    pub log_files_max: Option<usize>,

    /// How the log is written: `text` or `json`, an object for each line [default: text].
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// `warn` logs what RabbitMQ accepts without a word and is seldom meant, each thing once:
    /// unknown arguments, dead-letter exchanges that do not exist, publishes that no queue gets.
    /// `off` does not look [default: off].
    #[arg(long, value_name = "LEVEL")]
    pub lint: Option<LintMode>,

    /// Worker threads, from 1 to 1024 [default: one for each processor core].
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,

    /// Name of the administrator to start with. If it is given, the user may connect from
    /// anywhere. Also RABBITMQ_DEFAULT_USER [default: guest, from this host only].
    #[arg(long, value_name = "NAME")]
    pub default_user: Option<String>,

    /// Password of the administrator to start with; better given in the environment or the file,
    /// since others see flags. Also RABBITMQ_DEFAULT_PASS [default: guest].
    #[arg(long, value_name = "PASSWORD")]
    pub default_pass: Option<Password>,

    /// Virtual host to start with. Also RABBITMQ_DEFAULT_VHOST [default: /].
    #[arg(long, value_name = "NAME")]
    pub default_vhost: Option<String>,

    /// Users that may connect from this host only, separated with commas, or `none`
    /// [default: guest].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub loopback_users: Option<Vec<String>>,

    /// Most connections at a time, at least 1 [default: 65536].
    #[arg(long, value_name = "COUNT")]
    pub max_connections: Option<usize>,

    /// Most channels of one connection that clients are offered, from 1 to 65535
    /// [default: 2047].
    #[arg(long, value_name = "COUNT")]
    pub channel_max: Option<u16>,

    /// Largest frame that clients are offered, from 4KiB to 16MiB [default: 128KiB].
    #[arg(long, value_name = "SIZE")]
    pub frame_max: Option<ByteSize>,

    /// Seconds between heartbeats that clients are offered, 0 for none [default: 60].
    #[arg(long, value_name = "SECONDS")]
    pub heartbeat_s: Option<u16>,

    /// Milliseconds that a client has to log in and open its virtual host, from 1 to 3600000
    /// [default: 10000].
    #[arg(long, value_name = "MILLISECONDS")]
    pub handshake_timeout_ms: Option<u64>,

    /// Most connections at a time that have not opened their virtual host yet, at least 1
    /// [default: 1024].
    #[arg(long, value_name = "COUNT")]
    pub max_unfinished_handshakes: Option<usize>,

    /// Largest message body, up to 512MiB [default: 16MiB].
    #[arg(long, value_name = "SIZE")]
    pub max_message_size: Option<ByteSize>,

    /// Publishers are blocked while messages take more memory than this, at least 1MiB
    /// [default: 40 % of the memory].
    #[arg(long, value_name = "SIZE")]
    pub memory_high_watermark_bytes: Option<ByteSize>,

    /// Refuse what RabbitMQ 4.3 refuses by default and 4.0 does not, such as queues that are
    /// neither durable nor exclusive [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub deny_deprecated: Option<bool>,

    /// Block publishers while the disk of the data directory has less room than this: a size such
    /// as 2GB, or a share of the memory such as 150%; 0 for none [default: 50MB].
    #[arg(long, value_name = "SIZE")]
    pub disk_free_limit: Option<DiskFreeLimit>,

    /// Close channels on which a delivery waits for its acknowledgement for so long; 0 for never
    /// [default: 1800000, half an hour].
    #[arg(long, value_name = "MS")]
    pub consumer_timeout_ms: Option<u64>,

    /// Publish what comes and goes to the exchange amq.rabbitmq.event, as RabbitMQ's plugin
    /// rabbitmq_event_exchange does [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub event_exchange: Option<bool>,

    /// Know only the types of exchanges that RabbitMQ 4.0 knows without plugins [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub without_plugins: Option<bool>,

    /// Repeat what RabbitMQ 4.0 does wrong: return mandatory direct replies that were delivered,
    /// forget a queue of a consistent hash with one of its bindings [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub rabbitmq_faults: Option<bool>,

    /// Refuse consumers of streams that have no prefetch, as RabbitMQ does [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub require_stream_prefetch: Option<bool>,

    /// Repair a damaged data directory from what is sound in it, and say what was done. Without
    /// it the server does not start on one, and leaves it as it is [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub repair: Option<bool>,
}

impl Settings {
    /// These settings where they are given, else those of `lower`.
    pub(super) fn over(self, lower: Self) -> Self {
        macro_rules! over {
            ($($field:ident),* $(,)?) => {
                Self {
                    management: self.management.over(lower.management),
                    metrics: self.metrics.over(lower.metrics),
                    stream: self.stream.over(lower.stream),
                    tls: self.tls.over(lower.tls),
                    unread: [self.unread, lower.unread].concat(),
                    $($field: self.$field.or(lower.$field)),*
                }
            };
        }
        over!(
            config,
            rabbitmq_conf,
            amqp,
            shovels,
            uplink,
            data_dir,
            durability,
            queue_memory_bytes_max,
            consumer_max_per_channel,
            unread_replies_max,
            ephemeral,
            definitions,
            log_level,
            ctl_socket,
            log_file,
            log_rotation,
            log_files_max,
            log_format,
            lint,
            threads,
            default_user,
            default_pass,
            default_vhost,
            loopback_users,
            max_connections,
            channel_max,
            frame_max,
            heartbeat_s,
            handshake_timeout_ms,
            max_unfinished_handshakes,
            max_message_size,
            memory_high_watermark_bytes,
            deny_deprecated,
            disk_free_limit,
            consumer_timeout_ms,
            event_exchange,
            without_plugins,
            rabbitmq_faults,
            require_stream_prefetch,
            repair,
        )
    }
}
