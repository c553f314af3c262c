//! Frames of a ledger: octets that say of themselves where they belong and whether they are whole.
//!
//! ```text
//! 0   4  CRC-32 of the octets from 4 to the end of the payload
//! 4   4  length of the payload
//! 8   8  identity of the ledger
//! 16  8  number of the entry
//! 24  8  number of the last entry that was durable when this one was written
//! 32  1  kind: 1 beginning, 2 entry, 3 clean stop
//! 33  1  format of the ledger: 2, as that of the directory which had the first
//! 34  6  zeros
//! 40     payload, zeros up to a multiple of 8
//! ```

/// Octets before the payload.
pub(super) const HEADER: usize = 40;

/// A ledger of another format has no frame that is whole.
const FORMAT: u8 = 2;

/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything that was entered before, put together.
    Beginning = 1,
    /// An entry.
    Entry = 2,
    /// The ledger was closed in order.
    Clean = 3,
}

/// A frame that is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) identity: u64,
    pub(super) number: u64,
    pub(super) durable: u64,
    pub(super) kind: Kind,
    pub(super) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Octets of a frame with a payload of this length.
    pub(super) fn span(payload: usize) -> usize {
        (HEADER + payload).next_multiple_of(ALIGN)
    }

    pub(super) fn encode(&self, octets: &mut Vec<u8>) {
        let start = octets.len();
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        octets.extend_from_slice(&[0; 4]);
        octets.extend_from_slice(&length.to_le_bytes());
        for number in [self.identity, self.number, self.durable] {
            octets.extend_from_slice(&number.to_le_bytes());
        }
        octets.extend_from_slice(&[self.kind as u8, FORMAT, 0, 0, 0, 0, 0, 0]);
        octets.extend_from_slice(self.payload);
        let checked = octets.get(start + 4..).unwrap_or_default();
        let checksum = crc32fast::hash(checked).to_le_bytes();
        if let Some(field) = octets.get_mut(start..start + 4) {
            field.copy_from_slice(&checksum);
        }
        octets.resize(start + Self::span(self.payload.len()), 0);
    }

    /// The frame at the beginning of these octets, if there is a whole one.
    pub(super) fn decode(octets: &'a [u8]) -> Option<Self> {
        let (header, rest) = octets.split_at_checked(HEADER)?;
        let half = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let word = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let kind = match header.get(32..)? {
            [1, FORMAT, 0, 0, 0, 0, 0, 0] => Kind::Beginning,
            [2, FORMAT, 0, 0, 0, 0, 0, 0] => Kind::Entry,
            [3, FORMAT, 0, 0, 0, 0, 0, 0] => Kind::Clean,
            _ => return None,
        };
        let length = usize::try_from(half(4)?).ok()?;
        let payload = rest.get(..length)?;
        let checked = octets.get(4..HEADER + length)?;
        let frame =
            Self { identity: word(8)?, number: word(16)?, durable: word(24)?, kind, payload };
        (crc32fast::hash(checked) == half(0)?).then_some(frame)
    }
}

/// Octets that the file has where so many are written.
pub(super) fn reserved(end: u64, step: u64) -> u64 {
    match step {
        0 => end,
        _ => end.next_multiple_of(step) + step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let frame =
            Frame { identity: 7, number: 8, durable: 6, kind: Kind::Entry, payload: b"three" };
        let mut octets = Vec::new();
        frame.encode(&mut octets);
        assert_eq!(octets.len(), 48);
        let read = Frame::decode(&octets).unwrap();
        assert_eq!((read.identity, read.number, read.durable), (7, 8, 6));
        assert_eq!((read.kind, read.payload), (Kind::Entry, &b"three"[..]));
        for bit in 0..(HEADER + 5) * 8 {
            octets[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&octets).is_none(), "bit {bit}");
            octets[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(Frame::decode(&octets[..octets.len() - 4]).is_none());
    }
}
