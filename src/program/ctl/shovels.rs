//! Shovels: what they do, beginning anew, deleting.

use serde_json::{Map, Value};

use super::columns;
use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part};

/// Commands about shovels.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum ShovelsCommand {
    /// Lists all shovels with what they do
    ShovelStatus,
    /// Has a shovel of the virtual host connect anew
    RestartShovel { name: String },
    /// Deletes a shovel of the virtual host
    DeleteShovel { name: String },
}

/// What is told of a shovel, and what the HTTP API calls it.
const COLUMNS: [(&str, &str); 12] = [
    ("name", "name"),
    ("vhost", "vhost"),
    ("type", "type"),
    ("state", "state"),
    ("source", "src_uri"),
    ("destination", "dest_uri"),
    ("forwarded", "forwarded"),
    ("pending", "pending"),
    ("remaining", "remaining"),
    ("last_changed", "timestamp"),
    ("termination_reason", "reason"),
    ("last_error", "last_error"),
];

fn found(is_found: bool, name: &str, vhost: &str) -> Result<Said, Failure> {
    match is_found {
        true => Ok(Said::Nothing),
        false => Err(Failure::new(
            failure::UNAVAILABLE,
            format!("Shovel with the given name was not found: '{name}' in vhost '{vhost}'"),
        )),
    }
}

/// Does it.
pub(super) fn run(session: &Session, command: &ShovelsCommand) -> Result<Said, Failure> {
    let (host, vhost) = (session.host(), &session.vhost);
    match command {
        ShovelsCommand::ShovelStatus => {
            session.tell("Shovel status ...");
            let told = |shovel: Value| {
                let value = |name: &str| shovel.get(name).cloned().unwrap_or("".into());
                let row = COLUMNS.iter().map(|(name, api)| ((*name).to_owned(), value(api)));
                Value::Object(row.collect::<Map<_, _>>())
            };
            let shovels: Vec<_> = session.list("/api/shovels")?.into_iter().map(told).collect();
            let names = COLUMNS.map(|(name, _)| name.to_owned()).to_vec();
            Ok(columns::said(names, &shovels, false))
        }
        ShovelsCommand::RestartShovel { name } => {
            session.tell(format!("Restarting dynamic Shovel {name} in virtual host {vhost} ..."));
            let path = format!("/api/shovels/vhost/{host}/{}/restart", part(name));
            found(session.delete(&path)?, name, vhost)
        }
        ShovelsCommand::DeleteShovel { name } => {
            session.tell(format!("Deleting shovel {name} in vhost {vhost} ..."));
            let path = format!("/api/shovels/vhost/{host}/{}", part(name));
            found(session.delete(&path)?, name, vhost)
        }
    }
}
