//! What can go wrong with a store.

use std::io;
use std::path::PathBuf;

use crate::finding::Finding;

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
    /// Octets of a file are not what was written there.
    #[error("{file} is damaged at offset {offset}")]
    Damaged {
        /// The file's name.
        file: String,
        /// Where the damaged record begins, in octets.
        offset: u64,
    },
    /// Another process, or this one a second time, has the directory open.
    #[error("{} is in use by another process; it is for one at a time", .0.display())]
    Locked(PathBuf),
    /// The directory has a format that this version does not read.
    #[error(
        "the data has format {found}; this version reads format {known}{}",
        way(.found, *.known)
    )]
    Format {
        /// The format of the data.
        found: String,
        /// The format that this version writes.
        known: u32,
    },
    /// The record store reported something else than a failure of the medium.
    #[error("the record store failed: {0}")]
    Records(String),
    /// Records are damaged: what is wrong, and where.
    #[error("{}", describe(.0))]
    Catalogue(Vec<Finding>),
    /// A record is larger than the store takes.
    #[error("a record is too large for the store")]
    TooLarge,
    /// A stream was expected to go on with another offset than it does.
    #[error("the next offset of the stream is {next}, not {expected}")]
    UnexpectedOffset {
        /// The offset that was expected.
        expected: u64,
        /// The offset that comes next.
        next: u64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Whether there is no space left.
    pub(crate) fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io(error) if full.contains(&error.kind()))
    }
}

/// What to do about another format.
fn way(found: &str, known: u32) -> &'static str {
    match found.lines().next().unwrap_or_default().trim().parse::<u32>() {
        Ok(found) if found > known => ": it takes the version that wrote it, or a later one",
        Ok(found) if found < known => ": a broker that is opened on it brings it up to date",
        _ => "",
    }
}

fn describe(findings: &[Finding]) -> String {
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    format!("definitions are damaged: {}", findings.join("; "))
}

/// The result of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
