//! The two ends of a migration: this server, and the cluster.

use std::path::PathBuf;
use std::time::Duration;

use leveret::internals::ClientTls;
use percent_encoding::percent_decode_str;
use url::Url;

use super::args::MigrateArgs;
use crate::program::ctl::client::Client;
use crate::program::ctl::failure::{self, Failure};
use crate::program::ctl::session::{Session, client, part};

/// How long either server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both ends.
pub(super) struct Ends {
    /// The HTTP API of this server, which moves the messages.
    pub here: Session,
    /// Where definitions and messages come from.
    pub source: Session,
    /// Where they go.
    pub destination: Session,
    /// Whether they leave this server.
    pub is_outward: bool,
    /// The user that moves messages in the cluster.
    user: String,
    cluster: Vec<Url>,
}

fn bad(text: impl AsRef<str>) -> Failure {
    Failure::new(failure::USAGE, text)
}

impl Ends {
    pub(super) fn of(args: &MigrateArgs) -> Result<Self, Failure> {
        let is_outward = args.from.is_empty();
        let uris = if is_outward { &args.to } else { &args.from };
        let cluster = uris.iter().map(|uri| parse(uri)).collect::<Result<Vec<_>, _>>()?;
        let first = cluster.first().ok_or_else(|| bad("say --to or --from"))?;
        let here = || client(&args.server, PATIENCE).map(in_no_host);
        let there = || management(args.management.as_deref(), first).map(in_no_host);
        let (source, destination) =
            if is_outward { (here()?, there()?) } else { (there()?, here()?) };
        let user = decoded(first.username());
        Ok(Self { here: here()?, source, destination, is_outward, user, cluster })
    }

    /// The user that moves messages in the cluster.
    pub(super) fn user(&self) -> &str {
        if self.user.is_empty() { "guest" } else { &self.user }
    }

    /// The URIs of a virtual host of the cluster, to be tried in turn.
    pub(super) fn cluster(&self, vhost: &str) -> Vec<String> {
        let in_host = |uri: &Url| {
            let mut uri = uri.clone();
            uri.set_path(&format!("/{}", part(vhost)));
            uri.to_string()
        };
        self.cluster.iter().map(in_host).collect()
    }

    /// The URI of a virtual host of this server, from inside.
    pub(super) fn inside(vhost: &str) -> String {
        format!("amqp:///{}", part(vhost))
    }

    /// Where the cluster is, without user and password.
    pub(super) fn cluster_shown(&self) -> String {
        let shown = |uri: &Url| {
            let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", uri.scheme(), uri.host_str().unwrap_or_default())
        };
        self.cluster.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// Where clients are to go.
    pub(super) fn new_address(&self) -> String {
        match self.is_outward {
            true => self.cluster_shown(),
            false => "this leveret".to_owned(),
        }
    }
}

fn in_no_host(client: Client) -> Session {
    Session::over(client, "/".to_owned())
}

fn parse(uri: &str) -> Result<Url, Failure> {
    let parsed = Url::parse(uri).map_err(|reason| bad(format!("a URI is none: {reason}")))?;
    let has_path = !matches!(parsed.path(), "" | "/");
    match parsed.scheme() {
        "amqp" | "amqps" if parsed.host_str().is_none_or(str::is_empty) => {
            Err(bad("a URI needs a host, such as amqp://user:password@host"))
        }
        "amqp" | "amqps" if has_path => Err(bad(
            "a URI names the cluster and no virtual host: --vhost says which of them are moved",
        )),
        "amqp" | "amqps" => Ok(parsed),
        other => Err(bad(format!("a URI begins with amqp:// or amqps://, not {other}://"))),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Asks the HTTP API of the cluster.
fn management(url: Option<&str>, cluster: &Url) -> Result<Client, Failure> {
    let is_safe = cluster.scheme() == "amqps";
    let host = cluster.host_str().unwrap_or_default();
    let default = match is_safe {
        true => format!("https://{host}:15671"),
        false => format!("http://{host}:15672"),
    };
    let url = Url::parse(url.unwrap_or(&default))
        .map_err(|reason| bad(format!("--management is no URL: {reason}")))?;
    let login = if url.username().is_empty() { cluster } else { &url };
    let (user, password) = (decoded(login.username()), decoded(login.password().unwrap_or("")));
    let (user, password) = match user.as_str() {
        "" => ("guest", "guest"),
        user => (user, password.as_str()),
    };
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(15672);
    let scheme = match url.scheme() {
        scheme @ ("http" | "https") => scheme,
        other => {
            let text = format!("--management begins with http:// or https://, not {other}://");
            return Err(bad(text));
        }
    };
    // The authorities of the URI, or those of the system.
    let authorities = cluster.query_pairs().find(|(name, _)| name == "cacertfile");
    let authorities = authorities.map(|(_, file)| PathBuf::from(file.as_ref()));
    let tls = ClientTls { authorities, ..ClientTls::default() };
    Client::new(&format!("{scheme}://{host}:{port}"), [user, password], &tls, PATIENCE)
}
