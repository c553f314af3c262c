//! What the program that runs a broker lets its administrators do over HTTP.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::time::clock::Timestamp;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Counted from 1 since the start.
    pub number: u64,
    /// When, by the system's clock.
    pub at: Timestamp,
    /// How bad it is.
    pub level: tracing::Level,
    /// What has happened.
    pub text: String,
}

/// The program that runs the broker.
pub trait Steering: Send + Sync {
    /// How much is logged.
    fn log_level(&self) -> String;

    /// Logs as much as this from now on.
    ///
    /// # Errors
    /// If that is no level.
    fn set_log_level(&self, level: &str) -> Result<(), String>;

    /// The last lines of the log, the oldest first.
    fn log_lines(&self) -> Vec<Arc<LogLine>>;

    /// The file that the log is written to now; `None` if that is the standard error.
    fn log_file(&self) -> Option<PathBuf>;

    /// The settings that it runs with, by name; passwords are left out.
    fn environment(&self) -> Value;
}
