//! Snapshots of the broker that were taken over HTTP, by their numbers.

use std::collections::BTreeMap;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::node::snapshot::Snapshot;

/// So many are kept; the oldest goes first.
const KEPT_MAX: usize = 50;

/// Snapshots by their numbers.
#[derive(Default)]
pub(super) struct Snapshots(Mutex<Kept, rank::Snapshots>);

#[derive(Default)]
struct Kept {
    last: u64,
    by_number: BTreeMap<u64, Snapshot>,
}

impl Snapshots {
    /// Keeps one; tells its number.
    pub(super) fn add(&self, snapshot: Snapshot) -> u64 {
        let mut kept = self.0.lock();
        kept.last += 1;
        let number = kept.last;
        kept.by_number.insert(number, snapshot);
        if kept.by_number.len() > KEPT_MAX {
            kept.by_number.pop_first();
        }
        number
    }

    /// The one with that number.
    pub(super) fn get(&self, number: u64) -> Option<Snapshot> {
        self.0.lock().by_number.get(&number).cloned()
    }

    /// Forgets it; tells whether it was there.
    pub(super) fn forget(&self, number: u64) -> bool {
        self.0.lock().by_number.remove(&number).is_some()
    }

    /// All, by their numbers.
    pub(super) fn all(&self) -> Vec<(u64, Snapshot)> {
        self.0.lock().by_number.iter().map(|(number, kept)| (*number, kept.clone())).collect()
    }
}
