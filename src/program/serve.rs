//! The server: a broker that listens, with the users and virtual hosts of its configuration.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::program::certificates::{HangUp, watch};
use crate::program::config::ServerConfig;
use crate::program::data::foreign::{self, Site};
use crate::program::definitions::{FileError, bring_in, complete, one_line, read_and_tell};
use crate::program::doors::{self, Door, DoorError};
use crate::program::links;
use crate::program::reload::Helm;
use crate::program::signals::{Request, Signals};
use crate::program::systemd;
use leveret::access::{AccessControl, PasswordHash, PasswordHashError};
use leveret::definitions::{Definitions, RefusedObject};
use leveret::internals::steer;
use leveret::tls::{Tls, TlsError};
use leveret::{Broker, Damage, Durability, Error, Limits, OpenError};

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// There are no definitions.
    #[error(transparent)]
    Definitions(#[from] FileError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The data directory is RabbitMQ's.
    #[error("{0}")]
    RabbitMqs(String),
    /// The default user's password cannot be hashed.
    #[error("cannot create the default user: {0}")]
    DefaultUser(#[from] PasswordHashError),
    /// The certificates cannot be used.
    #[error("no TLS: {0}")]
    Tls(#[from] TlsError),
    /// The definitions cannot be kept.
    #[error("the definitions cannot be applied: {0}")]
    Import(#[from] Error),
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] DoorError),
    /// The worker threads or the signal handlers cannot be set up.
    #[error("cannot start: {0}")]
    Start(io::Error),
}

/// How long clients have to agree to the end of their connections.
const PATIENCE: Duration = Duration::from_secs(5);

/// Status of a process that was told to stop while it was stopping.
const STOPPED_AT_ONCE: i32 = 1;

/// Serves until SIGINT or SIGTERM; prints one line with the addresses when it is ready. `reload` is
/// called for each SIGHUP, `helm` is what administrators may do over HTTP. SIGINT or SIGTERM while
/// it stops ends the process at once.
///
/// # Errors
/// When the definitions cannot be loaded or the server cannot start.
pub(crate) fn run(
    config: ServerConfig,
    helm: Helm,
    mut reload: impl FnMut(&Broker),
) -> Result<(), ServerError> {
    let identity = config.tls.as_ref().map(|tls| tls.identity.clone());
    let tls = identity.map(Tls::open).transpose()?;
    let broker = start(&config)?;
    steer(&broker, helm);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServerError::Start)?;
    let mut signals = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(ServerError::Start)?;
        let hang_up = HangUp::listen().map_err(ServerError::Start)?;
        let doors = doors::open(&broker, &config, tls.as_ref())?;
        announce(&broker, &config, &doors);
        systemd::ready();
        let until_stopped = async {
            while signals.next().await == Request::Reload {
                reload(&broker);
            }
        };
        tokio::select! {
            never = watch(tls.as_ref(), hang_up) => match never {},
            never = systemd::keep_alive() => match never {},
            () = until_stopped => info!("stopping"),
        }
        systemd::stopping();
        Ok::<_, ServerError>(signals)
    })?;
    let end_at_once = move || {
        while runtime.block_on(signals.next()) == Request::Reload {}
        warn!("stopped at once: clients were not told");
        std::process::exit(STOPPED_AT_ONCE);
    };
    let watching = std::thread::Builder::new().name("leveret-signals".into()).spawn(end_at_once);
    watching.map_err(ServerError::Start)?;
    broker.close("broker forced connection closure with reason 'shutdown'", PATIENCE);
    Ok(())
}

/// The line that tells that clients can connect. Whoever started the server may have closed its
/// end of the output, which is no reason not to serve.
fn announce(broker: &Broker, config: &ServerConfig, doors: &[Door]) {
    use std::io::Write;
    let version = env!("CARGO_PKG_VERSION");
    let durability = match (&config.data_dir, broker.durability()) {
        (Some(path), Durability::Fsync) => {
            format!("durability fsync in {}: confirmed is synced to disk", path.display())
        }
        (Some(path), _) => format!(
            "durability buffered in {}: confirmed survives the server, not a power cut",
            path.display()
        ),
        (None, _) => "durability memory: nothing survives a restart".to_owned(),
    };
    let list = |addresses: &[SocketAddr]| {
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut line = format!("leveret {version}: Server startup complete; {durability}");
    for (what, addresses) in doors.iter().filter(|(_, addresses)| !addresses.is_empty()) {
        line.push_str(&format!("; {what} on {}", list(addresses)));
    }
    let _ = writeln!(io::stdout(), "{line}");
    let _ = io::stdout().flush();
}

/// Opens the broker, with what is in the data directory, and imports the definitions: what cannot
/// be had of them is logged. The default user is created only where there are no users yet, and
/// the definitions have none.
fn start(config: &ServerConfig) -> Result<Broker, ServerError> {
    let definitions = load(config)?;
    match config.data_dir.as_deref().map_or(Site::Free, foreign::look) {
        Site::Free => {}
        Site::Shared(text) => warn!("{text}"),
        Site::RabbitMqs(text) => return Err(ServerError::RabbitMqs(text)),
    }
    let access_if_new = AccessControl::new(config.loopback_users.iter().cloned());
    if definitions.users.is_empty() {
        add_default_user(config, &access_if_new, &definitions)?;
    }
    let broker = build(config, access_if_new)?;
    if let Some(directory) = &config.data_dir {
        report(directory, &broker);
    }
    bring_in(&definitions, &broker, log)?;
    links::establish(&broker, config)?;
    if broker.access().users.list().is_empty() {
        warn!("there are no users; nobody can log in until --definitions brings some");
    }
    Ok(broker)
}

fn log(refused: &RefusedObject) {
    error!("left out of the definitions: {}", one_line(refused));
}

fn add_default_user(
    config: &ServerConfig,
    access: &AccessControl,
    definitions: &Definitions,
) -> Result<(), ServerError> {
    let salt = PasswordHash::random_salt()?;
    let hash = PasswordHash::new(config.default_pass.reveal(), salt);
    for vhost in &definitions.vhosts {
        let vhost = vhost.name.as_str().into();
        access.add_administrator(config.default_user.clone(), hash.clone(), vhost);
    }
    Ok(())
}

/// Tells what was found in the data directory.
fn report(directory: &Path, broker: &Broker) {
    let recovery = broker.recovery();
    let directory = directory.display();
    match (recovery.is_new, recovery.clean) {
        (true, _) => info!("data directory {directory}: it is new"),
        (false, clean) => info!(
            "data directory {directory}: {} virtual hosts, {} users, {} queues and {} messages \
             from before; {}",
            broker.virtual_hosts().len(),
            broker.access().users.list().len(),
            broker.queues().len(),
            recovery.messages,
            if clean { "it was stopped in order" } else { "it was not stopped in order" }
        ),
    }
    for finding in &recovery.repaired {
        let lost = if finding.is_loss { "lost" } else { "repaired" };
        error!("{lost}: {finding}");
    }
    if !recovery.clean {
        warn!(
            "the server was not stopped in order: all messages that it had are flagged redelivered"
        );
    }
    for torn in &recovery.torn {
        let Damage { file, offset, octets } = torn;
        info!("{file}: {octets} octets at {offset} were never completed, and are cut off");
    }
    for damage in &recovery.damage {
        match damage {
            Damage { file, offset, octets: 0 } => {
                error!("{file} is damaged at {offset}; messages may be lost");
            }
            Damage { file, offset, octets } => {
                error!(
                    "{file}: {octets} octets at {offset} are damaged; messages in them are lost"
                );
            }
        }
    }
    for what in &recovery.left_out {
        error!("left out: {what}");
    }
}

fn build(config: &ServerConfig, access_if_new: AccessControl) -> Result<Broker, ServerError> {
    let limits = Limits::new()
        .connections_max(config.max_connections)
        .unfinished_handshakes_max(config.max_unfinished_handshakes)
        .handshake_timeout_ms(
            u64::try_from(config.handshake_timeout.as_millis()).unwrap_or(u64::MAX),
        )
        .channel_max(config.channel_max)
        .frame_max(config.frame_max)
        .heartbeat_s(config.heartbeat_s)
        .message_size_max(config.max_message_size)
        .memory_high_watermark_bytes(
            usize::try_from(config.memory_high_watermark_bytes).unwrap_or(usize::MAX),
        )
        .disk_free_limit_bytes(config.disk_free_limit_bytes)
        .consumer_timeout_ms(config.consumer_timeout_ms)
        .consumers_per_channel_max(config.consumer_max_per_channel)
        .unread_replies_bytes_max(usize::try_from(config.unread_replies_max).unwrap_or(usize::MAX))
        .queue_memory_bytes_max(
            usize::try_from(config.queue_memory_bytes_max).unwrap_or(usize::MAX),
        );
    let access = AccessControl::new(config.loopback_users.iter().cloned());
    let builder = Broker::builder()
        .limits(limits)
        .threads(config.threads)
        .default_virtual_host(config.default_vhost.as_str())
        .access(access, config.default_user.as_str())
        .access_if_new(access_if_new)
        .durability(config.durability)
        .lint(config.lint)
        .deny_deprecated(config.deny_deprecated)
        .event_exchange(config.event_exchange)
        .without_plugins(config.without_plugins)
        .rabbitmq_faults(config.rabbitmq_faults)
        .require_stream_prefetch(config.require_stream_prefetch)
        .repair(config.repair)
        .http(config.management.http());
    match &config.data_dir {
        Some(path) => Ok(builder.open(path)?),
        None => Ok(builder.build()),
    }
}

/// The definitions that the broker has to apply: those of the file, completed with the default
/// virtual host where it brings none. Every object in them names its virtual host.
fn load(config: &ServerConfig) -> Result<Definitions, FileError> {
    let read = config.definitions.as_ref().map(|path| read_and_tell(path, log)).transpose()?;
    Ok(complete(read.unwrap_or_default(), config.default_vhost.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_definitions(name: &str, json: &str) -> Result<Broker, ServerError> {
        let path = std::env::temp_dir().join(format!("leveret-{}-{name}", std::process::id()));
        std::fs::write(&path, json).unwrap();
        let config = ServerConfig { definitions: Some(path.clone()), ..ServerConfig::default() };
        let started = start(&config);
        std::fs::remove_file(path).unwrap();
        started
    }

    #[test]
    fn without_definitions_there_is_the_default_user() {
        let broker = start(&ServerConfig::default()).unwrap();
        let access = broker.access();
        assert!(access.users.authenticate("guest", "guest", true).is_ok());
        assert!(access.users.authenticate("guest", "guest", false).is_err());
        assert!(access.permissions.has_vhost_access("guest", "/"));
        assert!(broker.virtual_host("/").is_some());
    }

    #[test]
    fn the_default_user_can_be_another() {
        let config = ServerConfig {
            default_user: "shop".into(),
            default_pass: "secret".into(),
            default_vhost: "orders".into(),
            loopback_users: Vec::new(),
            ..ServerConfig::default()
        };
        let broker = start(&config).unwrap();
        let access = broker.access();
        assert!(access.users.authenticate("shop", "secret", false).is_ok());
        assert!(access.users.get("guest").is_none());
        assert!(access.permissions.has_vhost_access("shop", "orders"));
        assert_eq!(broker.virtual_hosts().len(), 1);
    }

    #[test]
    fn definitions_with_users_replace_the_default_user() {
        let json = r#"{"users": [{"name": "a", "password": "x"}], "vhosts": [{"name": "v"}]}"#;
        let broker = with_definitions("users.json", json).unwrap();
        assert!(broker.access().users.get("a").is_some());
        assert!(broker.access().users.get("guest").is_none());
        assert!(broker.virtual_host("v").is_some());
    }

    #[test]
    fn definitions_of_one_virtual_host_go_to_the_default_one() {
        let json = r#"{"queues": [{"name": "q"}]}"#;
        let broker = with_definitions("single.json", json).unwrap();
        assert!(broker.virtual_host("/").unwrap().queue("q").is_ok());
        assert!(broker.access().permissions.has_vhost_access("guest", "/"));
    }

    #[test]
    fn what_cannot_be_had_of_definitions_does_not_keep_the_rest() {
        let json = r#"{
            "users": [{"name": "a", "password": "x"}, {"name": "b", "password_hash": "?"}],
            "vhosts": [{"name": "/"}],
            "permissions": [
                {"user": "b", "vhost": "/", "configure": "", "write": "", "read": ""},
                {"user": "a", "vhost": "/", "configure": "(", "write": "", "read": ""},
                {"user": "a", "vhost": "/", "configure": "^(?!amq)", "write": "", "read": ""}],
            "queues": [{"name": 7}, {"name": "q"}]}"#;
        let broker = with_definitions("partly.json", json).unwrap();
        let users = &broker.access().users;
        assert!(users.get("a").is_some() && users.get("b").is_none());
        assert!(broker.access().permissions.has_vhost_access("a", "/"));
        assert!(broker.virtual_host("/").unwrap().queue("q").is_ok());
    }

    #[test]
    fn bad_definitions_are_named_with_their_file() {
        let error = with_definitions("bad.json", r#"{"queues": 3}"#).err().unwrap().to_string();
        assert!(error.contains("bad.json: definitions: queues: it must be a list"), "{error}");
        let error = with_definitions("cut.json", r#"{"queues": ["#).err().unwrap().to_string();
        assert!(error.contains("cut.json: definitions: line 1, column 12, in queues:"), "{error}");
        let config =
            ServerConfig { definitions: Some("/nonexistent.json".into()), ..Default::default() };
        let error = start(&config).err().unwrap().to_string();
        assert!(error.starts_with("cannot read the definitions file /nonexistent.json: "));
    }
}
