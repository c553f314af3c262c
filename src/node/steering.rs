//! What the program that runs a broker lets its administrators do over HTTP.

use serde_json::Value;

/// The program that runs the broker.
pub trait Steering: Send + Sync {
    /// How much is logged.
    fn log_level(&self) -> String;

    /// Logs as much as this from now on.
    ///
    /// # Errors
    /// If that is no level.
    fn set_log_level(&self, level: &str) -> Result<(), String>;

    /// The settings that it runs with, by name; passwords are left out.
    fn environment(&self) -> Value;
}
