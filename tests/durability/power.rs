//! A machine whose power can be cut: records and messages stop at the same moment.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use leveret::storage::testing::{FaultyStore, Image, SimulatedDisk};
use leveret::storage::{
    Batch, Disk, DiskFile, Entry, Error, Key, Prefix, Receipt, Result, Store, scan,
};
use parking_lot::{Condvar, Mutex};

use crate::random::Random;

/// What a machine keeps while it has no power.
#[derive(Clone)]
pub struct Remains {
    log: Image,
    records: Vec<Entry>,
    /// A write or a sync has failed. What it leaves is reported as damage later, since the log
    /// does not know any more that nothing of it was completed.
    has_failed: bool,
}

impl Remains {
    pub fn nothing() -> Self {
        Self { log: Image::new(), records: Vec::new(), has_failed: false }
    }

    pub fn has_failed(&self) -> bool {
        self.has_failed
    }
}

struct State {
    /// Writes and syncs until the power is cut.
    left: u64,
    off: bool,
    has_failed: bool,
    /// Who is still at work.
    working: usize,
}

struct Power {
    state: Mutex<State>,
    changed: Condvar,
    disk: SimulatedDisk,
    records: FaultyStore,
}

#[derive(Clone)]
pub struct Machine(Arc<Power>);

impl Machine {
    /// A machine that finds what an earlier one has left, and has power for so many writes.
    pub fn new(remains: &Remains, operations: u64, random: &mut Random) -> Self {
        let records = FaultyStore::new();
        let mut batch = Batch::new();
        remains.records.iter().cloned().for_each(|(key, record)| batch.put(key, record));
        records.commit(batch).unwrap();
        records.flush().unwrap();
        Self(Arc::new(Power {
            state: Mutex::new(State {
                left: operations,
                off: false,
                has_failed: remains.has_failed,
                working: 0,
            }),
            changed: Condvar::new(),
            disk: SimulatedDisk::from_image(remains.log.clone(), random.next()),
            records,
        }))
    }

    pub fn records(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(PoweredDisk(self.clone()))
    }

    /// Makes some writes or syncs fail.
    pub fn fail(&self, random: &mut Random) {
        self.0.state.lock().has_failed = true;
        if random.one_in(2) {
            self.0.disk.fail_syncs(1);
        } else {
            self.0.disk.fail_writes(1);
        }
    }

    pub fn is_off(&self) -> bool {
        self.0.state.lock().off
    }

    pub fn begin_work(&self, workers: usize) {
        self.0.state.lock().working = workers;
    }

    pub fn end_work(&self) {
        self.0.state.lock().working -= 1;
        self.0.changed.notify_all();
    }

    /// Waits until the power is cut or everybody has done his work.
    pub fn wait(&self) {
        let mut state = self.0.state.lock();
        while !state.off && state.working > 0 {
            self.0.changed.wait(&mut state);
        }
    }

    /// Cuts the power, if it is not cut yet, and tells what is left.
    pub fn cut(&self, random: &mut Random) -> Remains {
        self.0.state.lock().off = true;
        self.remains(self.0.disk.after_power_cut(), random.below(6))
    }

    /// What is left when the process ends and the machine goes on.
    pub fn after_exit(&self) -> Remains {
        self.remains(self.0.disk.after_exit(), usize::MAX)
    }

    fn remains(&self, log: Image, kept: usize) -> Remains {
        let records = self.0.records.after_crash(kept).unwrap();
        let records = scan(&records, Prefix::everything()).map(|entry| entry.unwrap()).collect();
        Remains { log, records, has_failed: self.0.state.lock().has_failed }
    }

    fn operate<R>(&self, operation: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let mut state = self.0.state.lock();
        if state.off {
            return Err(io::Error::other("there is no power"));
        }
        if state.left == 0 {
            // What is begun now may be there in part.
            self.0.disk.cut_after(0);
            state.off = true;
            self.0.changed.notify_all();
            let _ = operation();
            return Err(io::Error::other("the power is cut"));
        }
        state.left -= 1;
        operation()
    }
}

impl Store for Machine {
    fn commit(&self, batch: Batch) -> Result<Receipt> {
        let state = self.0.state.lock();
        if state.off { Err(Error::Failed) } else { self.0.records.commit(batch) }
    }

    fn flush(&self) -> Result<Receipt> {
        let flushed = self.operate(|| Ok(()));
        let state = self.0.state.lock();
        match flushed {
            Ok(()) if !state.off => self.0.records.flush(),
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

struct PoweredDisk(Machine);

impl std::fmt::Debug for PoweredDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PoweredDisk")
    }
}

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

struct PoweredFile {
    machine: Machine,
    file: Arc<dyn DiskFile>,
}

impl std::fmt::Debug for PoweredFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(f)
    }
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
