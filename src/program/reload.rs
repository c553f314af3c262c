//! What the server logs, and reading the configuration again while it serves.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::program::config::{self, Invocation, LogFormat, LogLevel, ServerConfig};

/// What is logged, to be changed while the server runs.
pub(crate) type Level = reload::Handle<LevelFilter, Registry>;

/// Logs to the standard error from now on.
pub(crate) fn log_to_stderr(level: LogLevel, format: LogFormat) -> Level {
    let (filter, handle) = reload::Layer::new(LevelFilter::from(level));
    let lines = fmt::layer()
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let filtered = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => filtered.with(lines).init(),
        LogFormat::Json => filtered.with(lines.json()).init(),
    }
    handle
}

/// Reads the configuration again, from where it was read at the start, and takes over what can
/// change while the server runs: the log level.
pub(crate) fn reload(current: &mut ServerConfig, level: &Level) {
    let parsed = config::parse(std::env::args_os(), &|name| std::env::var_os(name));
    let new = match parsed {
        Ok(Invocation::Serve(config)) => *config,
        Ok(_) => return,
        Err(error) => {
            tracing::error!("the configuration stays as it was: {error}");
            return;
        }
    };
    let others = ServerConfig { log_level: current.log_level, ..new.clone() };
    match level.reload(LevelFilter::from(new.log_level)) {
        Ok(()) => tracing::info!("the configuration was read again"),
        Err(error) => tracing::error!("the log level stays as it was: {error}"),
    }
    if others != *current {
        tracing::warn!(
            "of the configuration only the log level changes while the server runs: \
             what else has changed needs a restart"
        );
    }
    current.log_level = new.log_level;
}
