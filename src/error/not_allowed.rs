//! Why somebody may not connect: 530.

use super::AccessRefusal;
use crate::base::names::{UserName, VirtualHostName};

/// Why somebody may not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAllowed {
    /// There is no such virtual host.
    #[error("vhost {0} not found")]
    NoVirtualHost(VirtualHostName),
    /// The user has no permissions in the virtual host, for this reason.
    #[error("{0}")]
    VirtualHostRefused(Box<AccessRefusal>),
    /// There is no such user. An embedding program alone hears of it.
    #[error("user '{0}' not found")]
    NoUser(UserName),
    /// The broker has no default user to connect as. An embedding program alone hears of it.
    #[error("the broker has no default user; use connect_as")]
    NoDefaultUser,
    /// The client has not logged in.
    #[error("not logged in")]
    NotLoggedIn,
    /// As many connections as the broker takes are open:
    /// [`Limits::connections_max`](crate::Limits#structfield.connections_max).
    #[error("connection refused: node connection limit ({0}) is reached")]
    TooManyConnections(usize),
    /// The virtual host has as many connections as it may: `max-connections`.
    #[error(
        "access to vhost '{virtual_host}' refused for user '{user}': connection limit ({limit}) \
         is reached"
    )]
    VirtualHostConnections {
        /// The virtual host.
        virtual_host: VirtualHostName,
        /// Who wants to connect.
        user: UserName,
        /// The limit.
        limit: u64,
    },
    /// The user has as many connections as it may: `max-connections`.
    #[error("connection refused for user '{0}': user connection limit ({1}) is reached")]
    UserConnections(UserName, u64),
    /// The user has as many channels as it may, on all connections together: `max-channels`.
    #[error(
        "number of channels opened for user '{0}' has reached the maximum allowed user limit of \
         ({1})"
    )]
    UserChannels(UserName, u64),
    /// The connection has as many channels as there are numbers for them. An embedding program
    /// alone hears of it; a client has agreed upon how many it may have.
    #[error("number of channels opened ({0}) has reached the negotiated channel_max ({0})")]
    ConnectionChannels(u16),
}
