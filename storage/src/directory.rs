//! The data directory: its lock, its format, and where things are in it.
//!
//! ```text
//! lock      held by the process that has the directory open
//! format    the number of the format, in decimal
//! records/  sled
//! log/      segments
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs4::fs_std::FileExt as _;

use crate::batch::Batch;
use crate::disk::{RealDisk, sync_directory};
use crate::error::{Error, Result};
use crate::key::Prefix;
use crate::log::{Damage, Log, LogOptions, Recovered, Target, inspect, verify};
use crate::memory::MemoryStore;
use crate::sled_store::SledStore;
use crate::store::{Store as _, scan};

/// The format that this version writes.
pub const FORMAT: u32 = 1;

const RECORDS: &str = "records";
const LOG: &str = "log";

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
        let lock = lock(&path, OpenOptions::new().write(true).create(true).truncate(false))?;
        migrate(&path, FORMAT, MIGRATIONS)?;
        Ok(Self { path, _lock: lock })
    }

    /// Its records.
    ///
    /// # Errors
    /// Those of [`SledStore::open`].
    pub fn records(&self) -> Result<SledStore> {
        SledStore::open(self.path.join(RECORDS))
    }

    /// Its log of messages; `found` is called for what is in it.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    pub fn log(
        &self,
        options: LogOptions,
        found: &mut dyn FnMut(Target, u32, &[u8]),
    ) -> Result<(Log, Recovered)> {
        Log::open(Arc::new(RealDisk::new(self.path.join(LOG))?), options, found)
    }
}

/// A data directory that is only looked at: nothing in it is changed, and no other process can
/// open it meanwhile.
#[derive(Debug)]
pub struct ReadOnlyDirectory {
    path: PathBuf,
    _lock: File,
}

impl ReadOnlyDirectory {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// [`Error::Io`] with `NotFound` if it is not there or not a data directory,
    /// [`Error::Locked`] if it is open elsewhere, [`Error::Format`] if it has another format than
    /// [`FORMAT`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let lock = lock(&path, OpenOptions::new().read(true))?;
        let format = fs::read_to_string(path.join("format"))?;
        if format.trim() != FORMAT.to_string() {
            return Err(unknown_format(&format, FORMAT));
        }
        Ok(Self { path, _lock: lock })
    }

    /// A copy of its records.
    ///
    /// # Errors
    /// Those of [`SledStore::open`].
    pub fn records(&self) -> Result<MemoryStore> {
        let copy = MemoryStore::new();
        let records = self.path.join(RECORDS);
        if !records.try_exists()? {
            return Ok(copy);
        }
        // sled writes to what it opens.
        let place = Temporary::new()?;
        for entry in fs::read_dir(&records)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), place.0.join(entry.file_name()))?;
            }
        }
        let store = SledStore::open(&place.0)?;
        let mut batch = Batch::new();
        for entry in scan(&store, Prefix::everything()) {
            let (key, record) = entry?;
            batch.put(key, record);
        }
        copy.commit(batch)?;
        Ok(copy)
    }

    /// What is in its log; `found` is called as by [`Log::open`].
    ///
    /// # Errors
    /// Those of [`inspect`].
    pub fn log(&self, found: &mut dyn FnMut(Target, u32, &[u8])) -> Result<Recovered> {
        let log = self.path.join(LOG);
        if log.try_exists()? { inspect(&RealDisk::read_only(log), found) } else { Ok(new_log()) }
    }

    /// Reads all of its log and reports what is damaged.
    ///
    /// # Errors
    /// Those of [`verify`].
    pub fn verify(&self) -> Result<Vec<Damage>> {
        let log = self.path.join(LOG);
        if log.try_exists()? { verify(&RealDisk::read_only(log)) } else { Ok(Vec::new()) }
    }
}

/// What is found where no log was begun.
fn new_log() -> Recovered {
    Recovered { clean: true, ..Recovered::default() }
}

/// A directory that is removed when it is not needed any more.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> io::Result<Self> {
        for attempt in 0_u32..1_000 {
            let name = format!("leveret-records-{}-{attempt}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match private_directory().create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is in the directory for temporary files: leaving it there is no failure.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes directories that only this user reads.
fn private_directory() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Takes the lock of a directory.
fn lock(path: &Path, options: &OpenOptions) -> Result<File> {
    let file = options.open(path.join("lock"))?;
    if file.try_lock_exclusive()? { Ok(file) } else { Err(Error::Locked(path.into())) }
}

fn unknown_format(found: &str, known: u32) -> Error {
    Error::Format { found: found.trim().chars().take(40).collect(), known }
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
    let Some(format) = format else { return Err(unknown_format(&found, known)) };
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
