//! Federation links: what they do, beginning anew.

use serde_json::{Map, Value};

use super::columns;
use super::failure::{self, Failure};
use super::output::Said;
use super::session::{Session, part};

/// Commands about federation links.
#[derive(Clone, Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(super) enum FederationCommand {
    /// Lists all federation links with what they do
    FederationStatus {
        /// Those alone that are not connected
        #[arg(long = "only-down")]
        only_down: bool,
    },
    /// Has a federation link connect anew
    RestartFederationLink { link_id: String },
}

/// What is told of a link, and what the HTTP API calls it.
const COLUMNS: [(&str, &str); 14] = [
    ("id", "id"),
    ("status", "status"),
    ("type", "type"),
    ("vhost", "vhost"),
    ("upstream", "upstream"),
    ("exchange", "exchange"),
    ("upstream_exchange", "upstream_exchange"),
    ("queue", "queue"),
    ("upstream_queue", "upstream_queue"),
    ("uri", "uri"),
    ("local_connection", "local_connection"),
    ("received", "received"),
    ("last_changed", "timestamp"),
    ("error", "error"),
];

/// Does it.
pub(super) fn run(session: &Session, command: &FederationCommand) -> Result<Said, Failure> {
    match command {
        FederationCommand::FederationStatus { only_down } => {
            let (what, path) = match only_down {
                true => ("federation links which are down", "/api/federation-links/state/down"),
                false => ("federation links", "/api/federation-links"),
            };
            session.tell(format!("Listing {what} ..."));
            let told = |link: Value| {
                let value = |name: &str| link.get(name).cloned().unwrap_or("".into());
                let row = COLUMNS.iter().map(|(name, api)| ((*name).to_owned(), value(api)));
                Value::Object(row.collect::<Map<_, _>>())
            };
            let links: Vec<_> = session.list(path)?.into_iter().map(told).collect();
            let names = COLUMNS.map(|(name, _)| name.to_owned()).to_vec();
            Ok(columns::said(names, &links, false))
        }
        FederationCommand::RestartFederationLink { link_id } => {
            session.tell(format!("Restarting federation link {link_id} ..."));
            let links = session.list("/api/federation-links")?;
            let link = links.iter().find(|link| link["id"] == link_id.as_str());
            let text = |name: &str| {
                let text = link.and_then(|link| link.get(name)).and_then(Value::as_str);
                part(text.unwrap_or_default())
            };
            let (host, node) = (text("vhost"), text("node"));
            let path =
                format!("/api/federation-links/vhost/{host}/{}/{node}/restart", part(link_id));
            match link.is_some() && session.delete(&path)? {
                true => Ok(Said::Nothing),
                false => {
                    Err(Failure::new(failure::UNAVAILABLE, "Link with the given ID was not found"))
                }
            }
        }
    }
}
