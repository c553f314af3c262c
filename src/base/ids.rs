//! Numbers by which parts of a broker know each other.

/// Identifies a connection within its broker.
pub type ConnectionId = u64;

/// Who a delivery was passed on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelId {
    /// Its connection.
    pub connection: ConnectionId,
    /// The channel's number; 0 if it has none, as those of the embedding program.
    pub number: u16,
}

/// Identifies a queue, or an exchange that keeps messages, in the store.
pub type StoreId = u64;
