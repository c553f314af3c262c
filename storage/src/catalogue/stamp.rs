//! What the record store says of itself, so that it can be told whether all of it is there.

use bytes::Bytes;
use twox_hash::XxHash3_128;

use super::contents::Contents;
use crate::key::{DefinitionKind, Key};

/// A digest of all records, which can be changed with each of them: the sum of a hash of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(u128);

impl Digest {
    pub(super) fn of(contents: &Contents) -> Self {
        let mut digest = Self::default();
        let own = key().encode();
        let others = contents.iter().filter(|(key, _)| **key != own);
        others.for_each(|(key, record)| digest.add(key, record));
        digest
    }

    pub(super) fn add(&mut self, key: &[u8], record: &[u8]) {
        self.0 = self.0.wrapping_add(hash(key, record));
    }

    pub(super) fn remove(&mut self, key: &[u8], record: &[u8]) {
        self.0 = self.0.wrapping_sub(hash(key, record));
    }
}

fn hash(key: &[u8], record: &[u8]) -> u128 {
    // The length of the key tells where it ends.
    XxHash3_128::oneshot(&[&(key.len() as u64).to_le_bytes(), key, record].concat())
}

/// The stamp of a record store, which every batch renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Identity of the ledger beside it.
    pub(super) identity: u64,
    /// Number of the last batch.
    pub(super) number: u64,
    /// Number of the last batch that was durable in the ledger before.
    pub(super) durable: u64,
    /// Of all records.
    pub(super) digest: Digest,
    /// The store was closed in order.
    pub(super) is_clean: bool,
}

/// The key of the stamp.
pub(super) fn key() -> Key {
    Key::definition(DefinitionKind::Parameter, ["leveret", "catalogue"])
}

impl Stamp {
    pub(super) fn encode(&self) -> Bytes {
        let mut octets = Vec::with_capacity(41);
        for number in [self.identity, self.number, self.durable] {
            octets.extend_from_slice(&number.to_le_bytes());
        }
        octets.extend_from_slice(&self.digest.0.to_le_bytes());
        octets.push(u8::from(self.is_clean));
        octets.into()
    }

    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(octets.get(at..at + 8)?.try_into().ok()?));
        let digest = u128::from_le_bytes(octets.get(24..40)?.try_into().ok()?);
        let is_clean = match octets.get(40..)? {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        Some(Self {
            identity: word(0)?,
            number: word(8)?,
            durable: word(16)?,
            digest: Digest(digest),
            is_clean,
        })
    }
}
