//! What is said of the data that a broker was opened on.

use std::path::PathBuf;

pub use leveret_storage::{Damage, Durability, LogUsage};

use crate::definitions::DefinitionsError;

/// Why a broker cannot be opened on its data.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used, or the store in it fails.
    #[error("cannot open the data directory {}: {reason}", .path.display())]
    Store {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: leveret_storage::Error,
    },
    /// The users in it are damaged.
    #[error("the data directory {}: {reason}", .path.display())]
    Users {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: DefinitionsError,
    },
}

/// What was found when a broker was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the broker before had stopped in order, or there was none.
    pub clean: bool,
    /// Messages in queues, and kept by exchanges.
    pub messages: usize,
    /// What a crash had left half written. Nothing of it was ever confirmed.
    pub torn: Vec<Damage>,
    /// What was confirmed and is lost, since the files are damaged.
    pub damage: Vec<Damage>,
    /// Definitions that are damaged, or that this version does not take: what, and why.
    pub left_out: Vec<String>,
}
