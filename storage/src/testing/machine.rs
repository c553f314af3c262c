//! A machine whose power can be cut: records and messages stop at the same moment.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::batch::Batch;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::key::{Key, Prefix};
use crate::store::{Entry, Receipt, Store, scan};
use crate::testing::{FaultyStore, Image, SimulatedDisk};

/// Commits of records that were not flushed and may yet survive a power cut.
const COMMITS_KEPT_MAX: u64 = 6;

/// What a machine keeps while it has no power.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    log: Image,
    records: Vec<Entry>,
}

/// Who is told that the power is cut.
type Watcher = Box<dyn Fn() + Send + Sync>;

struct Power {
    state: Mutex<State>,
    disk: SimulatedDisk,
    records: FaultyStore,
    seed: u64,
}

struct State {
    /// Writes and syncs until the power is cut.
    left: u64,
    is_off: bool,
    watcher: Option<Watcher>,
}

/// A machine in memory with a disk and a store of records, from when it is switched on until its
/// power is cut. What was synced survives that; what was not survives by chance, in part.
#[derive(Clone)]
pub struct Machine(Arc<Power>);

impl Machine {
    /// Switches a machine on that finds what an earlier one has left. Its chances come from the
    /// seed.
    pub fn new(remains: &Remains, seed: u64) -> Self {
        let records = FaultyStore::new();
        let mut batch = Batch::new();
        remains.records.iter().cloned().for_each(|(key, record)| batch.put(key, record));
        // Nothing fails unless it is told to.
        let _ = records.commit(batch).and_then(|_| records.flush());
        Self(Arc::new(Power {
            state: Mutex::new(State { left: u64::MAX, is_off: false, watcher: None }),
            disk: SimulatedDisk::from_image(remains.log.clone(), seed),
            records,
            seed,
        }))
    }

    /// Where definitions are kept.
    pub fn records(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    /// Where messages and streams are kept: their files have other names.
    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(PoweredDisk(self.clone()))
    }

    /// The disk by itself, to make it fail.
    pub fn simulated_disk(&self) -> &SimulatedDisk {
        &self.0.disk
    }

    /// Calls back when the power is cut. The callback leaves the machine alone.
    pub fn when_cut(&self, watcher: impl Fn() + Send + Sync + 'static) {
        self.0.state.lock().watcher = Some(Box::new(watcher));
    }

    /// Cuts the power after so many more writes and syncs: the one after is done in part at most.
    pub fn cut_after(&self, operations: u64) {
        self.0.state.lock().left = operations;
    }

    /// Cuts the power now, if it is not cut yet.
    pub fn cut(&self) {
        let mut state = self.0.state.lock();
        self.0.disk.cut();
        switch_off(&mut state);
    }

    /// Whether the power was cut.
    pub fn is_off(&self) -> bool {
        self.0.state.lock().is_off
    }

    /// What a power cut leaves: the one that has happened, or one now.
    pub fn after_cut(&self) -> Remains {
        let kept = self.0.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let kept = usize::try_from(kept % COMMITS_KEPT_MAX).unwrap_or_default();
        self.remains(self.0.disk.after_power_cut(), kept)
    }

    /// What is left when the process ends and the machine goes on.
    pub fn after_exit(&self) -> Remains {
        self.remains(self.0.disk.after_exit(), usize::MAX)
    }

    fn remains(&self, log: Image, kept: usize) -> Remains {
        let found = self.0.records.after_crash(kept);
        // Stores in memory can be read.
        let records = found.map(|store| scan(&store, Prefix::everything()).flatten().collect());
        Remains { log, records: records.unwrap_or_default() }
    }

    fn operate<R>(&self, operation: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let mut state = self.0.state.lock();
        if state.is_off {
            return Err(io::Error::other("there is no power"));
        }
        if state.left == 0 {
            switch_off(&mut state);
            // What is begun now may be there in part.
            self.0.disk.cut_after(0);
            let _ = operation();
            return Err(io::Error::other("the power is cut"));
        }
        state.left -= 1;
        operation()
    }
}

fn switch_off(state: &mut State) {
    if !std::mem::replace(&mut state.is_off, true)
        && let Some(watcher) = &state.watcher
    {
        watcher();
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("is_off", &self.is_off()).finish_non_exhaustive()
    }
}

impl Store for Machine {
    fn commit(&self, batch: Batch) -> Result<Receipt> {
        let state = self.0.state.lock();
        if state.is_off { Err(Error::Failed) } else { self.0.records.commit(batch) }
    }

    fn flush(&self) -> Result<Receipt> {
        let flushed = self.operate(|| Ok(()));
        let state = self.0.state.lock();
        match flushed {
            Ok(()) if !state.is_off => self.0.records.flush(),
            _ => Err(Error::Failed),
        }
    }

    fn durable(&self) -> Receipt {
        self.0.records.durable()
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.0.records.get(key)
    }

    fn scan_page(&self, prefix: &Prefix, after: Option<&Key>, max: usize) -> Result<Vec<Entry>> {
        self.0.records.scan_page(prefix, after, max)
    }
}

#[derive(Debug)]
struct PoweredDisk(Machine);

impl PoweredDisk {
    fn disk(&self) -> &SimulatedDisk {
        &self.0.0.disk
    }
}

impl Disk for PoweredDisk {
    fn open(&self, name: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = match self.disk().open(name, false) {
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                self.0.operate(|| self.disk().open(name, true))?
            }
            opened => opened?,
        };
        Ok(Arc::new(PoweredFile { machine: self.0.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.operate(|| self.disk().rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.operate(|| self.disk().remove(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk().list()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.operate(|| self.disk().sync_directory())
    }
}

#[derive(Debug)]
struct PoweredFile {
    machine: Machine,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for PoweredFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, octets: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(octets, offset)
    }

    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        self.machine.operate(|| self.file.write_at(octets, offset))
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.machine.operate(|| self.file.allocate(length))
    }

    fn sync(&self) -> io::Result<()> {
        self.machine.operate(|| self.file.sync())
    }
}
