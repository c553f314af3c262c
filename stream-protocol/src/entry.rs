//! Entries of chunks and of Publish frames: a message, or a batch that is stored as one.
//! [rabbitmq stream Publish] [osiris chunk]

use crate::wire::{Reader, Wire};

/// The bit of an entry's first octet that marks a batch.
const BATCH: u8 = 0x80;

/// Largest message, in octets: its length has 31 bits.
const OCTETS_MAX: u32 = u32::MAX >> 1;

/// How a batch is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// Snappy, framed.
    Snappy,
    /// LZ4, framed.
    Lz4,
    /// Zstandard
    Zstd,
    /// One of 5 to 7, which nobody has given a meaning.
    Other(u8),
}

impl Compression {
    fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => Self::Other(other),
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
            Self::Other(bits) => bits & 7,
        }
    }
}

/// Several messages that are stored as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// How `data` is compressed.
    pub compression: Compression,
    /// Number of messages, at least 1; each has an offset.
    pub records: u16,
    /// Octets of `data` when it is not compressed, as the client says.
    pub uncompressed_octets: u32,
    /// The messages, each with its length in front, compressed.
    pub data: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The messages of a batch that is not compressed; nothing for others. Ends early where the
    /// client did not keep to the format, of which servers do not see anything.
    pub fn messages(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader(match self.compression {
            Compression::None => self.data,
            _ => &[],
        });
        (0..self.records).map_while(move |_| match Entry::read(&mut reader)? {
            Entry::Message(message) => Some(message),
            Entry::Batch(_) => None,
        })
    }
}

/// What has one publishing id, and is one entry of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// One message, by convention in the format of AMQP 1.0.
    Message(&'a [u8]),
    /// Several.
    Batch(Batch<'a>),
}

impl<'a> Entry<'a> {
    /// Number of messages, and so of offsets.
    pub fn records(&self) -> u16 {
        match self {
            Self::Message(_) => 1,
            Self::Batch(batch) => batch.records,
        }
    }

    /// Writes it as it stands in a chunk. A message of 2 GiB or more is cut off.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(message) => write_data(message, out),
            Self::Batch(batch) => {
                out.push(BATCH | batch.compression.bits() << 4);
                (batch.records, batch.uncompressed_octets).write(out);
                write_data(batch.data, out);
            }
        }
    }

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let &first = reader.0.first()?;
        if first & BATCH == 0 {
            return read_data(reader).map(Self::Message);
        }
        reader.take(1)?;
        let (records, uncompressed_octets) = reader.read()?;
        let compression = Compression::from_bits(first >> 4 & 7);
        let data = read_data(reader)?;
        // Without messages it would have no offset, and the next entry the same.
        (records > 0).then_some(Self::Batch(Batch {
            compression,
            records,
            uncompressed_octets,
            data,
        }))
    }
}

#[inline]
fn read_data<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let octets = reader.read::<u32>()?;
    reader.take(usize::try_from(octets).ok()?)
}

fn write_data(data: &[u8], out: &mut Vec<u8>) {
    let octets = u32::try_from(data.len()).unwrap_or(OCTETS_MAX).min(OCTETS_MAX);
    octets.write(out);
    out.extend_from_slice(data.get(..octets as usize).unwrap_or_default());
}
