//! What is appended to a stream together.

use crate::error::{Error, Result};
use crate::stream::bloom;
use crate::stream::tracking::Name;

/// Octets of one entry, at most.
const ENTRY_OCTETS_MAX: usize = 1 << 30;

/// In the first octet of an entry that is no message.
pub(crate) const SUB_BATCH: u8 = 0x80;

/// Something to append.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    /// By what its publisher knows it; without a meaning in a batch of no publisher.
    pub publishing_id: u64,
    /// By what readers can leave it out; an empty value is none.
    pub filter: Option<&'a [u8]>,
    /// What it is.
    pub content: Content<'a>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A message, by convention one of AMQP 1.0, in parts.
    Message(&'a [&'a [u8]]),
    /// Messages that came together, maybe compressed. Nobody looks inside.
    SubBatch(SubBatch<'a>),
}

/// Messages that came together, as the stream protocol has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubBatch<'a> {
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd, up to 7.
    pub compression: u8,
    /// How many messages.
    pub records: u16,
    /// Octets of the messages.
    pub uncompressed_octets: u32,
    /// The octets as they came.
    pub octets: &'a [u8],
}

/// An entry of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryMark {
    /// Where it ends in the octets of the batch.
    pub(crate) end: usize,
    pub(crate) records: u32,
    pub(crate) publishing_id: u64,
    pub(crate) filter: bloom::ValueHash,
}

/// Entries that are appended together, encoded as they are added: whoever adds them pays for that.
/// They may be put into one chunk with those of others, and into several chunks.
#[derive(Clone, Debug, Default)]
pub struct StreamBatch {
    pub(crate) octets: Vec<u8>,
    pub(crate) entries: Vec<EntryMark>,
    pub(crate) publisher: Option<Name>,
    pub(crate) expected: Option<u64>,
}

impl StreamBatch {
    /// No entries, of nobody in particular.
    pub fn new() -> Self {
        Self::default()
    }

    /// No entries, of a publisher: those whose publishing ids are not above its highest one are
    /// left out when the batch is appended.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a reference over 255 octets.
    pub fn from_publisher(reference: &str) -> Result<Self> {
        Ok(Self { publisher: Some(Name::new(reference)?), ..Self::default() })
    }

    /// Has it appended only if the stream's [next offset](crate::Stream::next_offset) is this one.
    pub fn expect(&mut self, next_offset: u64) {
        self.expected = Some(next_offset);
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for one over 1 GiB.
    pub fn push(&mut self, entry: NewEntry<'_>) -> Result<()> {
        let records = match entry.content {
            Content::Message(parts) => {
                let length = parts.iter().map(|part| part.len()).sum();
                self.octets.extend(length_of(length)?.to_be_bytes());
                parts.iter().for_each(|part| self.octets.extend_from_slice(part));
                1
            }
            Content::SubBatch(batch) => {
                let length = length_of(batch.octets.len())?;
                self.octets.push(SUB_BATCH | (batch.compression & 7) << 4);
                self.octets.extend(batch.records.to_be_bytes());
                self.octets.extend(batch.uncompressed_octets.to_be_bytes());
                self.octets.extend(length.to_be_bytes());
                self.octets.extend_from_slice(batch.octets);
                u32::from(batch.records)
            }
        };
        self.entries.push(EntryMark {
            end: self.octets.len(),
            records,
            publishing_id: entry.publishing_id,
            filter: entry.filter.map_or(bloom::NO_VALUE, bloom::hash),
        });
        Ok(())
    }

    /// Adds a message without a filter value.
    ///
    /// # Errors
    /// Those of [`StreamBatch::push`].
    pub fn message(&mut self, octets: &[u8]) -> Result<()> {
        let content = Content::Message(&[octets]);
        self.push(NewEntry { publishing_id: 0, filter: None, content })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of messages: those of entries that hold several count one by one.
    pub fn messages(&self) -> usize {
        self.entries.iter().map(|entry| entry.records as usize).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn length_of(octets: usize) -> Result<u32> {
    match u32::try_from(octets) {
        Ok(length) if octets <= ENTRY_OCTETS_MAX => Ok(length),
        _ => Err(Error::TooLarge),
    }
}
