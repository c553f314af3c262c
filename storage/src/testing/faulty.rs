//! A store for tests: it fails when it is told to, and shows what a crash would have left.

use std::io;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::key::{Key, Prefix};
use crate::memory::MemoryStore;
use crate::store::{Entry, Receipt, Store};

/// What [`FaultyStore`] can fail at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Store::commit`].
    Commit,
    /// [`Store::flush`]. As the trait demands, commits and flushes fail from then on.
    Flush,
    /// [`Store::get`] and [`Store::scan_page`].
    Read,
}

/// A store in memory that fails when it is told to.
///
/// ```
/// use leveret_storage::testing::{FaultyStore, Operation};
/// use leveret_storage::{Batch, Key, Store};
///
/// let store = FaultyStore::new();
/// let mut batch = Batch::new();
/// batch.put(Key::queue_state(1, 1), "m");
/// let receipt = store.commit(batch)?;
/// store.fail(Operation::Flush, 0);
/// assert!(store.flush().is_err());
/// assert!(store.durable() < receipt);
/// assert!(store.after_crash(0)?.is_empty());
/// # Ok::<(), leveret_storage::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct FaultyStore {
    current: MemoryStore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What a crash is sure to leave.
    durable: MemoryStore,
    /// Commits since the last flush.
    commits: Vec<Batch>,
    planned: Vec<(Operation, usize)>,
    failed: bool,
}

impl State {
    fn check(&mut self, operation: Operation) -> Result<()> {
        if self.failed && operation != Operation::Read {
            return Err(Error::Failed);
        }
        let mut fails = false;
        self.planned.retain_mut(|(planned, successes)| {
            if *planned != operation {
                return true;
            }
            if *successes > 0 {
                *successes -= 1;
                return true;
            }
            fails = true;
            false
        });
        if !fails {
            return Ok(());
        }
        self.failed |= operation == Operation::Flush;
        Err(Error::Io(io::Error::other(format!("{operation:?} fails on command"))))
    }
}

impl FaultyStore {
    /// An empty store that does not fail.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an operation fail once, after it has succeeded `successes` times.
    pub fn fail(&self, operation: Operation, successes: usize) {
        self.state.lock().planned.push((operation, successes));
    }

    /// What a crash now would leave: every durable commit, and the first `kept` of those that are
    /// not durable.
    ///
    /// # Errors
    /// None: commits to memory succeed.
    pub fn after_crash(&self, kept: usize) -> Result<MemoryStore> {
        let state = self.state.lock();
        let store = state.durable.copy();
        for batch in state.commits.iter().take(kept) {
            store.commit(batch.clone())?;
        }
        store.flush()?;
        Ok(store)
    }
}

impl Store for FaultyStore {
    fn commit(&self, batch: Batch) -> Result<Receipt> {
        let mut state = self.state.lock();
        state.check(Operation::Commit)?;
        state.commits.push(batch.clone());
        self.current.commit(batch)
    }

    fn flush(&self) -> Result<Receipt> {
        let mut state = self.state.lock();
        state.check(Operation::Flush)?;
        for batch in std::mem::take(&mut state.commits) {
            state.durable.commit(batch)?;
        }
        self.current.flush()
    }

    fn durable(&self) -> Receipt {
        self.current.durable()
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.state.lock().check(Operation::Read)?;
        self.current.get(key)
    }

    fn scan_page(&self, prefix: &Prefix, after: Option<&Key>, max: usize) -> Result<Vec<Entry>> {
        self.state.lock().check(Operation::Read)?;
        self.current.scan_page(prefix, after, max)
    }
}
