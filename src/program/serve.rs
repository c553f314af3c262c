//! The server: a broker that listens, with the users and virtual hosts of its configuration.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::{error, info, warn};

use crate::program::config::{ManagementConfig, ServerConfig};
use leveret::Broker;
use leveret::Limits;
use leveret::access::{AccessControl, PasswordHash, PasswordHashError};
use leveret::definitions::{
    DEFINITIONS_BYTES_MAX, Definitions, DefinitionsError, VirtualHostDefinition, apply_users,
};
use leveret::{Damage, Durability, ImportError, OpenError, Recovery};

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The definitions file cannot be read.
    #[error("cannot read the definitions file {}: {reason}", .path.display())]
    UnreadableDefinitions {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The definitions file holds something that cannot be used.
    #[error("{}: {reason}", .path.display())]
    BadDefinitions {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: DefinitionsError,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The default user's password cannot be hashed.
    #[error("cannot create the default user: {0}")]
    DefaultUser(#[from] PasswordHashError),
    /// An object of the definitions is refused.
    #[error("the definitions cannot be applied: {0}")]
    Import(#[from] ImportError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The worker threads or the signal handlers cannot be set up.
    #[error("cannot start: {0}")]
    Start(io::Error),
}

/// How long clients have to agree to the end of their connections.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves until SIGINT or SIGTERM; prints one line with the addresses when it is ready.
///
/// # Errors
/// When the definitions cannot be loaded or the server cannot start.
pub fn run(config: ServerConfig) -> Result<(), ServerError> {
    let broker = start(&config)?;
    let signals = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServerError::Start)?;
    signals.block_on(async {
        let stop = StopSignal::listen().map_err(ServerError::Start)?;
        let mut bound = Vec::new();
        for &address in &config.amqp {
            let listening = broker.listen(address);
            bound.push(listening.map_err(|reason| ServerError::Listen { address, reason })?);
        }
        let http = serve_http(&broker, &config.management)?;
        announce(&broker, &config, &http, &bound);
        stop.received().await;
        info!("stopping");
        Ok::<_, ServerError>(())
    })?;
    broker.close("broker forced connection closure with reason 'shutdown'", PATIENCE);
    Ok(())
}

/// Serves the HTTP API. If nobody said where, and the default address is taken by another server,
/// this one goes without.
fn serve_http(broker: &Broker, config: &ManagementConfig) -> Result<Vec<SocketAddr>, ServerError> {
    let addresses = config.addresses.clone().unwrap_or_else(|| vec![ManagementConfig::ADDRESS]);
    let mut bound = Vec::new();
    for address in addresses {
        match broker.serve_http(address) {
            Ok(address) => bound.push(address),
            Err(reason) if config.addresses.is_none() => {
                warn!("no HTTP API: cannot listen on {address}: {reason} (see --management)");
            }
            Err(reason) => return Err(ServerError::Listen { address, reason }),
        }
    }
    Ok(bound)
}

/// The line that tells that clients can connect. Whoever started the server may have closed its
/// end of the output, which is no reason not to serve.
fn announce(broker: &Broker, config: &ServerConfig, http: &[SocketAddr], amqp: &[SocketAddr]) {
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
    let http = match http {
        [] => String::new(),
        addresses => format!("HTTP API on {}; ", list(addresses)),
    };
    let amqp = list(amqp);
    let line =
        format!("leveret {version}: Server startup complete; {durability}; {http}AMQP on {amqp}");
    let _ = writeln!(io::stdout(), "{line}");
    let _ = io::stdout().flush();
}

/// Opens the broker, with what is in the data directory, and imports the definitions. The default
/// user is created only where there are no users yet.
fn start(config: &ServerConfig) -> Result<Broker, ServerError> {
    let (access, definitions) = load(config)?;
    let broker = build(config, access)?;
    report(broker.recovery());
    if broker.recovery().is_new {
        add_default_user(config, broker.access(), &definitions)?;
    } else if broker.access().users.list().is_empty() {
        warn!("there are no users; nobody can log in until --definitions brings some");
    }
    broker.import(&definitions).map_err(ServerError::Import)?;
    Ok(broker)
}

/// Adds the default user if there is no other.
fn add_default_user(
    config: &ServerConfig,
    access: &AccessControl,
    definitions: &Definitions,
) -> Result<(), ServerError> {
    if !access.users.list().is_empty() {
        return Ok(());
    }
    let salt = PasswordHash::random_salt()?;
    let hash = PasswordHash::new(config.default_pass.reveal(), salt);
    for vhost in &definitions.vhosts {
        let vhost = vhost.name.as_str().into();
        access.add_administrator(config.default_user.clone(), hash.clone(), vhost);
    }
    Ok(())
}

/// Tells what was found in the data directory.
fn report(recovery: &Recovery) {
    for finding in &recovery.repaired {
        let lost = if finding.is_loss { "lost" } else { "repaired" };
        error!("{lost}: {finding}");
    }
    if recovery.messages > 0 {
        info!("{} messages are there from before", recovery.messages);
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
        let Damage { file, offset, octets } = damage;
        error!("{file}: {octets} octets at {offset} are damaged; messages in them are lost");
    }
    for what in &recovery.left_out {
        error!("left out: {what}");
    }
}

fn build(config: &ServerConfig, access: AccessControl) -> Result<Broker, ServerError> {
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
        .queue_memory_bytes_max(
            usize::try_from(config.queue_memory_bytes_max).unwrap_or(usize::MAX),
        );
    let default_user = config.default_user.as_str();
    let builder = Broker::builder()
        .limits(limits)
        .threads(config.threads)
        .default_virtual_host(config.default_vhost.as_str())
        .access(access, default_user)
        .durability(config.durability)
        .deny_deprecated(config.deny_deprecated)
        .without_plugins(config.without_plugins)
        .rabbitmq_faults(config.rabbitmq_faults)
        .repair(config.repair)
        .http(config.management.http());
    match &config.data_dir {
        Some(path) => Ok(builder.open(path)?),
        None => Ok(builder.build()),
    }
}

/// SIGINT and, where the system has it, SIGTERM.
struct StopSignal {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    /// From now on the signals are caught.
    fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt())?;
            Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn received(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn received(self) {
        // Without a handler for it the interrupt ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The users, and the definitions that the broker has to apply: those of the file, completed with
/// the default virtual host and the default user where it brings none. Every object in them names
/// its virtual host.
///
/// # Errors
/// When the definitions file cannot be read or used.
pub fn load(config: &ServerConfig) -> Result<(AccessControl, Definitions), ServerError> {
    let access = AccessControl::new(config.loopback_users.iter().cloned());
    let mut definitions = match &config.definitions {
        None => Definitions::default(),
        Some(path) => {
            let definitions = read_definitions(path)?;
            apply_users(&definitions, &access).map_err(|reason| bad(path, reason))?;
            definitions
        }
    };
    definitions.assign_virtual_host(config.default_vhost.as_str());
    if definitions.vhosts.is_empty() {
        definitions.vhosts.push(VirtualHostDefinition {
            name: config.default_vhost.to_string(),
            ..VirtualHostDefinition::default()
        });
    }
    Ok((access, definitions))
}

/// Reads a definitions file.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read_definitions(path: &Path) -> Result<Definitions, ServerError> {
    Definitions::from_json(&read(path)?).map_err(|reason| bad(path, reason))
}

fn bad(path: &Path, reason: DefinitionsError) -> ServerError {
    ServerError::BadDefinitions { path: path.to_owned(), reason }
}

/// Reads one byte more than allowed at most, so that a huge file is refused and not loaded.
fn read(path: &Path) -> Result<Vec<u8>, ServerError> {
    let unreadable = |reason| ServerError::UnreadableDefinitions { path: path.to_owned(), reason };
    let mut json = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(DEFINITIONS_BYTES_MAX as u64 + 1).read_to_end(&mut json).map_err(unreadable)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_all(config: &ServerConfig) -> Result<(AccessControl, Definitions), ServerError> {
        let (access, definitions) = load(config)?;
        add_default_user(config, &access, &definitions)?;
        Ok((access, definitions))
    }

    fn with_definitions(
        name: &str,
        json: &str,
    ) -> Result<(AccessControl, Definitions), ServerError> {
        let path = std::env::temp_dir().join(format!("leveret-{}-{name}", std::process::id()));
        std::fs::write(&path, json).unwrap();
        let config = ServerConfig { definitions: Some(path.clone()), ..ServerConfig::default() };
        let loaded = load_all(&config);
        std::fs::remove_file(path).unwrap();
        loaded
    }

    #[test]
    fn without_definitions_there_is_the_default_user() {
        let (access, definitions) = load_all(&ServerConfig::default()).unwrap();
        assert!(access.users.authenticate("guest", "guest", true).is_ok());
        assert!(access.users.authenticate("guest", "guest", false).is_err());
        assert!(access.permissions.has_vhost_access("guest", "/"));
        assert_eq!(definitions.vhosts[0].name, "/");
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
        let (access, definitions) = load_all(&config).unwrap();
        assert!(access.users.authenticate("shop", "secret", false).is_ok());
        assert!(access.users.get("guest").is_none());
        assert!(access.permissions.has_vhost_access("shop", "orders"));
        assert_eq!(definitions.vhosts.len(), 1);
    }

    #[test]
    fn definitions_with_users_replace_the_default_user() {
        let json = r#"{"users": [{"name": "a", "password": "x"}], "vhosts": [{"name": "v"}]}"#;
        let (access, definitions) = with_definitions("users.json", json).unwrap();
        assert!(access.users.get("a").is_some());
        assert!(access.users.get("guest").is_none());
        assert_eq!(definitions.vhosts.len(), 1);
    }

    #[test]
    fn definitions_of_one_virtual_host_go_to_the_default_one() {
        let json = r#"{"queues": [{"name": "q"}]}"#;
        let (access, definitions) = with_definitions("single.json", json).unwrap();
        assert_eq!(definitions.queues[0].vhost.as_deref(), Some("/"));
        assert_eq!(definitions.vhosts[0].name, "/");
        assert!(access.permissions.has_vhost_access("guest", "/"));
    }

    #[test]
    fn bad_definitions_are_named_with_their_file() {
        let error = with_definitions("bad.json", r#"{"queues": 3}"#).err().unwrap().to_string();
        assert!(error.contains("bad.json: definitions: line 1, column 12, in queues:"), "{error}");
        let config =
            ServerConfig { definitions: Some("/nonexistent.json".into()), ..Default::default() };
        let error = load(&config).err().unwrap().to_string();
        assert!(error.starts_with("cannot read the definitions file /nonexistent.json: "));
    }
}
