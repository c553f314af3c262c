//! The data directory: its lock, its format, and where things are in it.
//!
//! ```text
//! lock      held by the process that has the directory open
//! format    the number of the format, in decimal
//! records/  sled
//! log/      segments
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs4::fs_std::FileExt as _;

use crate::disk::{RealDisk, sync_directory};
use crate::error::{Error, Result};
use crate::log::{Log, LogOptions, Recovered};
use crate::sled_store::SledStore;

/// The format that this version writes.
pub const FORMAT: u32 = 1;

/// Brings the data of one format to the next. It may be interrupted, and is then begun anew.
type Migration = fn(&Path) -> Result<()>;

/// Migrations from format 1, 2, … on.
const MIGRATIONS: &[Migration] = &[];

/// A data directory that no other process can open meanwhile. Keep it for as long as what was
/// opened from it.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Opens a directory, which is made if there is none, and brings it to the present format.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is open elsewhere, [`Error::Format`] if a newer version wrote it,
    /// [`Error::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        let file = path.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(file)?;
        if !lock.try_lock_exclusive()? {
            return Err(Error::Locked(path));
        }
        migrate(&path, FORMAT, MIGRATIONS)?;
        Ok(Self { path, _lock: lock })
    }

    /// Its records.
    ///
    /// # Errors
    /// Those of [`SledStore::open`].
    pub fn records(&self) -> Result<SledStore> {
        SledStore::open(self.path.join("records"))
    }

    /// Its log of messages.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    pub fn log(&self, options: LogOptions) -> Result<(Log, Recovered)> {
        Log::open(Arc::new(RealDisk::new(self.path.join("log"))?), options)
    }
}

fn migrate(path: &Path, known: u32, migrations: &[Migration]) -> Result<()> {
    let file = path.join("format");
    let found = match fs::read_to_string(&file) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return write_format(path, known);
        }
        Err(error) => return Err(error.into()),
    };
    let format = found.trim().parse().ok().filter(|format| (1..=known).contains(format));
    let Some(format) = format else {
        let found: String = found.trim().chars().take(40).collect();
        return Err(Error::Format { found, known });
    };
    for (from, migration) in (1..).zip(migrations).skip(format as usize - 1) {
        migration(path)?;
        write_format(path, from + 1)?;
    }
    Ok(())
}

fn write_format(path: &Path, format: u32) -> Result<()> {
    let new = path.join("format.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{format}")?;
    file.sync_all()?;
    fs::rename(new, path.join("format"))?;
    sync_directory(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_is_done_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        migrate(path, 1, &[]).unwrap();
        let second: Migration = |path| Ok(fs::write(path.join("second"), "")?);
        let third: Migration = |path| Ok(fs::write(path.join("third"), "")?);
        migrate(path, 2, &[second]).unwrap();
        assert!(path.join("second").exists());
        fs::remove_file(path.join("second")).unwrap();
        migrate(path, 3, &[second, third]).unwrap();
        assert!(!path.join("second").exists() && path.join("third").exists());
        assert!(matches!(migrate(path, 2, &[second]), Err(Error::Format { .. })));
        fs::write(path.join("format"), b"\xFF").unwrap();
        assert!(migrate(path, 3, &[]).is_err());
    }
}
