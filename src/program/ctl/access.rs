//! Permissions and topic permissions.

use serde_json::{Map, Value, json};

use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, no_host, part};
use super::users;

/// Commands about what users may do.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "commands are called so")]
pub(super) enum AccessCommand {
    /// Lets a user do in the virtual host what these patterns allow
    SetPermissions { username: String, conf: String, write: String, read: String },
    /// Takes the permissions of a user in the virtual host away
    ClearPermissions { username: String },
    /// Lists permissions in the virtual host
    ListPermissions,
    /// Lists permissions of a user
    ListUserPermissions { username: String },
    /// Lets a user publish to and bind from an exchange what these patterns allow
    SetTopicPermissions { username: String, exchange: String, write: String, read: String },
    /// Takes topic permissions of a user away, of an exchange or of all
    ClearTopicPermissions { username: String, exchange: Option<String> },
    /// Lists topic permissions in the virtual host
    ListTopicPermissions,
    /// Lists topic permissions of a user
    ListUserTopicPermissions { username: String },
}

const IN_HOST: [&str; 4] = ["user", "configure", "write", "read"];
const OF_USER: [&str; 4] = ["vhost", "configure", "write", "read"];
const TOPICS_IN_HOST: [&str; 4] = ["user", "exchange", "write", "read"];
const TOPICS_OF_USER: [&str; 4] = ["vhost", "exchange", "write", "read"];

/// Does it.
pub(super) fn run(session: &Session, command: &AccessCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    let of = |user: &str| format!("/api/permissions/{host}/{}", part(user));
    let topics = |user: &str| format!("/api/topic-permissions/{host}/{}", part(user));
    match command {
        AccessCommand::SetPermissions { username, conf, write, read } => {
            session.tell(format!(
                "Setting permissions for user \"{username}\" in vhost \"{vhost}\" ..."
            ));
            check(session, username)?;
            let body = json!({ "configure": conf, "write": write, "read": read });
            session.put(&of(username), &body).map(|_| Said::Nothing)
        }
        AccessCommand::ClearPermissions { username } => {
            session.tell(format!(
                "Clearing permissions for user \"{username}\" in vhost \"{vhost}\" ..."
            ));
            check(session, username)?;
            session.delete(&of(username)).map(|_| Said::Nothing)
        }
        AccessCommand::SetTopicPermissions { username, exchange, write, read } => {
            session.tell(format!(
                "Setting topic permissions on \"{exchange}\" for user \"{username}\" in vhost \
                 \"{vhost}\" ..."
            ));
            check(session, username)?;
            let body = json!({ "exchange": exchange, "write": write, "read": read });
            session.put(&topics(username), &body).map(|_| Said::Nothing)
        }
        AccessCommand::ClearTopicPermissions { username, exchange } => {
            session.tell(format!(
                "Clearing topic permissions for user \"{username}\" in vhost \"{vhost}\" ..."
            ));
            check(session, username)?;
            let path = match exchange {
                Some(exchange) => format!("{}/{}", topics(username), part(exchange)),
                None => topics(username),
            };
            session.delete(&path).map(|_| Said::Nothing)
        }
        other => list(session, other),
    }
}

/// Fails if the user or the virtual host is not there.
fn check(session: &Session, user: &str) -> Result<(), Failure> {
    if !session.has(&format!("/api/users/{}", part(user)))? {
        return Err(Failure::new(failure::NO_USER, format!("User {user} does not exist")));
    }
    if !session.has(&format!("/api/vhosts/{}", session.host()))? {
        return Err(no_host(&session.vhost));
    }
    Ok(())
}

fn list(session: &Session, command: &AccessCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    let (told, path, columns) = match command {
        AccessCommand::ListUserPermissions { username } => (
            format!("Listing permissions for user \"{username}\" ..."),
            format!("/api/users/{}/permissions", part(username)),
            OF_USER,
        ),
        AccessCommand::ListTopicPermissions => (
            format!("Listing topic permissions for vhost \"{vhost}\" ..."),
            format!("/api/vhosts/{host}/topic-permissions"),
            TOPICS_IN_HOST,
        ),
        AccessCommand::ListUserTopicPermissions { username } => (
            format!("Listing topic permissions for user \"{username}\" ..."),
            format!("/api/users/{}/topic-permissions", part(username)),
            TOPICS_OF_USER,
        ),
        _ => (
            format!("Listing permissions for vhost \"{vhost}\" ..."),
            format!("/api/vhosts/{host}/permissions"),
            IN_HOST,
        ),
    };
    session.tell(told);
    let answer = session.get(&path)?;
    if answer.status == 404 {
        return Err(match command {
            AccessCommand::ListUserPermissions { username }
            | AccessCommand::ListUserTopicPermissions { username } => users::no_such_user(username),
            _ => no_host(vhost),
        });
    }
    let rows = match answer.json() {
        Value::Array(rows) => rows.into_iter().filter_map(object).collect(),
        _ => Vec::new(),
    };
    Ok(Said::rows(&columns, rows))
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}
