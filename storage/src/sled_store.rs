//! Records in sled.
//!
//! sled's own flush hands its file to the kernel with `sync_file_range`, which does not survive a
//! power cut, so that each flush is followed by a sync of its files. Large values, which sled
//! keeps in files of their own, did not survive power cuts even so: they are refused.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use fs4::fs_std::FileExt as _;
use parking_lot::Mutex;

use crate::batch::{Batch, Change};
use crate::disk::{private_directory, private_file};
use crate::error::{Error, Result};
use crate::key::{Key, Prefix};
use crate::store::{Entry, Receipt, Store};
use crate::synced_files::SyncedFiles;

/// The longest record, in octets.
pub const RECORD_MAX: usize = 8 << 10;

/// A record store on disk.
#[derive(Debug)]
pub struct SledStore {
    database: sled::Db,
    files: Mutex<SyncedFiles>,
    progress: Mutex<Progress>,
    /// Dropped last.
    _release: Release,
}

/// Closes sled, and waits until it has let go of its file: threads of its own hold it for a moment
/// longer, and the directory could not be opened again meanwhile.
#[derive(Debug)]
struct Release {
    path: PathBuf,
    /// The last one.
    database: Option<sled::Db>,
}

impl Drop for Release {
    fn drop(&mut self) {
        const TRIES_MAX: usize = 1_000;
        let database = self.database.take();
        // It panics if the disk fails now. What was to be durable is, or was reported not to be.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
        for _ in 0..TRIES_MAX {
            let Ok(file) = File::open(self.path.join("db")) else { return };
            // What fails otherwise than by being locked does not get better by waiting.
            if !matches!(file.try_lock_exclusive(), Ok(false)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[derive(Debug, Default)]
struct Progress {
    committed: Receipt,
    durable: Receipt,
    failed: bool,
}

impl SledStore {
    /// Opens the store in this directory, or begins one. A process that is killed meanwhile leaves
    /// what can be opened again.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is open elsewhere, [`Error::Records`] if sled finds it damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        private_directory().recursive(true).create(&path)?;
        remove_unfinished(&path)?;
        if !path.join(SETTINGS).try_exists()? {
            write_settings(&path)?;
        }
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(8 << 20)
            // Flushes are asked for; no thread does it now and then.
            .flush_every_ms(None);
        // What cannot be opened is held for a moment longer, too.
        let mut release = Release { path: path.clone(), database: None };
        let database = config.open().map_err(|error| match error {
            sled::Error::Io(error) if error.to_string().contains("lock") => {
                Error::Locked(path.clone())
            }
            error => convert(error),
        });
        let database = match database {
            Err(error @ Error::Locked(_)) => {
                // Another one has it, and may have it for long.
                std::mem::forget(release);
                return Err(error);
            }
            database => database?,
        };
        release.database = Some(database.clone());
        // Beside its log, sled writes its settings once, snapshots and large values.
        let files = Mutex::new(SyncedFiles::new(&path, "db"));
        let store = Self { database, files, progress: Mutex::default(), _release: release };
        // What was found may never have reached the disk.
        store.sync()?;
        Ok(store)
    }

    fn sync(&self) -> Result<()> {
        self.database.flush().map_err(convert)?;
        // Flushes come from one thread, and everybody else waits for its syncs anyway.
        self.files.lock().sync()?;
        Ok(())
    }
}

/// What sled keeps its settings in.
const SETTINGS: &str = "conf";

/// Writes sled's settings as it would do it, but in one step: it writes them in two parts, and
/// cannot open what has the first of them alone.
fn write_settings(path: &Path) -> io::Result<()> {
    let new = path.join("conf.new");
    let mut file = private_file().write(true).create(true).truncate(true).open(&new)?;
    file.write_all(&settings())?;
    file.sync_data()?;
    fs::rename(new, path.join(SETTINGS))
}

/// Sled's settings, and their checksum.
fn settings() -> Vec<u8> {
    let mut octets = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n".to_vec();
    octets.extend_from_slice(&crc32fast::hash(&octets).to_le_bytes());
    octets
}

/// Removes snapshots that were not finished. At each start sled writes one of where its records
/// are, and renames it when it is whole; but it would read one that is not whole as if it were. The
/// one before is still there then, and so is all that was written after that.
fn remove_unfinished(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn convert(error: sled::Error) -> Error {
    match error {
        sled::Error::Io(error) => Error::Io(error),
        error => Error::Records(error.to_string()),
    }
}

impl Store for SledStore {
    fn commit(&self, batch: Batch) -> Result<Receipt> {
        let mut changes = sled::Batch::default();
        for change in batch {
            match change {
                Change::Put(_, record) if record.len() > RECORD_MAX => {
                    return Err(Error::TooLarge);
                }
                Change::Put(key, record) => changes.insert(key.encode(), record.as_ref()),
                Change::Delete(key) => changes.remove(key.encode()),
            }
        }
        let mut progress = self.progress.lock();
        if progress.failed {
            return Err(Error::Failed);
        }
        self.database.apply_batch(changes).map_err(convert)?;
        progress.committed = Receipt::new(progress.committed.number() + 1);
        Ok(progress.committed)
    }

    fn flush(&self) -> Result<Receipt> {
        let committed = {
            let progress = self.progress.lock();
            if progress.failed {
                return Err(Error::Failed);
            }
            progress.committed
        };
        let synced = self.sync();
        let mut progress = self.progress.lock();
        progress.failed |= synced.is_err();
        synced?;
        progress.durable = progress.durable.max(committed);
        Ok(progress.durable)
    }

    fn durable(&self) -> Receipt {
        self.progress.lock().durable
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let record = self.database.get(key.encode()).map_err(convert)?;
        Ok(record.map(|record| Bytes::copy_from_slice(&record)))
    }

    fn scan_page(&self, prefix: &Prefix, after: Option<&Key>, max: usize) -> Result<Vec<Entry>> {
        let after = after.map(Key::encode);
        let start = match &after {
            Some(after) if after.as_slice() > prefix.as_octets() => after.as_slice(),
            _ => prefix.as_octets(),
        };
        let mut entries = Vec::new();
        for entry in self.database.range(start..) {
            let (key, record) = entry.map_err(convert)?;
            if !key.starts_with(prefix.as_octets()) || entries.len() == max {
                break;
            }
            if after.as_deref() != Some(&*key) {
                entries.push((Key::decode(&key)?, Bytes::copy_from_slice(&record)));
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_that_sled_writes() {
        let directory = tempfile::tempdir().unwrap();
        drop(sled::open(directory.path()).unwrap());
        assert_eq!(fs::read(directory.path().join(SETTINGS)).unwrap(), settings());
    }
}
