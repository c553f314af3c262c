//! Numbers by which parts of a broker know each other.

/// Identifies a connection within its broker.
pub(crate) type ConnectionId = u64;

/// Who a delivery was passed on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelId {
    /// Its connection.
    pub connection: ConnectionId,
    /// The channel's number. Those of the embedding program are numbered as they are opened.
    pub number: u16,
}

/// Identifies a queue, or an exchange that keeps messages, in the store.
pub type StoreId = u64;
