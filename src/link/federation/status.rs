//! What there is to be told of a link.

use crate::time::clock::Timestamp;

/// What a link does at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It connects.
    Starting,
    /// It is connected, by a connection of this name.
    Running { connection: String },
    /// Something went wrong; it tries again.
    Failed { reason: String },
}

/// What there is to be told of a link.
#[derive(Clone, Debug)]
pub(crate) struct LinkStatus {
    /// What it does.
    pub state: State,
    /// Since when.
    pub changed_at: Timestamp,
    /// The broker that it is connected to, or tries first.
    pub uri: String,
    /// What went wrong last, and when.
    pub last_error: Option<(String, Timestamp)>,
    /// Messages that have come since it was made.
    pub received: u64,
}
