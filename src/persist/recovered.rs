//! What is said of the data that a broker was opened on.

use std::io::ErrorKind;
use std::path::PathBuf;

pub(crate) use leveret_storage::Finding;
pub use leveret_storage::{Damage, Durability, LogUsage};

use crate::definitions::DefinitionsError;

/// Why a broker cannot be opened on its data. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used, or the store in it fails.
    #[error("cannot open the data directory {}: {reason}{}", .path.display(), advice(.reason))]
    Store {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: leveret_storage::Error,
    },
    /// Definitions in it are damaged. Nothing was changed: a broker that is told to
    /// [repair](crate::BrokerBuilder::repair) them takes what is sound.
    #[error(
        "the data directory {} is damaged and was left as it is; start with --repair to restore \
         from what is sound (in Rust: BrokerBuilder::repair): {}",
        .path.display(),
        .findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        findings: Vec<Finding>,
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

/// What to do about what the operating system says.
fn advice(reason: &leveret_storage::Error) -> &'static str {
    let leveret_storage::Error::Io(error) = reason else { return "" };
    match error.kind() {
        ErrorKind::PermissionDenied => "; the user that this program runs as has to own it",
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            "; it has to be a directory, or a name that nothing has"
        }
        ErrorKind::ReadOnlyFilesystem => "; it has to be where one can write",
        ErrorKind::StorageFull => "; there is no room on its disk",
        _ => "",
    }
}

/// What was found when a broker was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether nothing was there before: only then the default user is created.
    pub is_new: bool,
    /// What was wrong with the definitions, and has been repaired: see
    /// [`BrokerBuilder::repair`](crate::BrokerBuilder::repair).
    pub repaired: Vec<Finding>,
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
