//! The command `leveret ping`: whether a server answers, for health checks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::program::config::listen_address;

/// What a client of AMQP 0-9-1 says first `[amqp 0-9-1 protocol header]`.
const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// Where a server answers that nobody configured.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5672);

/// Asks whether a server answers: ends with status 0 if it does. The server logs nothing of it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PingArgs {
    /// Address of the server
    #[arg(long, value_name = "ADDRESS", default_value_t = DEFAULT, value_parser = listen_address)]
    pub amqp: SocketAddr,
    /// Seconds to wait for the answer, at least 1
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_s: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PingError {
    /// Nobody is there, or nothing comes.
    #[error(
        "{address} does not answer: {reason}; is a server running, and is its AMQP there? \
             --amqp says where to ask"
    )]
    Silent {
        /// Who was asked.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
    /// It is something else.
    #[error("{0} answers, but not as a server of AMQP 0-9-1 does; --amqp says where to ask")]
    Foreign(SocketAddr),
}

/// Asks.
///
/// # Errors
/// If there is no answer in time, or one of another protocol.
pub(crate) fn run(args: &PingArgs) -> Result<String, PingError> {
    let mut address = args.amqp;
    if address.ip().is_unspecified() {
        // What is listened on everywhere is asked here.
        let here = if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])
        };
        address.set_ip(here);
    }
    let start = ask(address, Duration::from_secs(args.timeout_s));
    match start.map_err(|reason| PingError::Silent { address, reason })? {
        // A method of channel 0, class connection, method start; between them is the size.
        [1, 0, 0, _, _, _, _, 0, 10, 0, 10] => Ok(format!("{address} answers\n")),
        _ => Err(PingError::Foreign(address)),
    }
}

/// The first octets of the answer.
fn ask(address: SocketAddr, patience: Duration) -> io::Result<[u8; 11]> {
    let mut socket = TcpStream::connect_timeout(&address, patience)?;
    socket.set_read_timeout(Some(patience))?;
    socket.write_all(HEADER)?;
    let mut start = [0; 11];
    match socket.read_exact(&mut start) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok([0; 11]),
        Err(error) => Err(error),
        Ok(()) => Ok(start),
    }
}
