//! What can be wrong with the configuration.

use std::path::PathBuf;

/// Why the configuration cannot be used. Each prints as one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The flags are wrong, or help or the version was asked for: print it with
    /// [`clap::Error::print`] and end with [`clap::Error::exit_code`].
    #[error("{0}")]
    Arguments(#[from] clap::Error),
    /// An environment variable has a bad value.
    #[error("environment variable {variable}: {reason}")]
    Environment {
        /// Its name.
        variable: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// The configuration file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The configuration file is not TOML, or holds an unknown setting or a bad value.
    #[error("configuration file {}, line {line}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where in it, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A number is outside its range.
    #[error("{setting} must be from {min} to {max}, not {value}")]
    OutOfRange {
        /// The setting as the file calls it.
        setting: &'static str,
        /// Its value.
        value: u64,
        /// The smallest possible value.
        min: u64,
        /// The largest possible value.
        max: u64,
    },
    /// The section `[uplink]` cannot be followed.
    #[error("[uplink]: {0}")]
    Uplink(String),
    /// Settings that exclude each other, or a value that makes no sense.
    #[error("{0}")]
    Refused(&'static str),
}
