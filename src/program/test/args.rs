//! The command line of `leveret test`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use leveret::lint::LintLevel;

use crate::program::config::{AddressOrNone, listen_address};

/// Where a free port is taken.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// More than a test looks at.
const EVENTS_KEPT: usize = 100_000;

/// What the broker for tests is asked for. The doc comments are the help texts of the flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Address for AMQP 0-9-1. Port 0 takes one that is free.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT, value_parser = listen_address)]
    pub amqp: SocketAddr,

    /// Serves AMQP over TLS, too, on a free port, with certificates that are made for it. Clients
    /// may show the one that is made for the user guest, and log in by EXTERNAL.
    #[arg(long)]
    pub tls: bool,

    /// Address for the control API. Port 0 takes one that is free.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT, value_parser = listen_address)]
    pub control: SocketAddr,

    /// Address for RabbitMQ's HTTP API and the page that shows the broker, the journal and the
    /// clock; `none` serves neither. Port 0 takes one that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub management: AddressOrNone,

    /// Time stands still until the control API advances it; connections stay on real time.
    #[arg(long)]
    pub manual_clock: bool,

    /// Events that the journal keeps for the control API, with their messages. 0 keeps none.
    #[arg(long, value_name = "N", default_value_t = EVENTS_KEPT)]
    pub journal: usize,

    /// Looks for what is allowed but seldom meant, such as misspelt arguments: `warn` keeps it for
    /// the control API, `deny` also refuses it.
    #[arg(long, value_name = "LEVEL")]
    pub lint: Option<Lint>,

    /// Refuses what RabbitMQ 4.3 refuses by default and 4.0 does not, such as queues that are
    /// neither durable nor exclusive.
    #[arg(long)]
    pub deny_deprecated: bool,

    /// Knows only the types of exchanges that RabbitMQ 4.0 knows without plugins.
    #[arg(long)]
    pub without_plugins: bool,

    /// Repeats what RabbitMQ 4.0 does wrong: returns mandatory direct replies that were delivered,
    /// forgets a queue of a consistent hash with one of its bindings.
    #[arg(long)]
    pub rabbitmq_faults: bool,

    /// Refuses consumers of streams that have no prefetch, as RabbitMQ does.
    #[arg(long)]
    pub require_stream_prefetch: bool,

    /// Virtual hosts, exchanges, queues, bindings and policies to start with, and users besides
    /// the default one: a definitions file as RabbitMQ exports it.
    #[arg(long, value_name = "FILE")]
    pub definitions: Option<PathBuf>,
}

/// How much what is seldom meant matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lint {
    /// It is kept.
    Warn,
    /// It is kept and refused.
    Deny,
}

impl Lint {
    /// What the broker is told.
    pub(crate) fn level(lint: Option<Self>) -> LintLevel {
        match lint {
            None => LintLevel::Off,
            Some(Self::Warn) => LintLevel::Warn,
            Some(Self::Deny) => LintLevel::Deny,
        }
    }
}
