//! The certificates that listeners show, for others to see when they expire.

use crate::base::lock::RwLock;
use crate::base::rank;
use crate::time::clock::Timestamp;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The file that it is in, or what stands for it.
    pub file: String,
    /// Whose it is.
    pub subject: String,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// Whether it is that of an authority, and not the server's own.
    pub is_authority: bool,
}

/// Those of a listener at present.
pub(crate) struct Certificates(RwLock<Vec<Certificate>, rank::Certificates>);

impl Certificates {
    /// These.
    pub(crate) fn new(certificates: Vec<Certificate>) -> Self {
        Self(RwLock::new(certificates))
    }

    /// From now on these.
    pub(crate) fn replace(&self, certificates: Vec<Certificate>) {
        *self.0.write() = certificates;
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<Certificate> {
        self.0.read().clone()
    }
}
