//! Values of settings that are more than a number or text. Flags, environment variables and the
//! configuration file read them alike.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;

use leveret::Durability;
use leveret::internals::total_memory_bytes;
use leveret::lint::LintLevel;

/// A number of bytes, written with or without a suffix: `16777216`, `16MiB`, `64kB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "'{text}' is not a size, write bytes or a number with KiB, MiB, GiB, kB, MB, GB"
            )
        };
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| refused())?;
        let suffix = text.get(digits.len()..).unwrap_or_default().trim();
        // A letter alone counts in 1024s, as in RabbitMQ's configuration.
        let unit: u64 = match suffix.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return Err(refused()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(|| format!("'{text}' is too large a size"))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a size such as \"16MiB\"")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes).map(ByteSize).map_err(|_| E::custom("a size is not negative"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

/// How much room a disk is to have: a size, or a share of the memory of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiskFreeLimit(pub u64);

impl FromStr for DiskFreeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(percent) = text.trim().strip_suffix('%') else {
            return text.parse::<ByteSize>().map(|size| Self(size.0));
        };
        let percent = percent.trim().parse().ok();
        let percent = percent.filter(|percent: &f64| (0.0..=10_000.0).contains(percent));
        let percent = percent.ok_or_else(|| {
            format!("'{text}' is not a share of the memory, write 150% for example")
        })?;
        let memory = total_memory_bytes()
            .ok_or("the size of the memory cannot be told here, write a size such as 2GB")?;
        Ok(Self((memory as f64 * percent / 100.0) as u64))
    }
}

impl<'de> Deserialize<'de> for DiskFreeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = DiskFreeLimit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, a size such as \"2GB\" or a share such as \"150%\"")
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<DiskFreeLimit, E> {
                let bytes = u64::try_from(bytes);
                bytes.map(DiskFreeLimit).map_err(|_| E::custom("a size is not negative"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DiskFreeLimit, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

/// What a confirm of a persistent message promises, of the modes that a data directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct DurabilityMode(pub Durability);

impl FromStr for DurabilityMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fsync" => Ok(Self(Durability::Fsync)),
            "buffered" => Ok(Self(Durability::Buffered)),
            _ => Err(format!("'{text}' is not a durability, write fsync or buffered")),
        }
    }
}

impl TryFrom<String> for DurabilityMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// How much is logged: messages of this level and of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogLevel {
    /// What went wrong and stays wrong.
    Error,
    /// What may need attention.
    Warn,
    /// Start, stop, connections.
    #[default]
    Info,
    /// What the broker does and why.
    Debug,
    /// Everything.
    Trace,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("'{text}' is not one of text, json")),
        }
    }
}

/// When a new log file is begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum LogRotation {
    /// Never.
    Never,
    /// Every hour.
    Hourly,
    /// Every day, by universal time.
    #[default]
    Daily,
}

impl FromStr for LogRotation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            "hourly" => Ok(Self::Hourly),
            "daily" => Ok(Self::Daily),
            _ => Err(format!("'{text}' is not one of never, hourly, daily")),
        }
    }
}

impl TryFrom<String> for LogRotation {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "error" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(format!("'{text}' is not one of error, warn, info, debug, trace")),
        }
    }
}

impl TryFrom<String> for LogLevel {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Whether it is looked for what is seldom meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct LintMode(pub LintLevel);

impl FromStr for LintMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(LintLevel::Off)),
            "warn" => Ok(Self(LintLevel::Warn)),
            _ => Err(format!("'{text}' is not one of off, warn")),
        }
    }
}

impl TryFrom<String> for LintMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A password in the configuration. Its debug output hides it, so that it cannot end in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Password(String);

impl Password {
    /// The password itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_take_suffixes() {
        let sizes = [
            ("0", 0),
            ("4096", 4096),
            ("16MiB", 16 << 20),
            ("16 MiB", 16 << 20),
            ("2k", 2048),
            ("64kB", 64_000),
            ("1GiB", 1 << 30),
            ("3gb", 3_000_000_000),
            ("7b", 7),
        ];
        for (text, bytes) in sizes {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn bad_sizes_are_refused() {
        for text in ["", "MiB", "1.5MiB", "-1", "16XiB", "1 6", "16MiBs", "ü", "1é"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert!("18446744073709551615KiB".parse::<ByteSize>().unwrap_err().contains("too large"));
    }

    #[test]
    fn levels_are_read() {
        assert_eq!("DEBUG".parse(), Ok(LogLevel::Debug));
        assert!("loud".parse::<LogLevel>().unwrap_err().contains("error, warn, info"));
        assert_eq!(LevelFilter::from(LogLevel::default()), LevelFilter::INFO);
    }

    #[test]
    fn passwords_stay_out_of_debug_output() {
        assert_eq!(format!("{:?}", Password::from("secret")), "Password(..)");
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<ByteSize>();
        }

        #[test]
        fn plain_numbers_are_bytes(bytes: u64) {
            prop_assert_eq!(bytes.to_string().parse(), Ok(ByteSize(bytes)));
        }
    }
}
