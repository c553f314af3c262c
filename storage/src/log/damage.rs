//! What is reported of files that are damaged.

/// A part of a file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the directory.
    pub file: String,
    /// Where it begins, in octets.
    pub offset: u64,
    /// Octets up to the next good record, or to the end of the file.
    pub octets: u64,
}
