//! Chunks, in the layout of RabbitMQ's streams: what the stream protocol delivers.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | magic and version: 0x50 |
//! | 1 | 1 | kind: 0 messages, 1 changes of names, 2 all names |
//! | 2 | 2 | entries |
//! | 4 | 4 | records: messages |
//! | 8 | 8 | timestamp, milliseconds since 1970 |
//! | 16 | 8 | epoch: 1 |
//! | 24 | 8 | first offset |
//! | 32 | 4 | CRC-32 of the data |
//! | 36 | 4 | octets of data |
//! | 40 | 4 | octets of the trailer: names, which lie elsewhere |
//! | 44 | 1 | octets of the filter, which lies elsewhere |
//! | 45 | 3 | zeros |
//! | 48 | | data |
//!
//! All numbers are big-endian.

use bytes::Bytes;

use crate::stream::batch::SubBatch;

/// Octets of a header.
pub(crate) const HEADER: usize = 48;
const MAGIC: u8 = 0x50;
const EPOCH: u64 = 1;
/// The mark of an entry that is no message, in its first four octets.
const SUB_BATCH_WORD: u32 = 0x8000_0000;

/// What a chunk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages.
    User = 0,
    /// What has changed about names.
    Changes = 1,
    /// Everything about names.
    Checkpoint = 2,
}

/// The header of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) entries: u16,
    pub(crate) records: u32,
    pub(crate) timestamp_ms: i64,
    pub(crate) first_offset: u64,
    pub(crate) checksum: u32,
    pub(crate) data: u32,
    pub(crate) trailer: u32,
    pub(crate) filter: u8,
}

impl Header {
    pub(crate) fn next_offset(&self) -> u64 {
        self.first_offset.saturating_add(u64::from(self.records))
    }

    pub(crate) fn encode(&self, octets: &mut Vec<u8>) {
        octets.extend([MAGIC, self.kind as u8]);
        octets.extend(self.entries.to_be_bytes());
        octets.extend(self.records.to_be_bytes());
        octets.extend(self.timestamp_ms.to_be_bytes());
        octets.extend(EPOCH.to_be_bytes());
        octets.extend(self.first_offset.to_be_bytes());
        octets.extend(self.checksum.to_be_bytes());
        octets.extend(self.data.to_be_bytes());
        octets.extend(self.trailer.to_be_bytes());
        octets.extend([self.filter, 0, 0, 0]);
    }

    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let kind = match octets.get(..2)? {
            [MAGIC, 0] => Kind::User,
            [MAGIC, 1] => Kind::Changes,
            [MAGIC, 2] => Kind::Checkpoint,
            _ => return None,
        };
        let word = |at: usize| Some(u32::from_be_bytes(*octets.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_be_bytes(*octets.get(at..)?.first_chunk()?));
        Some(Self {
            kind,
            entries: u16::from_be_bytes(*octets.get(2..)?.first_chunk()?),
            records: word(4)?,
            timestamp_ms: long(8)?.cast_signed(),
            first_offset: long(24)?,
            checksum: word(32)?,
            data: word(36)?,
            trailer: word(40)?,
            filter: *octets.get(44)?,
        })
    }
}

/// A chunk of messages as it lies on disk.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub(crate) header: Header,
    pub(crate) octets: Bytes,
    /// Which filter values may be in it.
    pub(crate) filter: Bytes,
}

impl Chunk {
    /// The offset of its first message, which is also what the chunk is called.
    pub fn first_offset(&self) -> u64 {
        self.header.first_offset
    }

    /// The offset behind its last message.
    pub fn next_offset(&self) -> u64 {
        self.header.next_offset()
    }

    /// When it was appended, in milliseconds since 1970.
    pub fn timestamp_ms(&self) -> i64 {
        self.header.timestamp_ms
    }

    /// Number of entries: messages and sub-batches.
    pub fn entries(&self) -> u16 {
        self.header.entries
    }

    /// Number of messages.
    pub fn records(&self) -> u32 {
        self.header.records
    }

    /// Header and data, which are as they were written: what the stream protocol delivers.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The entries, in order.
    pub fn iter(&self) -> ChunkEntries<'_> {
        self.iter_from(ChunkPosition { at: HEADER, offset: self.header.first_offset })
    }

    /// The entries from a [position](ChunkEntries::position) on.
    pub fn iter_from(&self, position: ChunkPosition) -> ChunkEntries<'_> {
        ChunkEntries { octets: &self.octets, position }
    }
}

impl<'a> IntoIterator for &'a Chunk {
    type Item = ChunkEntry<'a>;
    type IntoIter = ChunkEntries<'a>;

    fn into_iter(self) -> ChunkEntries<'a> {
        self.iter()
    }
}

/// An entry of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkEntry<'a> {
    /// A message.
    Message {
        /// Its offset.
        offset: u64,
        /// Its octets, by convention AMQP 1.0.
        octets: &'a [u8],
    },
    /// Messages that came together.
    SubBatch {
        /// The offset of the first.
        offset: u64,
        /// They.
        batch: SubBatch<'a>,
    },
}

/// A place between entries of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPosition {
    at: usize,
    offset: u64,
}

/// Iterator of [`Chunk::iter`]. It ends early where the octets are none that leveret wrote.
#[derive(Clone, Debug)]
pub struct ChunkEntries<'a> {
    octets: &'a [u8],
    position: ChunkPosition,
}

impl ChunkEntries<'_> {
    /// Where it is, to go on later.
    pub fn position(&self) -> ChunkPosition {
        self.position
    }
}

impl<'a> Iterator for ChunkEntries<'a> {
    type Item = ChunkEntry<'a>;

    fn next(&mut self) -> Option<ChunkEntry<'a>> {
        let ChunkPosition { at, offset } = self.position;
        let octets = self.octets.get(at..)?;
        let first = u32::from_be_bytes(*octets.first_chunk()?);
        let (entry, span, records) = if first & SUB_BATCH_WORD == 0 {
            let length = first as usize;
            let octets = octets.get(4..4 + length)?;
            (ChunkEntry::Message { offset, octets }, 4 + length, 1)
        } else {
            let batch = parse_sub_batch(octets)?;
            let span = SUB_BATCH_HEAD + batch.octets.len();
            (ChunkEntry::SubBatch { offset, batch }, span, u64::from(batch.records))
        };
        self.position = ChunkPosition { at: at + span, offset: offset + records };
        Some(entry)
    }
}

/// Octets of a sub-batch before its messages.
const SUB_BATCH_HEAD: usize = 11;

fn parse_sub_batch(octets: &[u8]) -> Option<SubBatch<'_>> {
    let length = u32::from_be_bytes(*octets.get(7..)?.first_chunk()?) as usize;
    Some(SubBatch {
        compression: octets.first()? >> 4 & 7,
        records: u16::from_be_bytes(*octets.get(1..)?.first_chunk()?),
        uncompressed_octets: u32::from_be_bytes(*octets.get(3..)?.first_chunk()?),
        octets: octets.get(SUB_BATCH_HEAD..SUB_BATCH_HEAD + length)?,
    })
}

impl<'a> SubBatch<'a> {
    /// The messages, if they are not compressed: the others only their readers can take apart.
    pub fn messages(&self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let mut rest = self.octets;
        let next = move || {
            let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
            let message = rest.get(4..4 + length)?;
            rest = rest.get(4 + length..)?;
            Some(message)
        };
        (self.compression == 0).then(|| std::iter::from_fn(next))
    }
}
