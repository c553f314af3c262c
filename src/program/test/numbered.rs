//! What requests have made and may name again, such as rules and snapshots.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Things by their numbers. Numbers are not used again.
pub(super) struct Numbered<T>(Mutex<Known<T>>);

struct Known<T> {
    last: u64,
    by_number: BTreeMap<u64, T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(Mutex::new(Known { last: 0, by_number: BTreeMap::new() }))
    }
}

impl<T: Clone> Numbered<T> {
    /// Adds one and tells its number.
    pub(super) fn add(&self, thing: T) -> u64 {
        let mut known = self.0.lock();
        known.last += 1;
        let number = known.last;
        known.by_number.insert(number, thing);
        number
    }

    /// The one with this number, if the text is one and it is known.
    pub(super) fn get(&self, number: &str) -> Option<(u64, T)> {
        let number = number.parse().ok()?;
        Some((number, self.0.lock().by_number.get(&number)?.clone()))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(u64, T)> {
        let known = self.0.lock();
        known.by_number.iter().map(|(&number, thing)| (number, thing.clone())).collect()
    }

    pub(super) fn forget(&self, number: u64) {
        self.0.lock().by_number.remove(&number);
    }

    /// Forgets all of them, and tells which they were.
    pub(super) fn clear(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().by_number).into_values().collect()
    }
}
