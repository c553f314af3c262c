//! Records: chunks as they lie in a segment, each at a multiple of 8.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32 over: stream, segment, position (u64 each), all from 4 on but the data |
//! | 4 | 4 | octets of data |
//! | 8 | 4 | octets of the trailer |
//! | 12 | 4 | octets of the filter |
//! | 16 | 4 | group: which sync of the segment made it durable, from 1 |
//! | 20 | 4 | where that group begins, in multiples of 8 |
//! | 24 | | filter, trailer, header of the chunk, data, zeros up to a multiple of 8 |
//!
//! All numbers before the header are little-endian. Because the checksum begins with the place,
//! what lies anywhere else is never taken for a record. The data has a checksum in the header.

use crate::stream::chunk::{self, Header};

pub(crate) const ALIGN: u64 = 8;
pub(crate) const PREFIX: usize = 24;
/// Octets of a trailer at most: names, up to 4,351 of them.
const TRAILER_MAX: usize = 4 << 20;

/// Which file a record is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) stream: u64,
    pub(crate) segment: u64,
}

/// Which sync made a record durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) number: u32,
    /// Where it begins in its segment.
    pub(crate) start: u64,
}

/// A record whose checksum is right; that of the data was not looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) position: u64,
    pub(crate) group: Group,
    pub(crate) header: Header,
}

/// What octets are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parsed {
    Record(Record),
    /// Maybe a record: that many octets are needed to tell.
    Short(usize),
    Nothing,
}

impl Record {
    /// Octets before the header of the chunk.
    fn head(&self) -> usize {
        PREFIX + usize::from(self.header.filter) + self.header.trailer as usize
    }

    /// Octets up to the next record.
    pub(crate) fn span(&self) -> u64 {
        (self.data_end() as u64).next_multiple_of(ALIGN)
    }

    /// Where the next record begins.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.span()
    }

    fn data_end(&self) -> usize {
        self.head() + chunk::HEADER + self.header.data as usize
    }

    /// Where the chunk is in the octets of the record.
    pub(crate) fn chunk(&self) -> std::ops::Range<usize> {
        self.head()..self.data_end()
    }

    /// The filter, of the octets of the record.
    pub(crate) fn filter<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        octets.get(PREFIX..PREFIX + usize::from(self.header.filter)).unwrap_or_default()
    }

    /// The trailer, of the octets of the record.
    pub(crate) fn trailer<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        octets.get(PREFIX + usize::from(self.header.filter)..self.head()).unwrap_or_default()
    }

    /// Whether the data is what was written; the octets are those of the whole record.
    pub(crate) fn data_is_sound(&self, octets: &[u8]) -> bool {
        let data = octets.get(self.head() + chunk::HEADER..self.data_end());
        data.is_some_and(|data| crc32fast::hash(data) == self.header.checksum)
    }

    /// Looks for a record at the beginning of these octets, which are at `position`.
    pub(crate) fn parse(octets: &[u8], place: Place, position: u64) -> Parsed {
        Self::try_parse(octets, place, position).unwrap_or(Parsed::Nothing)
    }

    fn try_parse(octets: &[u8], place: Place, position: u64) -> Option<Parsed> {
        let word = |at: usize| Some(u32::from_le_bytes(*octets.get(at..)?.first_chunk()?));
        if octets.len() < PREFIX {
            return Some(Parsed::Short(PREFIX));
        }
        let (data, trailer, filter) = (word(4)?, word(8)? as usize, word(12)? as usize);
        if trailer > TRAILER_MAX || filter > usize::from(u8::MAX) {
            return None;
        }
        let header_at = PREFIX + filter + trailer;
        let Some(head) = octets.get(..header_at + chunk::HEADER) else {
            return Some(Parsed::Short(header_at + chunk::HEADER));
        };
        // What is cheap to find out first.
        let header = Header::parse(head.get(header_at..)?)?;
        let agrees = header.data == data
            && header.trailer as usize == trailer
            && usize::from(header.filter) == filter;
        if !agrees || checksum(head, place, position) != word(0)? {
            return None;
        }
        let group = Group { number: word(16)?, start: u64::from(word(20)?) * ALIGN };
        Some(Parsed::Record(Self { position, group, header }))
    }
}

/// The checksum of a record, of its octets up to the data.
fn checksum(head: &[u8], place: Place, position: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for number in [place.stream, place.segment, position] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(head.get(4..).unwrap_or_default());
    hasher.finalize()
}

/// A chunk that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) filter: Vec<u8>,
    pub(crate) trailer: Vec<u8>,
    pub(crate) data: Vec<u8>,
    /// What comes before the data, once it is stamped.
    head: Vec<u8>,
}

impl Draft {
    /// A chunk with this header, whose lengths and checksum are found here.
    pub(crate) fn new(header: Header, filter: Vec<u8>, trailer: Vec<u8>, data: Vec<u8>) -> Self {
        let header = Header {
            checksum: crc32fast::hash(&data),
            data: u32::try_from(data.len()).unwrap_or(u32::MAX),
            trailer: u32::try_from(trailer.len()).unwrap_or(u32::MAX),
            filter: u8::try_from(filter.len()).unwrap_or(u8::MAX),
            ..header
        };
        Self { header, filter, trailer, data, head: Vec::new() }
    }

    /// Octets that it takes in a segment.
    pub(crate) fn span(&self) -> u64 {
        let head = PREFIX + self.filter.len() + self.trailer.len() + chunk::HEADER;
        ((head + self.data.len()) as u64).next_multiple_of(ALIGN)
    }

    /// Makes it ready to be written to this place; can be done anew for another.
    pub(crate) fn stamp(&mut self, place: Place, position: u64, group: Group) {
        let head = &mut self.head;
        head.clear();
        head.extend([0; 4]);
        head.extend(self.header.data.to_le_bytes());
        head.extend(self.header.trailer.to_le_bytes());
        head.extend(u32::from(self.header.filter).to_le_bytes());
        head.extend(group.number.to_le_bytes());
        head.extend(u32::try_from(group.start / ALIGN).unwrap_or(u32::MAX).to_le_bytes());
        head.extend_from_slice(&self.filter);
        head.extend_from_slice(&self.trailer);
        self.header.encode(head);
        let checksum = checksum(head, place, position);
        if let Some(first) = head.first_chunk_mut() {
            *first = checksum.to_le_bytes();
        }
    }

    /// What is written: head, data, and zeros.
    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        const ZEROS: &[u8] = &[0; ALIGN as usize];
        let written = self.head.len() + self.data.len();
        let padding = written.next_multiple_of(ALIGN as usize) - written;
        [&self.head, &self.data, ZEROS.get(..padding).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::chunk::Kind;

    #[test]
    fn a_record_is_found_where_it_was_meant_to_be_and_nowhere_else() {
        let header = Header {
            kind: Kind::User,
            entries: 1,
            records: 1,
            timestamp_ms: -5,
            first_offset: 70,
            checksum: 0,
            data: 0,
            trailer: 0,
            filter: 0,
        };
        let place = Place { stream: 3, segment: 4 };
        let group = Group { number: 9, start: 64 };
        let mut draft = Draft::new(header, vec![1; 16], b"names".to_vec(), b"data".to_vec());
        draft.stamp(place, 128, group);
        let octets = draft.parts().concat();
        assert_eq!(octets.len() as u64, draft.span());
        let Parsed::Record(record) = Record::parse(&octets, place, 128) else { panic!("none") };
        assert_eq!((record.header, record.group, record.end()), (draft.header, group, 232));
        assert!(record.data_is_sound(&octets));
        assert_eq!(
            (record.filter(&octets), record.trailer(&octets)),
            (&[1; 16][..], &b"names"[..])
        );
        assert_eq!(&octets[record.chunk()][48..], b"data");
        for cut in 0..93 {
            assert!(matches!(Record::parse(&octets[..cut], place, 128), Parsed::Short(_)), "{cut}");
        }
        assert!(matches!(Record::parse(&octets, place, 136), Parsed::Nothing));
        let other = Place { segment: 5, ..place };
        assert!(matches!(Record::parse(&octets, other, 128), Parsed::Nothing));
        for at in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[at] ^= 0x10;
            let sound = match Record::parse(&damaged, place, 128) {
                Parsed::Record(record) => record.data_is_sound(&damaged),
                _ => false,
            };
            assert_eq!(sound, at >= 97, "{at}"); // the rest are the zeros behind the data
        }
    }
}
