//! All records of a store at one moment, and how they are written as octets.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::batch::{Batch, Change};
use crate::error::Result;
use crate::key::{Key, Prefix};
use crate::store::{Store, scan};

/// Keys as they are encoded, and records.
pub(super) type Contents = BTreeMap<Vec<u8>, Bytes>;

/// Reads all records of a store.
pub(super) fn read(store: &dyn Store) -> Result<Contents> {
    let entries = scan(store, Prefix::everything());
    entries.map(|entry| entry.map(|(key, record)| (key.encode(), record))).collect()
}

/// One change: a key, and its record unless it is removed.
pub(super) type Edit = (Vec<u8>, Option<Bytes>);

pub(super) fn edits(batch: &Batch) -> impl Iterator<Item = Edit> {
    batch.changes().iter().map(|change| match change {
        Change::Put(key, record) => (key.encode(), Some(record.clone())),
        Change::Delete(key) => (key.encode(), None),
    })
}

/// The octets of changes: for each the length of the key (u32), the length of the record (u32;
/// all ones if it is removed), key, record.
pub(super) fn encode(edits: impl Iterator<Item = Edit>) -> Vec<u8> {
    let mut octets = Vec::new();
    for (key, record) in edits {
        let length = |octets: &[u8]| u32::try_from(octets.len()).unwrap_or(REMOVED).to_le_bytes();
        octets.extend_from_slice(&length(&key));
        octets.extend_from_slice(&record.as_deref().map_or(REMOVED.to_le_bytes(), length));
        octets.extend_from_slice(&key);
        octets.extend_from_slice(record.as_deref().unwrap_or_default());
    }
    octets
}

pub(super) fn encode_all(contents: &Contents) -> Vec<u8> {
    encode(contents.iter().map(|(key, record)| (key.clone(), Some(record.clone()))))
}

/// In place of the length of a record: the key is removed.
const REMOVED: u32 = u32::MAX;

/// Makes changes that [`encode`] wrote. Tells whether they were whole.
pub(super) fn apply(contents: &mut Contents, mut octets: &[u8]) -> bool {
    while !octets.is_empty() {
        let Some(((key, record), rest)) = split(octets) else { return false };
        match record {
            Some(record) => contents.insert(key.to_vec(), Bytes::copy_from_slice(record)),
            None => contents.remove(key),
        };
        octets = rest;
    }
    true
}

/// A change in its octets: key, and record unless the key is removed.
type Split<'a> = (&'a [u8], Option<&'a [u8]>);

/// The first change, and what comes behind.
fn split(octets: &[u8]) -> Option<(Split<'_>, &[u8])> {
    let (key_length, rest) = octets.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
    match u32::from_le_bytes(*length) {
        REMOVED => Some(((key, None), rest)),
        length => {
            let (record, rest) = rest.split_at_checked(length as usize)?;
            Some(((key, Some(record)), rest))
        }
    }
}

/// What has to be done to `from` for it to be `to`.
pub(super) fn difference(from: &Contents, to: &Contents) -> Vec<Edit> {
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), None));
    let new = to.iter().filter(|(key, record)| from.get(*key) != Some(record));
    gone.chain(new.map(|(key, record)| (key.clone(), Some(record.clone())))).collect()
}

/// A batch that makes changes; what is no key of this version is left out.
pub(super) fn batch(edits: Vec<Edit>) -> Batch {
    let mut batch = Batch::new();
    for (key, record) in edits {
        let Ok(key) = Key::decode(&key) else { continue };
        match record {
            Some(record) => batch.put(key, record),
            None => batch.delete(key),
        }
    }
    batch
}
