//! The command line of `rabbitmqadmin`, and whom it asks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use leveret::internals::ClientTls;

use super::shown::Format;
use crate::program::ctl::client::Client;
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::{Session, variable};

/// Works with the HTTP API: list, show overview, declare, delete, close connection, purge queue,
/// publish, get, export, import.
#[derive(Debug, Parser)]
#[command(name = "rabbitmqadmin", disable_help_flag = true)]
pub(super) struct Admin {
    /// Host; default localhost
    #[arg(short = 'H', long)]
    pub host: Option<String>,
    /// Port; default 15672
    #[arg(short = 'P', long)]
    pub port: Option<u16>,
    /// Virtual host; default all of them, or / for what needs one
    #[arg(short = 'V', long)]
    pub vhost: Option<String>,
    /// User; default that of the server's environment, or guest
    #[arg(short = 'u', long)]
    pub username: Option<String>,
    /// Password
    #[arg(short = 'p', long)]
    pub password: Option<String>,
    /// Address in place of host and port
    #[arg(short = 'U', long, env = "LEVERET_CTL_URL")]
    pub base_uri: Option<String>,
    /// Speak TLS
    #[arg(short = 's', long)]
    pub ssl: bool,
    /// Authorities to trust, as PEM; default those of the system
    #[arg(long)]
    pub ssl_ca_cert_file: Option<PathBuf>,
    /// Certificate to show, as PEM
    #[arg(long)]
    pub ssl_cert_file: Option<PathBuf>,
    /// Its key
    #[arg(long)]
    pub ssl_key_file: Option<PathBuf>,
    /// Trust whatever certificate the server shows
    #[arg(short = 'k', long)]
    pub ssl_insecure: bool,
    /// Say nothing of what was done
    #[arg(short, long)]
    pub quiet: bool,
    /// How lists are written
    #[arg(short, long, default_value = "table")]
    pub format: Format,
    /// Column to sort by
    #[arg(short = 'S', long)]
    pub sort: Option<String>,
    /// The other way round
    #[arg(short = 'R', long)]
    pub sort_reverse: bool,
    /// Seconds to wait for an answer
    #[arg(short = 't', long, default_value_t = 120)]
    pub request_timeout: u64,
    /// Print help
    #[arg(short = 'h', long, action = clap::ArgAction::HelpLong)]
    pub help: Option<bool>,
    /// What to do: `declare queue name=q durable=true`
    pub words: Vec<String>,
}

impl Admin {
    /// Who asks whom, in which virtual host.
    pub(super) fn session(&self) -> Result<Session, String> {
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let (scheme, port) = if self.ssl { ("https", 15671) } else { ("http", 15672) };
        let place = format!("{scheme}://{host}:{}", self.port.unwrap_or(port));
        let is_named = self.ssl || self.host.is_some() || self.port.is_some();
        let url = self.base_uri.clone().filter(|_| !is_named).unwrap_or(place);
        let user = self.username.clone();
        let names = ["LEVERET_CTL_USER", "LEVERET_DEFAULT_USER", "RABBITMQ_DEFAULT_USER"];
        let user = user.or_else(|| variable(&names)).unwrap_or_else(|| "guest".into());
        let names = ["LEVERET_CTL_PASSWORD", "LEVERET_DEFAULT_PASS", "RABBITMQ_DEFAULT_PASS"];
        let password = self.password.clone().or_else(|| variable(&names));
        let password = password.unwrap_or_else(|| "guest".into());
        let patience = Duration::from_secs(self.request_timeout.max(1));
        let tls = ClientTls {
            authorities: self.ssl_ca_cert_file.clone(),
            certificate: self.ssl_cert_file.clone(),
            key: self.ssl_key_file.clone(),
            trusts_anybody: self.ssl_insecure,
        };
        let client = Client::new(&url, [&user, &password], &tls, patience);
        let client = client.map_err(Failure::into_reason)?;
        let vhost = self.vhost.clone().unwrap_or_else(|| "/".into());
        Ok(Session::over(client, vhost))
    }
}
