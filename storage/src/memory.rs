//! A store that keeps everything in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::batch::{Batch, Change};
use crate::error::Result;
use crate::key::{Key, Prefix};
use crate::store::{Entry, Receipt, Store};

/// Keeps records for as long as it lives. "Durable" has no more than its formal meaning here:
/// a commit counts as durable once [`Store::flush`] was called.
#[derive(Debug, Default)]
pub struct MemoryStore(RwLock<State>);

#[derive(Clone, Debug, Default)]
struct State {
    records: BTreeMap<Vec<u8>, Bytes>,
    committed: Receipt,
    durable: Receipt,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another store with the same records.
    pub(crate) fn copy(&self) -> Self {
        Self(RwLock::new(self.0.read().clone()))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.0.read().records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: Batch) -> Result<Receipt> {
        let mut state = self.0.write();
        for change in batch {
            match change {
                Change::Put(key, record) => state.records.insert(key.encode(), record),
                Change::Delete(key) => state.records.remove(&key.encode()),
            };
        }
        state.committed = Receipt::new(state.committed.number() + 1);
        Ok(state.committed)
    }

    fn flush(&self) -> Result<Receipt> {
        let mut state = self.0.write();
        state.durable = state.committed;
        Ok(state.durable)
    }

    fn durable(&self) -> Receipt {
        self.0.read().durable
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.0.read().records.get(&key.encode()).cloned())
    }

    fn scan_page(&self, prefix: &Prefix, after: Option<&Key>, max: usize) -> Result<Vec<Entry>> {
        let start = prefix.as_octets();
        let after = after.map(Key::encode).filter(|after| after.as_slice() >= start);
        let from = match &after {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Included(start),
        };
        let state = self.0.read();
        state
            .records
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(octets, _)| octets.starts_with(start))
            .take(max)
            .map(|(octets, record)| Ok((Key::decode(octets)?, record.clone())))
            .collect()
    }
}
