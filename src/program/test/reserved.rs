//! An address that stays the test server's own while no broker listens there: else the system may
//! give its port to somebody else's connection before the next broker starts.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;

use super::error::TestServerError;

/// How often a listener is tried again, and how soon: the last broker's threads may still be
/// letting go of theirs.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that is bound and does not listen. Who connects is refused; a listener of this process
/// may be bound to the same address, which Unix allows among sockets that are meant to share it.
pub(super) struct Reserved {
    #[allow(dead_code, reason = "it is there to be held")]
    socket: Option<TcpSocket>,
    address: SocketAddr,
}

impl Reserved {
    /// Takes an address; port 0 stands for one that is free.
    ///
    /// # Errors
    /// If it is taken, or not one of this machine.
    fn take(address: SocketAddr) -> io::Result<Self> {
        if cfg!(not(unix)) {
            return Ok(Self { socket: None, address });
        }
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket: Some(socket), address })
    }

    /// Takes an address, and has somebody listen there, who tells with which port.
    ///
    /// # Errors
    /// If it is taken, or not one of this machine.
    pub(super) fn listen(
        address: SocketAddr,
        listen: impl FnOnce(SocketAddr) -> io::Result<SocketAddr>,
    ) -> Result<Self, TestServerError> {
        let listening = Self::take(address).and_then(|reserved| {
            let address = listen(reserved.address)?;
            Ok(Self { address, ..reserved })
        });
        listening.map_err(|reason| TestServerError::Listen { address, reason })
    }

    /// Has another broker listen there.
    ///
    /// # Errors
    /// If it cannot, or the last one still listens there after some seconds.
    pub(super) fn listen_again(
        &self,
        listen: impl Fn(SocketAddr) -> io::Result<SocketAddr>,
    ) -> io::Result<()> {
        for _ in 0..TRIES {
            match listen(self.address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => thread::sleep(PAUSE),
                result => return result.map(drop),
            }
        }
        listen(self.address).map(drop)
    }

    /// The address, with its port.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_address_is_kept_for_who_listens_there_by_turns() {
        let reserved = Reserved::take(([127, 0, 0, 1], 0).into()).unwrap();
        let address = reserved.address();
        for _ in 0..2 {
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let stranger = TcpSocket::new_v4().unwrap().bind(address).unwrap_err();
            assert_eq!(stranger.kind(), io::ErrorKind::AddrInUse);
            let listener = TcpListener::bind(address).unwrap();
            TcpStream::connect(address).unwrap();
            listener.accept().unwrap();
        }
    }
    #[test]
    fn who_still_listens_there_is_waited_for() {
        let reserved = Reserved::take(([127, 0, 0, 1], 0).into()).unwrap();
        let last = Cell::new(Some(TcpListener::bind(reserved.address()).unwrap()));
        let tried = Cell::new(0);
        let listening = reserved.listen_again(|address| {
            tried.set(tried.get() + 1);
            let listener = TcpListener::bind(address);
            last.take(); // it lets go only now
            listener?.local_addr()
        });
        assert_eq!((listening.unwrap(), tried.get()), ((), 2));
    }
}
