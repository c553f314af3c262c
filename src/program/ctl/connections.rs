//! Closing connections.

use hyper::Method;
use serde_json::Value;

use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part};

/// Commands about connections.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "commands are called so")]
pub(super) enum ConnectionsCommand {
    /// Closes a connection, by its name: see list_connections pid
    CloseConnection { connection: String, explanation: String },
    /// Closes all connections of a virtual host or of the server
    CloseAllConnections {
        explanation: String,
        /// Those of all virtual hosts
        #[arg(long)]
        global: bool,
        /// So many at most; 0 for all
        #[arg(long, default_value_t = 0)]
        limit: usize,
        /// Ignored: they are closed at once
        #[arg(long = "per-connection-delay", default_value_t = 0)]
        per_connection_delay: u64,
    },
    /// Closes all connections of a user
    CloseAllUserConnections { username: String, explanation: String },
}

/// Does it.
pub(super) fn run(session: &Session, command: &ConnectionsCommand) -> Result<Said, Failure> {
    match command {
        ConnectionsCommand::CloseConnection { connection, explanation } => {
            session.tell(format!("Closing connection {connection}, reason: {explanation}..."));
            match close(session, connection)? {
                true => Ok(Said::Nothing),
                false => {
                    let text = format!("there is no connection of the name '{connection}'");
                    Err(Failure::new(failure::UNAVAILABLE, text))
                }
            }
        }
        ConnectionsCommand::CloseAllConnections { explanation, global, limit, .. } => {
            let path = match global {
                true => {
                    session.tell(format!("Closing all connections, reason: {explanation}..."));
                    "/api/connections".to_owned()
                }
                false => {
                    let vhost = &session.vhost;
                    session.tell(format!(
                        "Closing all connections in vhost {vhost}, reason: {explanation}..."
                    ));
                    format!("/api/vhosts/{}/connections", session.host())
                }
            };
            close_all(session, &path, *limit)
        }
        ConnectionsCommand::CloseAllUserConnections { username, explanation } => {
            session
                .tell(format!("Closing connections of user {username}, reason: {explanation}..."));
            close_all(session, &format!("/api/connections/username/{}", part(username)), 0)
        }
    }
}

fn close(session: &Session, name: &str) -> Result<bool, Failure> {
    let path = format!("/api/connections/{}", part(name));
    Ok(session.client.ask(Method::DELETE, &path, None)?.status != 404)
}

fn close_all(session: &Session, path: &str, limit: usize) -> Result<Said, Failure> {
    let found = session.list(path)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut closed = 0;
    for connection in found.iter().take(limit) {
        let name = connection.get("name").and_then(Value::as_str).unwrap_or_default();
        closed += usize::from(close(session, name)?);
    }
    Ok(Said::well(format!("Closed {closed} connections")))
}
