//! The lock that a process has on a data directory.

use std::fs::{File, OpenOptions};
use std::path::Path;

use fs4::fs_std::FileExt as _;

use crate::error::{Error, Result};

/// The file that is locked.
const NAME: &str = "lock";

/// Held for as long as the directory is open.
#[derive(Debug)]
pub(crate) struct DirectoryLock(File);

impl DirectoryLock {
    /// Takes it.
    ///
    /// # Errors
    /// [`Error::Locked`] if another has it, [`Error::Io`].
    pub(crate) fn take(path: &Path, options: &OpenOptions) -> Result<Self> {
        let file = options.open(path.join(NAME))?;
        if file.try_lock_exclusive()? { Ok(Self(file)) } else { Err(Error::Locked(path.into())) }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // To close the file is not enough: a child process that is just being started has it for a
        // moment as well. If this fails closing it does what it can.
        let _ = fs4::fs_std::FileExt::unlock(&self.0);
    }
}
