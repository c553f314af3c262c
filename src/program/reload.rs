//! What the server logs, and reading the configuration again while it serves.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::program::config::{self, Invocation, LogFormat, LogLevel, LogRotation, ServerConfig};
use crate::program::links;
use crate::program::log_lines::LogLines;
use leveret::Broker;
use leveret::internals::{LogLine, Steering};

/// What is logged, to be changed while the server runs.
pub(crate) type Level = reload::Handle<LevelFilter, Registry>;

/// The file of a log that is written now: its name has the time of its beginning between stem and
/// extension, so that it is the last one.
fn written(path: &Path) -> PathBuf {
    let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, end) = (part(path.file_stem()), part(path.extension()));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let found = std::fs::read_dir(directory.unwrap_or(Path::new("."))).into_iter().flatten();
    let files = found.filter_map(|file| Some(file.ok()?.path()));
    let is_one = |file: &PathBuf| {
        let name = part(file.file_name());
        name.strip_prefix(&stem).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(&end))
    };
    files.filter(is_one).max().unwrap_or_else(|| path.to_owned())
}

/// Where the log goes: to a file, with what was before beside it, or to the standard error.
fn writer(config: &ServerConfig) -> Result<BoxMakeWriter, String> {
    let Some(path) = &config.log_file else { return Ok(BoxMakeWriter::new(io::stderr)) };
    let failed = |reason: &dyn std::fmt::Display| {
        format!("the log cannot be written to {}: {reason}", path.display())
    };
    let stem = path.file_stem().ok_or_else(|| failed(&"it is not the path of a file"))?;
    let mut builder = RollingFileAppender::builder()
        .filename_prefix(stem.to_string_lossy())
        .max_log_files(config.log_files_max)
        .rotation(match config.log_rotation {
            LogRotation::Never => Rotation::NEVER,
            LogRotation::Hourly => Rotation::HOURLY,
            LogRotation::Daily => Rotation::DAILY,
        });
    if let Some(end) = path.extension() {
        builder = builder.filename_suffix(end.to_string_lossy());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let appender = builder.build(directory.unwrap_or(std::path::Path::new(".")));
    Ok(BoxMakeWriter::new(appender.map_err(|error| failed(&error))?))
}

/// Logs from now on; the last lines are kept, too.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn log(config: &ServerConfig) -> Result<(Level, LogLines), String> {
    let kept = LogLines::new();
    let (filter, handle) = reload::Layer::new(LevelFilter::from(config.log_level));
    let lines = fmt::layer()
        .with_target(false)
        .with_ansi(config.log_file.is_none() && io::stderr().is_terminal())
        .with_writer(writer(config)?);
    let filtered = tracing_subscriber::registry().with(filter).with(kept.clone());
    match config.log_format {
        LogFormat::Text => filtered.with(lines).init(),
        LogFormat::Json => filtered.with(lines.json()).init(),
    }
    Ok((handle, kept))
}

/// Reads the configuration again, from where it was read at the start, and takes over what can
/// change while the server runs: the log level, static shovels and the uplink.
pub(crate) fn reload(current: &mut ServerConfig, level: &Level, broker: &Broker) {
    let parsed = config::parse(std::env::args_os(), &|name| std::env::var_os(name));
    let new = match parsed {
        Ok(Invocation::Serve(config)) => *config,
        Ok(_) => return,
        Err(error) => {
            tracing::error!("the configuration stays as it was: {error}");
            return;
        }
    };
    let others = ServerConfig {
        log_level: current.log_level,
        shovels: current.shovels.clone(),
        uplink: current.uplink.clone(),
        ..new.clone()
    };
    match level.reload(LevelFilter::from(new.log_level)) {
        Ok(()) => tracing::info!("the configuration was read again"),
        Err(error) => tracing::error!("the log level stays as it was: {error}"),
    }
    if others != *current {
        tracing::warn!(
            "of the configuration only the log level, shovels and the uplink change while the \
             server runs: what else has changed needs a restart"
        );
    }
    if let Err(error) = links::establish(broker, &new) {
        tracing::error!("what the uplink keeps cannot be recorded: {error}");
    }
    current.log_level = new.log_level;
    current.shovels = new.shovels;
    current.uplink = new.uplink;
}

/// What administrators may do with the running program.
pub(crate) struct Helm {
    pub level: Arc<Level>,
    pub lines: LogLines,
    pub config: ServerConfig,
}

impl Steering for Helm {
    fn log_level(&self) -> String {
        let level = self.level.with_current(ToString::to_string);
        level.unwrap_or_default().to_lowercase()
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        let level: LogLevel = level.parse()?;
        self.level.reload(LevelFilter::from(level)).map_err(|error| error.to_string())?;
        tracing::info!("the log level is {} from now on", self.log_level());
        Ok(())
    }

    fn log_lines(&self) -> Vec<Arc<LogLine>> {
        self.lines.all()
    }

    fn log_file(&self) -> Option<PathBuf> {
        self.config.log_file.as_deref().map(written)
    }

    fn environment(&self) -> Value {
        let it = &self.config;
        let texts = |all: &[std::net::SocketAddr]| all.iter().map(ToString::to_string).collect();
        let amqp: Vec<String> = texts(&it.amqp);
        let amqps: Vec<String> = it.tls.as_ref().map_or_else(Vec::new, |tls| texts(&tls.amqps));
        let users: Vec<_> = it.loopback_users.iter().map(ToString::to_string).collect();
        json!({
            "amqp": amqp,
            "amqps": amqps,
            "data_dir": it.data_dir,
            "definitions": it.definitions,
            "default_user": it.default_user.as_str(),
            "default_vhost": it.default_vhost.as_str(),
            "loopback_users": users,
            "log_level": self.log_level(),
            "log_file": it.log_file,
            "threads": it.threads,
            "max_connections": it.max_connections,
            "channel_max": it.channel_max,
            "frame_max": it.frame_max,
            "heartbeat_s": it.heartbeat_s,
            "handshake_timeout_ms": u64::try_from(it.handshake_timeout.as_millis()).ok(),
            "max_message_size": it.max_message_size,
            "memory_high_watermark_bytes": it.memory_high_watermark_bytes,
            "disk_free_limit_bytes": it.disk_free_limit_bytes,
            "consumer_timeout_ms": it.consumer_timeout_ms,
            "consumer_max_per_channel": it.consumer_max_per_channel,
            "queue_memory_bytes_max": it.queue_memory_bytes_max,
            "deny_deprecated": it.deny_deprecated,
            "event_exchange": it.event_exchange,
            "without_plugins": it.without_plugins,
        })
    }
}
