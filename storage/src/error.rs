//! What can go wrong with a store.

use std::io;

/// Why a store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The medium failed.
    #[error("storage failed: {0}")]
    Io(#[from] io::Error),
    /// Octets that were found in the store are not a key: it was damaged, or another version of
    /// leveret wrote it.
    #[error("a stored key is not valid: {0}")]
    CorruptKey(&'static str),
    /// A flush failed before. What was committed since the last good one may or may not be there;
    /// the store has to be opened anew.
    #[error("storage failed before and has to be opened anew")]
    Failed,
}

/// The result of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
