//! What Deliver carries: a run of messages as they are stored. [osiris chunk]

use crate::entry::Entry;
use crate::wire::{Reader, Wire};

/// First octet of every chunk: magic 5, version 0.
const MAGIC: u8 = 0x50;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// Messages.
    User,
    /// Changes of stored offsets; not sent to consumers.
    TrackingDelta,
    /// All stored offsets; not sent to consumers.
    TrackingSnapshot,
}

/// The front of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// What it holds.
    pub kind: ChunkKind,
    /// Messages and batches.
    pub entries: u16,
    /// Messages, those in batches included; as many offsets.
    pub records: u32,
    /// When it was written, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Number of the leader's term.
    pub epoch: u64,
    /// Offset of its first message, by which the chunk is known.
    pub first_offset: u64,
    /// CRC-32 of its data.
    pub crc: u32,
    /// Octets of its entries.
    pub data_octets: u32,
    /// Octets that follow the data where it is stored; they are not sent.
    pub trailer_octets: u32,
    /// Octets of its filter where it is stored; they are not sent.
    pub filter_octets: u8,
}

impl ChunkHeader {
    /// Size on the wire.
    pub const OCTETS: usize = 48;

    /// Reads it from the front of `octets`; `None` if that is no chunk of a version that is known.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader(octets.get(..Self::OCTETS)?);
        let (magic, kind, entries) = reader.read::<(u8, u8, u16)>()?;
        let kind = match (magic, kind) {
            (MAGIC, 0) => ChunkKind::User,
            (MAGIC, 1) => ChunkKind::TrackingDelta,
            (MAGIC, 2) => ChunkKind::TrackingSnapshot,
            _ => return None,
        };
        let (records, timestamp_ms, epoch) = reader.read()?;
        let (first_offset, crc, data_octets) = reader.read()?;
        let (trailer_octets, filter_octets) = reader.read()?;
        Some(Self {
            kind,
            entries,
            records,
            timestamp_ms,
            epoch,
            first_offset,
            crc,
            data_octets,
            trailer_octets,
            filter_octets,
        })
    }

    /// Writes it; the data is to follow.
    pub fn write(&self, out: &mut Vec<u8>) {
        let kind: u8 = match self.kind {
            ChunkKind::User => 0,
            ChunkKind::TrackingDelta => 1,
            ChunkKind::TrackingSnapshot => 2,
        };
        (MAGIC, kind, self.entries).write(out);
        (self.records, self.timestamp_ms, self.epoch).write(out);
        (self.first_offset, self.crc, self.data_octets).write(out);
        (self.trailer_octets, self.filter_octets).write(out);
        out.extend_from_slice(&[0; 3]);
    }

    /// Offset of the first message after it.
    pub fn next_offset(&self) -> u64 {
        self.first_offset.saturating_add(u64::from(self.records))
    }
}

/// Why something is no sound chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It does not begin as one.
    #[error("this does not begin as a chunk of a known version")]
    Header,
    /// Octets are missing.
    #[error("the chunk has {octets} octets of data, its header says {expected}")]
    Short {
        /// Octets after the header.
        octets: usize,
        /// Octets there should be.
        expected: u32,
    },
    /// Its data is damaged.
    #[error("the CRC of the chunk's data is {found:#010x}, its header says {expected:#010x}")]
    Crc {
        /// CRC of the data.
        found: u32,
        /// CRC in the header.
        expected: u32,
    },
    /// Its entries cannot be read, or are not as many as the header says.
    #[error("the entries of the chunk do not fit its header")]
    Entries,
}

/// A sound chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Its front.
    pub header: ChunkHeader,
    data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Reads a chunk from the front of `octets`, and looks through its entries.
    ///
    /// # Errors
    /// [`ChunkError`] tells what is wrong with it.
    pub fn read(octets: &'a [u8]) -> Result<Self, ChunkError> {
        let header = ChunkHeader::read(octets).ok_or(ChunkError::Header)?;
        let rest = octets.get(ChunkHeader::OCTETS..).unwrap_or_default();
        let data = usize::try_from(header.data_octets).ok().and_then(|end| rest.get(..end));
        let expected = header.data_octets;
        let data = data.ok_or(ChunkError::Short { octets: rest.len(), expected })?;
        let (found, expected) = (crc32fast::hash(data), header.crc);
        if found != expected {
            return Err(ChunkError::Crc { found, expected });
        }
        let chunk = Self { header, data };
        if header.kind == ChunkKind::User {
            chunk.count_entries()?;
        }
        Ok(chunk)
    }

    fn count_entries(&self) -> Result<(), ChunkError> {
        let mut reader = Reader(self.data);
        let mut records = 0_u32;
        for _ in 0..self.header.entries {
            let entry = Entry::read(&mut reader).ok_or(ChunkError::Entries)?;
            records += u32::from(entry.records());
        }
        match reader.is_empty() && records == self.header.records {
            true => Ok(()),
            false => Err(ChunkError::Entries),
        }
    }

    /// Its entries, each with the offset of its first message; none if it holds no messages.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Entry<'a>)> + use<'a> {
        let mut reader = Reader(self.data);
        let mut offset = self.header.first_offset;
        let count = if self.header.kind == ChunkKind::User { self.header.entries } else { 0 };
        (0..count).map_while(move |_| {
            let entry = Entry::read(&mut reader)?;
            let first = offset;
            offset = offset.saturating_add(u64::from(entry.records()));
            Some((first, entry))
        })
    }
}

/// Puts entries together to a chunk.
#[derive(Clone, Debug, Default)]
pub struct ChunkBuilder {
    entries: u16,
    records: u32,
    data: Vec<u8>,
}

impl ChunkBuilder {
    /// A chunk without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry; `false` if the chunk has as many as it can have.
    pub fn push(&mut self, entry: &Entry<'_>) -> bool {
        if self.entries == u16::MAX {
            return false;
        }
        self.entries += 1;
        self.records += u32::from(entry.records());
        entry.write(&mut self.data);
        true
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Writes header and data: what Deliver carries.
    pub fn write(&self, first_offset: u64, timestamp_ms: i64, out: &mut Vec<u8>) {
        let header = ChunkHeader {
            kind: ChunkKind::User,
            entries: self.entries,
            records: self.records,
            timestamp_ms,
            epoch: 1,
            first_offset,
            crc: crc32fast::hash(&self.data),
            data_octets: u32::try_from(self.data.len()).unwrap_or(u32::MAX),
            trailer_octets: 0,
            filter_octets: 0,
        };
        header.write(out);
        out.extend_from_slice(&self.data);
    }
}
