//! How far a catalogue was when it was closed in order, in a file of its own.
//!
//! What overwrites the last entries of the ledger may look as if a crash had torn them; if the
//! records end before them, too, nothing else tells that there were any. It is written once the
//! ledger is closed, and never synced: if it is there, it is so, and since numbers only ascend it
//! is so for ever.
//!
//! Two slots, at 0 for even numbers and at 512 for odd ones:
//!
//! ```text
//! 0   u32  CRC-32 of the octets from 8 to 23
//! 4   u32  zero
//! 8   u64  identity of the ledger
//! 16  u64  number of the last entry
//! ```

use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::two_slots::{self, TwoSlots};

const NAME: &str = "catalogue.last";
const SLOT: usize = 24;

/// Nothing is changed as often.
const NUMBER_MAX: u64 = 1 << 62;

/// Identities of ledgers, and numbers that they had.
#[derive(Debug, Default)]
pub(super) struct Witness(Vec<(u64, u64)>);

impl Witness {
    /// # Errors
    /// If the disk fails.
    pub(super) fn read(disk: &dyn Disk) -> io::Result<Self> {
        Ok(Self(two_slots::read(disk, NAME, decode)?))
    }

    /// A number that this ledger has had at least.
    pub(super) fn last(&self, identity: u64) -> u64 {
        let own = self.0.iter().filter(|(whose, _)| *whose == identity);
        own.map(|(_, number)| *number).filter(|number| *number < NUMBER_MAX).max().unwrap_or(0)
    }
}

/// Notes that a ledger was closed in order with this number.
///
/// # Errors
/// If the disk fails.
pub(super) fn note(disk: Arc<dyn Disk>, identity: u64, number: u64) -> io::Result<()> {
    TwoSlots::new(disk, NAME.to_owned()).write(number, &encode(identity, number))
}

fn encode(identity: u64, number: u64) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[8..16].copy_from_slice(&identity.to_le_bytes());
    slot[16..].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32fast::hash(&slot[8..]);
    slot[..4].copy_from_slice(&checksum.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT]) -> Option<(u64, u64)> {
    let word = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
    let checksum = u32::from_le_bytes(*slot.first_chunk()?);
    (checksum == crc32fast::hash(&slot[8..])).then_some((word(8)?, word(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut slot = encode(7, 9);
        assert_eq!(decode(&slot), Some((7, 9)));
        for bit in (0..32).chain(64..SLOT * 8) {
            slot[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&slot), None, "bit {bit}");
            slot[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
