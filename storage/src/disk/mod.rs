//! Files of one directory, behind a trait: everything the log does to a disk goes through it.

mod memory;
mod real;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::sync::Arc;

pub(crate) use self::memory::MemoryDisk;
pub use self::real::RealDisk;
#[cfg(feature = "sled")]
pub(crate) use self::real::{private_directory, private_file, sync_directory};

/// A directory of files with flat names.
///
/// What a crash keeps: the octets of a file that were written before its last
/// [`DiskFile::sync`], and the names as they were at the last [`Disk::sync_directory`]. Anything
/// later may be there in whole, in part or not at all.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` if there is none and `create` is not set, and whatever the medium reports.
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name; one that had that name is gone.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in no order.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes the names durable: files created, renamed and removed before.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file. It stays usable when it is renamed.
#[expect(clippy::len_without_is_empty, reason = "nothing asks")]
pub trait DiskFile: Debug + Send + Sync {
    /// Its length in octets.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn len(&self) -> io::Result<u64>;

    /// Fills the buffer from this offset on.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before, and whatever the medium reports.
    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all octets, or fails with some of them written.
    ///
    /// # Errors
    /// `StorageFull`, and whatever else the medium reports.
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()>;

    /// Writes parts one behind the other, or fails with some of it written. The parts are used up.
    ///
    /// # Errors
    /// Those of [`DiskFile::write_at`].
    fn write_parts_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        self.write_at(&parts.concat(), offset)
    }

    /// Makes the file at least this long and reserves the space, so that writing within it does
    /// not run out of space where the file system can promise that.
    ///
    /// # Errors
    /// `StorageFull`, and whatever else the medium reports.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Makes the octets durable (`fdatasync`). After an error nobody knows which octets are: they
    /// have to be written to another place.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn sync(&self) -> io::Result<()>;
}
