//! Numbers for queues, and for exchanges that keep messages: none is ever given twice.

use leveret_storage::{Batch, DefinitionKind, Error, Key, Result, Store};

use crate::base::ids::StoreId;
use crate::base::lock::Mutex;
use crate::base::rank;

/// Numbers that are reserved at a time.
const LEASE: u64 = 1024;

/// Gives out numbers.
#[derive(Debug)]
pub(crate) struct QueueIds(Mutex<State, rank::QueueIds>);

#[derive(Debug)]
struct State {
    next: StoreId,
    /// The record says that numbers below this one may be in use.
    reserved: StoreId,
}

fn key() -> Key {
    Key::definition(DefinitionKind::Parameter, ["leveret", "next queue id"])
}

impl QueueIds {
    /// Goes on after what the record says, and not below `from`.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn open(records: &dyn Store, from: StoreId) -> Result<Self> {
        let record = records.get(&key())?;
        let recorded = record.and_then(|octets| octets.as_ref().try_into().ok());
        let next = recorded.map_or(1, u64::from_le_bytes).max(from).max(1);
        Ok(Self(Mutex::new(State { next, reserved: next })))
    }

    /// The next number. What is reserved is durable once the first record that bears such a number
    /// is.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn next(&self, records: &dyn Store) -> Result<StoreId, Error> {
        let mut state = self.0.lock();
        if state.next >= state.reserved {
            let reserved = state.next + LEASE;
            let mut batch = Batch::new();
            batch.put(key(), reserved.to_le_bytes().to_vec());
            records.commit(batch)?;
            state.reserved = reserved;
        }
        state.next += 1;
        Ok(state.next - 1)
    }
}
