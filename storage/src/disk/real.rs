//! The disk of the operating system.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs4::fs_std::FileExt as _;

use crate::disk::{Disk, DiskFile};

/// A directory of the file system.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
    read_only: bool,
}

impl RealDisk {
    /// The files of this directory, which is created if there is none.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn new(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        private_directory().recursive(true).create(&directory)?;
        Ok(Self { directory, read_only: false })
    }

    /// The files of this directory, which should be there, to be read only: nothing is created,
    /// and whatever would change something fails.
    pub fn read_only(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), read_only: true }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Fails if nothing may be changed.
    fn writable(&self) -> io::Result<()> {
        if self.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let writes = !self.read_only;
        let file = private_file()
            .read(true)
            .write(writes)
            .create(create && writes)
            .truncate(false)
            .open(self.path(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::remove_file(self.path(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_directory(&self) -> io::Result<()> {
        sync_directory(&self.directory)
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    // Windows cannot open a directory as a file, and needs no such call.
    if cfg!(windows) { Ok(()) } else { File::open(directory)?.sync_all() }
}

/// Makes directories that only this user reads.
pub(crate) fn private_directory() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes files that only this user reads.
pub(crate) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, octets, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut octets: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !octets.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.0, octets, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    octets = octets.get_mut(read..).unwrap_or_default();
                    offset += read as u64;
                }
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, octets, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, mut octets: &[u8], mut offset: u64) -> io::Result<()> {
        while !octets.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(&self.0, octets, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => {
                    octets = octets.get(written..).unwrap_or_default();
                    offset += written as u64;
                }
            }
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn write_parts_at(&self, mut parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        // Empty parts first, so that writing nothing means that nothing can be written.
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match rustix::io::pwritev(&self.0, parts, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut parts, written);
                    offset += written as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if self.0.metadata()?.len() < length {
            self.0.allocate(length)?;
            self.0.sync_all()?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
