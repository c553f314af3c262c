//! The catalogue: records in a store, and every change of them once more in a ledger beside it.
//!
//! A store that loses records without noticing must not lose definitions unnoticed. So every batch
//! is entered in the ledger, which is what makes it durable, and the store bears a stamp: the
//! number of its last batch and a digest of everything. At the start both are compared. What the
//! store lacks because of a crash is made up for from the ledger; what is otherwise different is
//! damage, and is found, named, and repaired from the copy that is sound if that is wanted.

mod contents;
mod stamp;
mod verdict;
mod witness;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use self::contents::Contents;
use self::stamp::{Digest, Stamp};
use self::verdict::{Copy, LEDGER, Verdict, judge};
use self::witness::Witness;
use crate::batch::Batch;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::key::{Key, Prefix};
use crate::ledger::{Growth, Ledger, Reading};
use crate::memory::MemoryStore;
use crate::store::{Entry, Receipt, Store};

/// What was found when a catalogue was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogueReport {
    /// Nothing was there.
    pub is_new: bool,
    /// What was wrong, and has been repaired.
    pub repaired: Vec<Finding>,
}

/// Records that are kept twice.
pub struct Catalogue {
    records: Arc<dyn Store>,
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    /// Held while octets are on their way to the ledger.
    writing: Mutex<()>,
}

struct State {
    ledger: Ledger,
    digest: Digest,
    failed: bool,
}

impl Catalogue {
    /// Opens the records of a store with the ledger that is on the disk, or begins one. `identity`
    /// tells what belongs here from what does not, and should be drawn at random for each
    /// directory. Damage is repaired only if `repair` is set.
    ///
    /// # Errors
    /// [`Error::Catalogue`] if something is damaged and `repair` is not set; those of the store
    /// and the disk.
    pub fn open(
        records: Arc<dyn Store>,
        disk: Arc<dyn Disk>,
        identity: u64,
        repair: bool,
    ) -> Result<(Self, CatalogueReport)> {
        let ledger = read_ledger(&*disk)?.map_or(Copy::None, Copy::Found);
        let found = contents::read(&*records)?;
        let is_new = matches!(ledger, Copy::None) && found.is_empty();
        let copy = if is_new { Copy::None } else { Copy::Found(found.clone()) };
        let verdict = judge(ledger, copy, identity, &Witness::read(&*disk)?);
        let catalogue = Self::take_up(records, &found, disk, identity, &verdict, repair)?;
        let is_new = is_new && verdict.findings.is_empty();
        Ok((catalogue, CatalogueReport { is_new, repaired: verdict.findings }))
    }

    /// Begins a ledger for records that have none, as older versions kept them.
    ///
    /// # Errors
    /// Those of the store and the disk.
    pub fn begin(records: Arc<dyn Store>, disk: Arc<dyn Disk>, identity: u64) -> Result<Self> {
        let found = contents::read(&*records)?;
        let mut truth = found.clone();
        truth.remove(&stamp::key().encode());
        let verdict = Verdict { truth, ..Verdict::default() };
        Self::take_up(records, &found, disk, identity, &verdict, false)
    }

    /// Takes up what was found to be right.
    fn take_up(
        records: Arc<dyn Store>,
        found: &Contents,
        disk: Arc<dyn Disk>,
        identity: u64,
        verdict: &Verdict,
        repair: bool,
    ) -> Result<Self> {
        if !verdict.findings.is_empty() && !repair {
            return Err(Error::Catalogue(verdict.findings.clone()));
        }
        let identity = if identity == 0 { verdict.identity.max(1) } else { identity };
        let mut truth = verdict.truth.clone();
        let digest = Digest::of(&truth);
        let number = verdict.number;
        let stamp = Stamp { identity, number, durable: number, digest, is_clean: false };
        let everything = contents::encode_all(&truth);
        let (on, growth) = (Arc::clone(&disk), Growth::COMMON);
        let ledger = Ledger::begin(on, LEDGER, identity, number, &everything, growth)?;
        truth.insert(stamp::key().encode(), stamp.encode());
        let edits = contents::difference(found, &truth);
        if !edits.is_empty() {
            records.commit(contents::batch(edits))?;
            records.flush()?;
        }
        let state = State { ledger, digest, failed: false };
        Ok(Self { records, disk, state: Mutex::new(state), writing: Mutex::default() })
    }

    /// What tells it from those of other directories.
    pub fn identity(&self) -> u64 {
        self.state.lock().ledger.identity()
    }

    /// Compares records with the ledger on a disk, and changes nothing: all records as they should
    /// be, and what is wrong. `records` may say why they cannot be read; `identity` is that of the
    /// directory that both are in, 0 if it is not known.
    ///
    /// # Errors
    /// Those of the store and the disk.
    pub fn examine(
        records: Result<&dyn Store, String>,
        disk: &dyn Disk,
        identity: u64,
    ) -> Result<(MemoryStore, Vec<Finding>)> {
        let ledger = read_ledger(disk)?.map_or(Copy::None, Copy::Found);
        let records = match records {
            Ok(store) => match contents::read(store) {
                Ok(contents) => Copy::Found(contents),
                Err(error) => Copy::Unreadable(error.to_string()),
            },
            Err(reason) => Copy::Unreadable(reason),
        };
        let witness = Witness::read(disk)?;
        let Verdict { truth, findings, .. } = judge(ledger, records, identity, &witness);
        let store = MemoryStore::new();
        let edits = truth.into_iter().map(|(key, record)| (key, Some(record))).collect();
        store.commit(contents::batch(edits))?;
        Ok((store, findings))
    }

    /// Whether there is a ledger on a disk, and everything that was ever entered is in it.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn is_complete(disk: &dyn Disk) -> Result<bool> {
        let Some(ledger) = read_ledger(disk)? else { return Ok(false) };
        let last = Witness::read(disk)?.last(ledger.identity);
        Ok(ledger.is_complete() && ledger.last() >= last)
    }

    /// Whether there is a ledger of this format on a disk, damaged or not.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn is_there(disk: &dyn Disk) -> Result<bool> {
        Ok(read_ledger(disk)?.is_some_and(|ledger| ledger.identity != 0))
    }

    /// Begins the ledger anew with all records. Nothing is committed meanwhile, which takes a few
    /// milliseconds.
    fn begin_anew(&self, state: &mut State) -> Result<()> {
        /// A disk that fails now and then does not fail as often in a row.
        const TRIES_MAX: usize = 8;
        let everything = contents::encode_all(&self.everything()?);
        let mut begun = state.ledger.begin_anew(&everything);
        for _ in 1..TRIES_MAX {
            match begun {
                Err(_) => begun = state.ledger.begin_anew(&everything),
                Ok(()) => break,
            }
        }
        Ok(begun?)
    }

    /// All records but the stamp.
    fn everything(&self) -> Result<Contents> {
        let mut contents = contents::read(&*self.records)?;
        contents.remove(&stamp::key().encode());
        Ok(contents)
    }

    fn close(&self) -> Result<()> {
        self.flush()?;
        let mut state = self.state.lock();
        let mut batch = Batch::new();
        batch.put(stamp::key(), state.stamp(true).encode());
        self.records.commit(batch)?;
        self.records.flush()?;
        state.ledger.close()?;
        let (identity, last) = (state.ledger.identity(), state.ledger.last());
        Ok(witness::note(Arc::clone(&self.disk), identity, last)?)
    }
}

fn read_ledger(disk: &dyn Disk) -> Result<Option<Reading>> {
    Ok(Ledger::read(disk, LEDGER, Growth::COMMON.step)?)
}

impl State {
    fn stamp(&self, is_clean: bool) -> Stamp {
        Stamp {
            identity: self.ledger.identity(),
            number: self.ledger.last(),
            durable: self.ledger.durable(),
            digest: self.digest,
            is_clean,
        }
    }

    /// The digest after these changes.
    fn digest_after(&self, batch: &Batch, records: &dyn Store) -> Result<Digest> {
        let mut digest = self.digest;
        // What is changed twice was changed before.
        let mut changed: Contents = Contents::new();
        let mut removed: Vec<Vec<u8>> = Vec::new();
        for (key, record) in contents::edits(batch) {
            let before = match changed.get(&key) {
                Some(before) => Some(before.clone()),
                None if removed.contains(&key) => None,
                None => records.get(&Key::decode(&key)?)?,
            };
            if let Some(before) = before {
                digest.remove(&key, &before);
            }
            match record {
                Some(record) => {
                    digest.add(&key, &record);
                    changed.insert(key, record);
                }
                None => {
                    changed.remove(&key);
                    removed.push(key);
                }
            }
        }
        Ok(digest)
    }
}

impl Store for Catalogue {
    fn commit(&self, mut batch: Batch) -> Result<Receipt> {
        let mut state = self.state.lock();
        if state.failed {
            return Err(Error::Failed);
        }
        let digest = state.digest_after(&batch, &*self.records)?;
        let entry = contents::encode(contents::edits(&batch));
        let number = state.ledger.last() + 1;
        let stamp = Stamp { number, digest, ..state.stamp(false) };
        batch.put(stamp::key(), stamp.encode());
        self.records.commit(batch)?;
        state.digest = digest;
        Ok(Receipt::new(state.ledger.enter(&entry)))
    }

    fn flush(&self) -> Result<Receipt> {
        let _writing = self.writing.lock();
        let pending = {
            let mut state = self.state.lock();
            if state.failed {
                return Err(Error::Failed);
            }
            state.ledger.take_pending()?
        };
        let Some(pending) = pending else { return Ok(self.durable()) };
        let last = pending.last;
        let written = pending.write();
        let mut state = self.state.lock();
        match written {
            Ok(()) => state.ledger.written(last),
            // Nobody knows what the file holds now. Another one may be had.
            Err(error) => self.begin_anew(&mut state).map_err(|_| {
                state.failed = true;
                error
            })?,
        }
        Ok(Receipt::new(state.ledger.durable()))
    }

    fn write_back(&self) -> Result<()> {
        self.records.flush()?;
        let _writing = self.writing.lock();
        let mut state = self.state.lock();
        if state.ledger.is_long() { self.begin_anew(&mut state) } else { Ok(()) }
    }

    fn durable(&self) -> Receipt {
        Receipt::new(self.state.lock().ledger.durable())
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.records.get(key)
    }

    fn scan_page(&self, prefix: &Prefix, after: Option<&Key>, max: usize) -> Result<Vec<Entry>> {
        let mut page = self.records.scan_page(prefix, after, max.saturating_add(1))?;
        let own = stamp::key();
        page.retain(|(key, _)| *key != own);
        page.truncate(max);
        Ok(page)
    }
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        // A medium that fails leaves what a crash leaves.
        let _ = self.close();
    }
}
