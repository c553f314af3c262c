//! Why there is no broker for tests.

use std::io;
use std::net::SocketAddr;

use crate::program::definitions::FileError;
use crate::program::doors::advice;

/// Why the broker for tests ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}{}", advice(.reason))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The definitions cannot be used.
    #[error(transparent)]
    Definitions(#[from] FileError),
    /// Threads cannot be started, or the line cannot be printed.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}
