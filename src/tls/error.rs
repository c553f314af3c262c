//! Why there is no TLS.

/// Why certificates, keys or settings of TLS cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system says.
        reason: String,
    },
    /// A file or text is not what it should be.
    #[error("{file}: {reason}")]
    Refused {
        /// The file, or what stands for it.
        file: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The settings do not go together.
    #[error("{0}")]
    Settings(String),
}
