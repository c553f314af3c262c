//! Records in sled.
//!
//! sled's own flush hands its file to the kernel with `sync_file_range`, which does not survive a
//! power cut, so that each flush is followed by a sync of its files. Large values, which sled
//! keeps in files of their own, did not survive power cuts even so: they are refused.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::batch::{Batch, Change};
use crate::disk::sync_directory;
use crate::error::{Error, Result};
use crate::key::{Key, Prefix};
use crate::store::{Entry, Receipt, Store};

/// The longest record, in octets.
pub const RECORD_MAX: usize = 8 << 10;

/// How often a store that is locked is tried: threads of sled may keep one that this process has
/// closed for a moment longer.
const LOCK_ATTEMPTS: u32 = 100;

/// Time between the attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A record store on disk.
#[derive(Debug)]
pub struct SledStore {
    database: sled::Db,
    path: PathBuf,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    committed: Receipt,
    durable: Receipt,
    failed: bool,
}

impl SledStore {
    /// Opens the store in this directory, or begins one.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is open elsewhere, [`Error::Records`] if sled finds it damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let config = sled::Config::new()
            .path(&path)
            .cache_capacity(8 << 20)
            // Flushes are asked for; no thread does it now and then.
            .flush_every_ms(None);
        let mut attempts = 0;
        let database = loop {
            match config.open() {
                Err(sled::Error::Io(error)) if error.to_string().contains("lock") => {
                    attempts += 1;
                    if attempts == LOCK_ATTEMPTS {
                        return Err(Error::Locked(path));
                    }
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => break opened.map_err(convert)?,
            }
        };
        let store = Self { database, path, progress: Mutex::default() };
        // What was found may never have reached the disk.
        store.sync()?;
        Ok(store)
    }

    fn sync(&self) -> Result<()> {
        self.database.flush().map_err(convert)?;
        sync_files(&self.path)?;
        Ok(())
    }
}

/// Makes every file under a directory durable, and their names.
fn sync_files(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // sled removes files of its own that it does not need any more.
        let synced = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => sync_files(&path),
            Ok(_) => File::open(&path).and_then(|file| file.sync_data()),
            Err(error) => Err(error),
        };
        match synced {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced?,
        }
    }
    sync_directory(directory)
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
