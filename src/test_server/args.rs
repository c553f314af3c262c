//! The command line of `leveret test`.

use std::net::{Ipv4Addr, SocketAddr};

/// Where a free port is taken.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the broker for tests is asked for. The doc comments are the help texts of the flags.
#[derive(Clone, Debug, clap::Args)]
pub struct TestArgs {
    /// Address for AMQP 0-9-1. Port 0 takes one that is free.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT)]
    pub amqp: SocketAddr,

    /// Address for the control API. Port 0 takes one that is free.
    #[arg(long, value_name = "ADDRESS", default_value_t = ANY_PORT)]
    pub control: SocketAddr,

    /// Time stands still until the control API advances it; connections stay on real time.
    #[arg(long)]
    pub manual_clock: bool,
}
