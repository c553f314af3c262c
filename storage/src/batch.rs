//! Changes that are made all or none.

use bytes::Bytes;

use crate::key::Key;

/// One change of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets the record of a key, whether or not there is one.
    Put(Key, Bytes),
    /// Removes the record of a key. One that does not exist counts as removed.
    Delete(Key),
}

/// Changes for [`Store::commit`](crate::Store::commit). They are made in order: of several changes
/// of one key the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: Vec<Change>,
    octets: usize,
}

impl Batch {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the record of a key.
    pub fn put(&mut self, key: Key, record: impl Into<Bytes>) {
        let record = record.into();
        self.octets += record.len();
        self.changes.push(Change::Put(key, record));
    }

    /// Removes the record of a key.
    pub fn delete(&mut self, key: Key) {
        self.changes.push(Change::Delete(key));
    }

    /// The changes, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is no change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Octets in all records: what decides when a batch that gathers messages is large enough.
    pub fn octets(&self) -> usize {
        self.octets
    }
}

impl IntoIterator for Batch {
    type Item = Change;
    type IntoIter = std::vec::IntoIter<Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.changes.into_iter()
    }
}
