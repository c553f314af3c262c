//! `rabbitmq.conf`, as far as it says what there is a setting for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::FromArgMatches;

use super::address::everywhere;
use super::error::ConfigError;
use super::layers::{command, read_text, reason};
use super::memory::default_high_watermark_bytes;
use super::settings::Settings;

/// A setting whose value is RabbitMQ's.
const SAME: [(&str, &str); 22] = [
    ("default_user", "default-user"),
    ("default_pass", "default-pass"),
    ("default_vhost", "default-vhost"),
    ("heartbeat", "heartbeat-s"),
    ("channel_max", "channel-max"),
    ("frame_max", "frame-max"),
    ("max_message_size", "max-message-size"),
    ("consumer_timeout", "consumer-timeout-ms"),
    ("disk_free_limit.absolute", "disk-free-limit"),
    ("handshake_timeout", "handshake-timeout-ms"),
    ("connection_max", "max-connections"),
    ("load_definitions", "definitions"),
    ("management.load_definitions", "definitions"),
    ("definitions.local.path", "definitions"),
    ("vm_memory_high_watermark.absolute", "memory-high-watermark-bytes"),
    ("ssl_options.cacertfile", "tls-ca"),
    ("ssl_options.certfile", "tls-cert"),
    ("ssl_options.keyfile", "tls-key"),
    ("ssl_options.fail_if_no_peer_cert", "tls-fail-if-no-peer-cert"),
    ("ssl_cert_login_from", "tls-login-from"),
    ("stream.advertised_host", "stream-advertised-host"),
    ("stream.advertised_port", "stream-advertised-port"),
];

/// Addresses: the beginning of the key, whatever comes after it.
const LISTENERS: [(&str, &str); 4] = [
    ("listeners.tcp", "amqp"),
    ("listeners.ssl", "amqps"),
    ("stream.listeners.tcp", "stream"),
    ("stream.listeners.ssl", "streams-tls"),
];

/// Addresses in two keys, `ip` and `port`.
const PLACES: [(&str, &str); 4] = [
    ("management.tcp", "management"),
    ("management.listener", "management"),
    ("management.ssl", "https"),
    ("prometheus.tcp", "metrics"),
];

/// Keys that say how much is logged.
const LEVELS: [&str; 4] = ["log.console.level", "log.file.level", "log.default.level", "log.level"];

/// Values for a flag, and the line of the last one.
#[derive(Default)]
struct Given {
    values: Vec<String>,
    line: usize,
}

/// What a file says, by flag.
#[derive(Default)]
struct Translation {
    flags: BTreeMap<&'static str, Given>,
    places: BTreeMap<&'static str, (Option<String>, Option<String>, usize)>,
    unread: Vec<String>,
}

/// Fills in what settings leave open from the file that they name.
pub(super) fn below(settings: Settings) -> Result<Settings, ConfigError> {
    match settings.rabbitmq_conf.clone() {
        Some(path) => Ok(settings.over(from_file(&path)?)),
        None => Ok(settings),
    }
}

/// Reads a file. Keys that are no setting here are named in `Settings::unread`.
fn from_file(path: &Path) -> Result<Settings, ConfigError> {
    let path = existing(path);
    from_text(&read_text(&path)?, &path)
}

/// RabbitMQ takes the name without its end, too.
fn existing(path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    let mut with_end = path.as_os_str().to_owned();
    with_end.push(".conf");
    let with_end = PathBuf::from(with_end);
    if with_end.exists() { with_end } else { path.to_owned() }
}

fn from_text(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let refused =
        |line: usize, reason: String| ConfigError::File { path: path.to_owned(), line, reason };
    let mut translation = Translation::default();
    for (index, line) in text.lines().enumerate() {
        let Some(content) = content(line) else { continue };
        let Some((key, value)) = content.split_once('=') else {
            return Err(refused(index + 1, format!("'{content}' is not of the form key = value")));
        };
        let value = value.trim();
        let value = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
        translation.take(key.trim(), value, index + 1).map_err(|text| refused(index + 1, text))?;
    }
    let mut settings = Settings::default();
    for (flag, Given { values, line }) in translation.finished() {
        let value = values.join(",");
        let read = command()
            .try_get_matches_from([format!("--{flag}={value}")])
            .and_then(|matches| Settings::from_arg_matches(&matches))
            .map_err(|error| refused(line, reason(&error, value.as_ref())))?;
        settings = settings.over(read);
    }
    let name = path.display();
    let named = |key: &String| format!("{name}: '{key}' is no setting here and is not read");
    settings.unread = translation.unread.iter().map(named).collect();
    Ok(settings)
}

/// What a line says besides comments.
fn content(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with(['#', '%']) {
        return None;
    }
    let is_quoted = line.split_once('=').is_some_and(|(_, value)| value.trim().starts_with('\''));
    let cut = if is_quoted { None } else { line.split_once(" #") };
    let line = cut.map_or(line, |(content, _)| content).trim();
    Some(line).filter(|line| !line.is_empty())
}

impl Translation {
    fn set(&mut self, flag: &'static str, value: &str, line: usize) {
        self.flags.insert(flag, Given { values: vec![value.to_owned()], line });
    }

    fn add(&mut self, flag: &'static str, value: &str, line: usize) {
        let given = self.flags.entry(flag).or_default();
        given.values.push(value.to_owned());
        given.line = line;
    }

    /// Errors: what is wrong with a value.
    fn take(&mut self, key: &str, value: &str, line: usize) -> Result<(), String> {
        if let Some((_, flag)) = SAME.iter().find(|(known, _)| *known == key) {
            self.set(flag, value, line);
        } else if let Some((_, flag)) = LISTENERS.iter().find(|(start, _)| begins(key, start)) {
            let port = value.parse().map(|port| everywhere(port).to_string());
            self.add(flag, port.as_deref().unwrap_or(value), line);
        } else if key.starts_with("ssl_options.versions.") {
            self.add("tls-versions", value, line);
        } else if key.starts_with("management.cors.allow_origins.") {
            self.add("management-cors-allow-origins", value, line);
        } else if LEVELS.contains(&key) {
            let level = if matches!(value, "critical" | "none") { "error" } else { value };
            self.set("log-level", level, line);
        } else if key == "ssl_options.verify" {
            let verify = match value {
                "verify_peer" => "true",
                "verify_none" => "false",
                _ => return Err(format!("'{value}' is neither verify_peer nor verify_none")),
            };
            self.set("tls-verify", verify, line);
        } else if key == "vm_memory_high_watermark.relative" {
            let share: f64 = value.parse().map_err(|_| format!("'{value}' is not a number"))?;
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{value} is not a share of the memory, from 0 to 1"));
            }
            // The default is 40 %.
            let bytes = default_high_watermark_bytes() as f64 / 0.4 * share;
            self.set("memory-high-watermark-bytes", &(bytes as u64).to_string(), line);
        } else if key == "disk_free_limit.relative" {
            let share: f64 = value.parse().map_err(|_| format!("'{value}' is not a number"))?;
            self.set("disk-free-limit", &format!("{}%", share * 100.0), line);
        } else if let Some(user) = key.strip_prefix("loopback_users.") {
            self.loopback(user, value, line)?;
        } else if key == "loopback_users" {
            self.set("loopback-users", value, line);
        } else if !self.take_place(key, value, line) {
            self.unread.push(key.to_owned());
        }
        Ok(())
    }

    fn loopback(&mut self, user: &str, value: &str, line: usize) -> Result<(), String> {
        let known = self.flags.entry("loopback-users").or_default();
        known.line = line;
        match value {
            "true" => known.values.push(user.to_owned()),
            "false" if known.values.is_empty() => known.values.push("none".to_owned()),
            "false" => {}
            _ => return Err(format!("'{value}' is neither true nor false")),
        }
        Ok(())
    }

    fn take_place(&mut self, key: &str, value: &str, line: usize) -> bool {
        let Some((start, end)) = key.rsplit_once('.') else { return false };
        let Some((_, flag)) = PLACES.iter().find(|(known, _)| *known == start) else {
            return false;
        };
        let place = self.places.entry(flag).or_default();
        match end {
            "ip" => place.0 = Some(value.to_owned()),
            "port" => place.1 = Some(value.to_owned()),
            _ => return false,
        }
        place.2 = line;
        true
    }

    /// All flags, with addresses put together.
    fn finished(&mut self) -> BTreeMap<&'static str, Given> {
        let mut flags = std::mem::take(&mut self.flags);
        for (flag, (ip, port, line)) in std::mem::take(&mut self.places) {
            let default = match flag {
                "management" => "15672",
                "https" => "15671",
                _ => "15692",
            };
            let port = port.as_deref().unwrap_or(default);
            let ip = ip.map(|ip| if ip.contains(':') { format!("[{ip}]") } else { ip });
            let value = format!("{}:{port}", ip.unwrap_or_default());
            flags.insert(flag, Given { values: vec![value], line });
        }
        flags
    }
}

/// Whether the key is this one or one below it.
fn begins(key: &str, start: &str) -> bool {
    key.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::config::ServerConfig;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Settings, ConfigError> {
        from_text(text, Path::new("rabbitmq.conf"))
    }

    const FILE: &str = r"
# A comment
%% An old one
listeners.tcp.default = 5672
listeners.ssl.1 = 127.0.0.1:5671   # and another
ssl_options.cacertfile = ca.pem
ssl_options.certfile   = server.pem
ssl_options.keyfile    = server.key
ssl_options.verify     = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
default_user = shop
default_pass = 'a # b'
loopback_users.guest = false
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 3GB
consumer_timeout = 60000
heartbeat = 30
log.console.level = warning
management.tcp.port = 25672
management.tcp.ip = ::1
prometheus.tcp.port = 25692
cluster_formation.peer_discovery_backend = classic_config
";

    #[test]
    fn what_there_is_a_setting_for_is_read_and_the_rest_is_named() {
        let settings = read(FILE).unwrap();
        let key = "cluster_formation.peer_discovery_backend";
        let told = format!("rabbitmq.conf: '{key}' is no setting here and is not read");
        assert_eq!(settings.unread, [told]);
        let config = ServerConfig::from_settings(settings).unwrap();
        assert_eq!(config.amqp, [everywhere(5672)]);
        assert_eq!(config.default_user.as_str(), "shop");
        assert_eq!(config.default_pass.reveal(), "a # b");
        assert!(config.loopback_users.is_empty());
        assert_eq!((config.heartbeat_s, config.memory_high_watermark_bytes), (30, 2_000_000_000));
        assert_eq!(config.management.addresses, Some(vec!["[::1]:25672".parse().unwrap()]));
        assert_eq!(config.metrics.addresses, Some(vec!["0.0.0.0:25692".parse().unwrap()]));
        assert_eq!(
            (config.disk_free_limit_bytes, config.consumer_timeout_ms),
            (3_000_000_000, 60_000)
        );
        let tls = config.tls.unwrap();
        assert_eq!(tls.amqps, ["127.0.0.1:5671".parse().unwrap()]);
        assert!(tls.identity.verify && tls.identity.fail_if_no_peer_cert);
    }

    #[test]
    fn bad_values_are_told_with_their_lines() {
        let refused = |text: &str| read(text).unwrap_err().to_string();
        assert!(refused("\nheartbeat = soon").contains("line 2: 'soon' is not a whole number"));
        assert!(refused("hello").contains("line 1: 'hello' is not of the form key = value"));
        assert!(refused("ssl_options.verify = yes").contains("neither verify_peer nor"));
        assert!(refused("vm_memory_high_watermark.relative = 40").contains("from 0 to 1"));
        assert!(refused("listeners.tcp.default = here").contains("not an address"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, key in "[a-z_.]{0,20}", value: String) {
            let _ = read(&text);
            let _ = read(&format!("{key} = {value}"));
        }
    }
}
