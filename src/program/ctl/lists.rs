//! Lists of what a virtual host has, and of who is connected.

use serde_json::Value;

use super::columns::{
    self, BINDINGS, CHANNELS, CONNECTIONS, CONSUMERS, EXCHANGES, QUEUES, UNRESPONSIVE_QUEUES,
};
use super::failure::Failure;
use super::output::Said;
use super::session::Session;

/// Commands that list.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "commands are called so")]
pub(super) enum ListsCommand {
    /// Lists queues of the virtual host
    ListQueues {
        columns: Vec<String>,
        /// Those on nodes that run: all
        #[arg(long, conflicts_with = "offline")]
        online: bool,
        /// Those on nodes that do not run: none
        #[arg(long)]
        offline: bool,
        /// Those on this node: all
        #[arg(long)]
        local: bool,
    },
    /// Lists queues that do not answer: there are none, for a server answers as a whole
    ListUnresponsiveQueues {
        columns: Vec<String>,
        /// Ignored
        #[arg(long)]
        local: bool,
        /// Ignored
        #[arg(long)]
        queue_timeout: Option<u64>,
    },
    /// Lists exchanges of the virtual host
    ListExchanges { columns: Vec<String> },
    /// Lists bindings of the virtual host
    ListBindings { columns: Vec<String> },
    /// Lists connections
    ListConnections { columns: Vec<String> },
    /// Lists channels
    ListChannels { columns: Vec<String> },
    /// Lists consumers of the virtual host
    ListConsumers { columns: Vec<String> },
}

/// Does it.
pub(super) fn run(session: &Session, command: &ListsCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    match command {
        ListsCommand::ListQueues { columns, offline, .. } => {
            let columns = columns::chosen(columns, &QUEUES, &["name", "messages"])?;
            session.tell(format!("Timeout: {}.0 seconds ...", session.timeout_s));
            session.tell(format!("Listing queues for vhost {vhost} ..."));
            let found = of_host(session, &format!("/api/queues/{host}"))?;
            let queues = if *offline { Vec::new() } else { found };
            Ok(columns::said(columns, &queues, false))
        }
        ListsCommand::ListUnresponsiveQueues { columns, .. } => {
            let columns = columns::chosen(columns, &UNRESPONSIVE_QUEUES, &["name"])?;
            session.tell(format!("Listing unresponsive queues for vhost {vhost} ..."));
            session.value("/api/overview?columns=node")?;
            Ok(columns::said(columns, &[], false))
        }
        ListsCommand::ListExchanges { columns } => {
            let columns = columns::chosen(columns, &EXCHANGES, &["name", "type"])?;
            session.tell(format!("Listing exchanges for vhost {vhost} ..."));
            let exchanges = of_host(session, &format!("/api/exchanges/{host}"))?;
            Ok(columns::said(columns, &exchanges, false))
        }
        ListsCommand::ListBindings { columns } => {
            let columns = columns::chosen(columns, &BINDINGS, &BINDINGS)?;
            session.tell(format!("Listing bindings for vhost {vhost}..."));
            let bindings = of_host(session, &format!("/api/bindings/{host}"))?;
            Ok(columns::said(columns, &bindings, false))
        }
        ListsCommand::ListConnections { columns } => {
            let default = ["user", "peer_host", "peer_port", "state"];
            let columns = columns::chosen(columns, &CONNECTIONS, &default)?;
            session.tell("Listing connections ...");
            Ok(columns::said(columns, &session.list("/api/connections")?, false))
        }
        ListsCommand::ListChannels { columns } => {
            let default = ["pid", "user", "consumer_count", "messages_unacknowledged"];
            let columns = columns::chosen(columns, &CHANNELS, &default)?;
            session.tell("Listing channels ...");
            Ok(columns::said(columns, &session.list("/api/channels")?, false))
        }
        ListsCommand::ListConsumers { columns } => {
            let usual = CONSUMERS.into_iter().filter(|name| *name != "activity_status");
            let usual: Vec<_> = usual.collect();
            let columns = columns::chosen(columns, &CONSUMERS, &usual)?;
            session.tell(format!("Listing consumers in vhost {vhost} ..."));
            let consumers = of_host(session, &format!("/api/consumers/{host}"))?;
            Ok(columns::said(columns, &consumers, false))
        }
    }
}

/// Of a virtual host that is not there, nothing.
fn of_host(session: &Session, path: &str) -> Result<Vec<Value>, Failure> {
    let answer = session.get(path)?;
    match (answer.status, answer.json()) {
        (404, _) => Ok(Vec::new()),
        (200, Value::Array(found)) => Ok(found),
        _ => Err(super::session::refused(&answer)),
    }
}
