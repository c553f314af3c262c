//! What is found wrong with records.

use std::fmt;

/// Something that is wrong with the records of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file or folder.
    pub file: String,
    /// Where in it, in octets, if that is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// Whether something is lost that no copy has.
    pub is_loss: bool,
}

impl Finding {
    #[cfg(feature = "sled")]
    pub(crate) fn new(file: &str, what: String) -> Self {
        Self { file: file.into(), offset: None, what, is_loss: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{}, offset {offset}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}
