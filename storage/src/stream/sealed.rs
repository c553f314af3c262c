//! Records of any content whose checksums are right, for the fuzz target: noise alone hardly ever
//! gets past a checksum.

use crate::stream::chunk::{Header, Kind};
use crate::stream::record::{Draft, Group, Place};

/// Octets of each record's description.
const DESCRIPTION: usize = 6;

/// A segment of the first stream. The octets tell of each record what it is, what it counts, how
/// long filter, trailer and data are, and then what they are. Offsets ascend, as in anything that
/// was written.
pub(crate) fn sealed(mut octets: &[u8]) -> Vec<u8> {
    let place = Place { stream: 1, segment: 1 };
    let (mut segment, mut next_offset) = (Vec::new(), 0);
    while let Some(([kind, records, entries, filter, trailer, data], rest)) =
        octets.split_first_chunk::<DESCRIPTION>()
    {
        octets = rest;
        let mut take = |length: u8| {
            let (taken, rest) = octets.split_at(octets.len().min(length.into()));
            octets = rest;
            taken.to_vec()
        };
        let (filter, trailer, data) = (take(*filter), take(*trailer), take(*data));
        let header = Header {
            kind: [Kind::User, Kind::Changes, Kind::Checkpoint][usize::from(kind % 3)],
            entries: u16::from(*entries),
            records: u32::from(*records),
            timestamp_ms: i64::from(*kind),
            first_offset: next_offset,
            checksum: 0,
            data: 0,
            trailer: 0,
            filter: 0,
        };
        next_offset = header.next_offset();
        let mut draft = Draft::new(header, filter, trailer, data);
        draft.stamp(place, segment.len() as u64, Group { number: 1, start: 0 });
        draft.parts().iter().for_each(|part| segment.extend_from_slice(part));
    }
    segment
}
