//! What all commands take.

use std::path::PathBuf;

use leveret::internals::ClientTls;

use super::output::Format;

/// Which server is meant, and who asks.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Server {
    /// Address of the server's HTTP API; default http://127.0.0.1:15672; https:// is TLS
    #[arg(long, global = true, value_name = "URL", env = "LEVERET_CTL_URL")]
    pub url: Option<String>,
    #[command(flatten)]
    pub tls: TlsOptions,
    /// Local socket of the server, which needs no login. Default, unless there is a URL or a user:
    /// the one in LEVERET_DATA_DIR, or in /var/lib/leveret
    #[arg(long, global = true, value_name = "FILE", env = "LEVERET_CTL_SOCKET")]
    pub socket: Option<PathBuf>,
    /// User with the tag administrator. Default that of the server's environment, or guest
    #[arg(long, global = true, value_name = "NAME", env = "LEVERET_CTL_USER")]
    pub user: Option<String>,
    /// Password of the user; better given in the environment, since others see flags
    #[arg(
        long,
        global = true,
        value_name = "PASSWORD",
        env = "LEVERET_CTL_PASSWORD",
        hide_env_values = true
    )]
    pub login_password: Option<String>,
}

/// What all commands take.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub server: Server,
    /// Node, as RabbitMQ's tools name it: there is one, whatever is said
    #[arg(short, long, global = true, value_name = "NODE")]
    pub node: Option<String>,
    /// Ignored: names are no matter
    #[arg(short, long, global = true)]
    pub longnames: bool,
    /// Virtual host; default /, and for top all of them
    #[arg(short = 'p', long, global = true, value_name = "VHOST")]
    pub vhost: Option<String>,
    /// Say nothing but what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Neither say anything else nor write the headers of tables
    #[arg(short, long, global = true)]
    pub silent: bool,
    /// Do not write the headers of tables
    #[arg(long, global = true)]
    pub no_table_headers: bool,
    /// Seconds to wait for the server
    #[arg(short, long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
    /// How answers are written
    #[arg(long, global = true, value_name = "FORMAT", default_value = "table")]
    pub formatter: Format,
}

/// How servers at https:// are trusted, by the names of `rabbitmqadmin`, version 2.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TlsOptions {
    /// Authorities that servers at https:// are trusted by, as PEM; default: those of the system
    #[arg(long, global = true, value_name = "FILE", env = "LEVERET_CTL_TLS_CA_CERT_FILE")]
    pub tls_ca_cert_file: Option<PathBuf>,
    /// Certificate to show such a server, as PEM
    #[arg(long, global = true, value_name = "FILE", env = "LEVERET_CTL_TLS_CERT_FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// Its key
    #[arg(long, global = true, value_name = "FILE", env = "LEVERET_CTL_TLS_KEY_FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// Trust whatever certificate such a server shows: whoever is between may read along
    #[arg(short = 'k', long, global = true)]
    pub insecure: bool,
}

impl TlsOptions {
    pub(crate) fn settings(&self) -> ClientTls {
        ClientTls {
            authorities: self.tls_ca_cert_file.clone(),
            certificate: self.tls_cert_file.clone(),
            key: self.tls_key_file.clone(),
            trusts_anybody: self.insecure,
        }
    }
}
