//! What a connection runs over.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::gateway::in_memory::MemoryStream;

/// Octets in both directions.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Whether the client has gone, as can be told without reading what it has sent before.
    fn has_hung_up(&self) -> bool;
}

impl Socket for TcpStream {
    #[cfg(target_os = "linux")]
    fn has_hung_up(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, poll};
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut socket = [PollFd::new(self, gone)];
        // What cannot be told is not so.
        let at_once = rustix::time::Timespec::default();
        poll(&mut socket, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    #[cfg(not(target_os = "linux"))]
    fn has_hung_up(&self) -> bool {
        false
    }
}

#[cfg(feature = "tls")]
impl Socket for tokio_rustls::server::TlsStream<TcpStream> {
    fn has_hung_up(&self) -> bool {
        self.get_ref().0.has_hung_up()
    }
}

impl Socket for MemoryStream {
    fn has_hung_up(&self) -> bool {
        self.is_abandoned()
    }
}
