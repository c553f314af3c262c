//! A consumer's place in a stream: reads messages from there on.

use leveret_storage::{Chunk, ChunkEntries, ChunkEntry, ChunkPosition, StreamReader};

use crate::limits::STREAM_READ_BYTES;
use crate::message::Message;
use crate::message::amqp10::{Decoder, Origin};
use crate::queue::fifo::entry::Entry;
use crate::queue::stream::filter::Filter;
use crate::time::clock::Timestamp;

/// A place in a chunk: between two entries, or between two messages of a sub-batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    entry: ChunkPosition,
    /// Messages of the entry that comes next that are behind it.
    inside: u32,
}

/// A message that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub message: Message,
    pub offset: u64,
    /// When its chunk was appended.
    pub appended_at: Timestamp,
    /// Where it goes on after it.
    pub after: Place,
}

impl Read {
    /// The message as consumers get it: it never counts as delivered before.
    pub(crate) fn into_entry(self) -> Entry {
        Entry {
            message: self.message,
            sequence: self.offset,
            expires_at: Timestamp::NEVER,
            delivery_count: 0,
            failures: 0,
            redelivered: false,
            stored: false,
        }
    }
}

/// A place in a stream.
pub(crate) struct Cursor {
    reader: StreamReader,
    chunk: Option<(Chunk, Place)>,
    filter: Filter,
    decoder: Decoder,
    queue: String,
}

impl Cursor {
    pub(crate) fn new(reader: StreamReader, filter: Filter, queue: &str) -> Self {
        let (chunk, decoder) = (None, Decoder::default());
        Self { reader, chunk, filter, decoder, queue: queue.to_owned() }
    }

    /// The first offset that it is for.
    pub(crate) fn began_at(&self) -> u64 {
        self.reader.start_offset()
    }

    /// Goes on somewhere else.
    pub(crate) fn go_to(&mut self, reader: StreamReader) {
        (self.reader, self.chunk) = (reader, None);
    }

    /// Up to `max` messages from here on; none if that is the end, at present. It stays where it
    /// is.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn read(&mut self, max: usize) -> leveret_storage::Result<Vec<Read>> {
        let mut found = Vec::new();
        while found.is_empty() {
            if self.chunk.is_none() {
                let Some(chunk) = self.reader.next_matching(&self.filter.chunks)? else { break };
                let place = Place { entry: chunk.iter().position(), inside: 0 };
                self.chunk = Some((chunk, place));
            }
            self.read_chunk(max, &mut found);
            if found.is_empty() {
                // Nothing of it is wanted.
                self.chunk = None;
            }
        }
        Ok(found)
    }

    /// Reads what is left of the chunk.
    fn read_chunk(&mut self, max: usize, found: &mut Vec<Read>) {
        let Some((chunk, place)) = &self.chunk else { return };
        let wanted = self.reader.start_offset();
        let mut walk = Walk::new(chunk, *place);
        let mut octets = 0;
        let appended_at = u64::try_from(chunk.timestamp_ms()).unwrap_or(0);
        let appended_at = Timestamp::from_millis(appended_at);
        let (queue, chunk) = (self.queue.as_str(), chunk.octets());
        while found.len() < max && octets < STREAM_READ_BYTES {
            let Some((offset, message, after)) = walk.next() else { break };
            if offset < wanted {
                continue;
            }
            let message = self.decoder.decode(message, Origin { queue, offset, chunk });
            if self.filter.wants(&message) {
                octets += message.body_len();
                found.push(Read { message, offset, appended_at, after });
            }
        }
    }

    /// Goes on after a message that was read.
    pub(crate) fn advance(&mut self, after: Place) {
        if let Some((chunk, place)) = &mut self.chunk {
            *place = after;
            if Walk::new(chunk, after).next().is_none() {
                self.chunk = None;
            }
        }
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cursor").field("reader", &self.reader).finish_non_exhaustive()
    }
}

/// Goes through the messages of a chunk, those of sub-batches that are not compressed included: the
/// others are for clients of the stream protocol.
struct Walk<'a> {
    entries: ChunkEntries<'a>,
    inside: u32,
    /// The sub-batch that it is in.
    batch: Option<Batch<'a>>,
}

/// A sub-batch: where it begins, and what is left of it.
struct Batch<'a> {
    begin: ChunkPosition,
    first_offset: u64,
    messages: Box<dyn Iterator<Item = &'a [u8]> + 'a>,
}

impl<'a> Walk<'a> {
    fn new(chunk: &'a Chunk, place: Place) -> Self {
        Self { entries: chunk.iter_from(place.entry), inside: place.inside, batch: None }
    }

    fn next(&mut self) -> Option<(u64, &'a [u8], Place)> {
        loop {
            if let Some(Batch { begin, first_offset, messages }) = &mut self.batch {
                if let Some(message) = messages.next() {
                    let offset = *first_offset + u64::from(self.inside);
                    self.inside += 1;
                    let after = Place { entry: *begin, inside: self.inside };
                    return Some((offset, message, after));
                }
                (self.batch, self.inside) = (None, 0);
            }
            let begin = self.entries.position();
            match self.entries.next()? {
                ChunkEntry::Message { offset, octets } => {
                    let after = Place { entry: self.entries.position(), inside: 0 };
                    self.inside = 0;
                    return Some((offset, octets, after));
                }
                ChunkEntry::SubBatch { offset, batch } => {
                    if let Some(messages) = batch.messages() {
                        let messages = messages.take(usize::from(batch.records));
                        let rest = messages.skip(self.inside as usize);
                        let messages = Box::new(rest);
                        self.batch = Some(Batch { begin, first_offset: offset, messages });
                    } else {
                        self.inside = 0;
                    }
                }
            }
        }
    }
}
