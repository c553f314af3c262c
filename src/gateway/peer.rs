//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::node::status::TlsFacts;

/// The client's end of a connection, and ours.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// What the log calls the client.
    pub name: String,
    /// Where it is, and which of our addresses it connected to; `None` without a socket.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Whether it is on this machine.
    pub is_loopback: bool,
    /// Whether it is the broker itself, which needs no credentials: who shows none by the mechanism
    /// `EXTERNAL` may do everything.
    pub is_trusted: bool,
    /// What was agreed on; `None` without TLS.
    pub tls: Option<Arc<TlsFacts>>,
}

impl Peer {
    /// A client on a socket.
    pub(super) fn remote(peer: SocketAddr, local: SocketAddr) -> Self {
        let canonical =
            |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (peer, local) = (canonical(peer), canonical(local));
        Self {
            name: peer.to_string(),
            addresses: Some((peer, local)),
            is_loopback: peer.ip().is_loopback(),
            is_trusted: false,
            tls: None,
        }
    }

    /// A client in this process.
    pub(super) fn in_memory() -> Self {
        Self {
            name: "in-memory stream".into(),
            addresses: None,
            is_loopback: true,
            is_trusted: false,
            tls: None,
        }
    }

    /// The broker itself, as a client.
    #[cfg(feature = "remote")]
    pub(super) fn trusted() -> Self {
        Self { is_trusted: true, ..Self::in_memory() }
    }

    /// What the connection with this number is called.
    pub(super) fn connection_name(&self, id: u64) -> String {
        match self.addresses {
            Some((peer, local)) => format!("{peer} -> {local}"),
            None => format!("{} {id}", self.name),
        }
    }
}
