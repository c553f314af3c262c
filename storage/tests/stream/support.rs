//! Words that the tests of streams have in common, and chances from a seed.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use leveret_storage::testing::SimulatedDisk;
use leveret_storage::{
    Appended, Chunk, ChunkEntry, Content, Disk, Done, Error, NewEntry, RecoveredStream, Start,
    Stream, StreamBatch, StreamOptions, StreamReader, StreamSettings, Streams,
};

/// The stream that tests are about.
pub(crate) const ID: u64 = 7;

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 20) % limit
    }

    pub(crate) fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }
}

pub(crate) fn options() -> StreamOptions {
    let mut options = StreamOptions::default();
    options.chunk_octets = 300;
    options.group_octets = 2000;
    options.backlog_octets = 20_000;
    options.wait_at_most = Duration::from_millis(1);
    options.retry_after = Duration::from_millis(1);
    options.open_files = 2;
    options
}

pub(crate) fn settings(segment_octets: u64) -> StreamSettings {
    StreamSettings { segment_octets, ..StreamSettings::default() }
}

pub(crate) fn open_on(disk: &SimulatedDisk) -> Streams {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Streams::open(disk, options()).unwrap()
}

/// The stream of a test, and what was found out about it.
pub(crate) fn stream(
    streams: &Streams,
    settings: StreamSettings,
) -> (Arc<Stream>, RecoveredStream) {
    streams.stream(ID, settings).unwrap()
}

pub(crate) fn nothing() -> Done {
    Box::new(|_| ())
}

/// Appends and waits until it is committed.
pub(crate) fn append(
    stream: &Arc<Stream>,
    batch: &StreamBatch,
    now_ms: i64,
) -> Result<Appended, Error> {
    let (sender, receiver) = sync_channel(1);
    let done = Box::new(move |result| sender.send(result).unwrap());
    let appended = stream.append(batch, now_ms, done);
    receiver.recv().unwrap().and(appended)
}

/// Appends messages and waits until they are committed.
pub(crate) fn put(stream: &Arc<Stream>, now_ms: i64, messages: &[&str]) -> Appended {
    let mut batch = StreamBatch::new();
    messages.iter().for_each(|message| batch.message(message.as_bytes()).unwrap());
    append(stream, &batch, now_ms).unwrap()
}

/// Entry with a filter value.
pub(crate) fn filtered<'a>(parts: &'a [&'a [u8]], value: &'a str) -> NewEntry<'a> {
    let filter = Some(value.as_bytes());
    NewEntry { publishing_id: 0, filter, content: Content::Message(parts) }
}

/// The messages of a chunk with their offsets.
pub(crate) fn messages(chunk: &Chunk) -> Vec<(u64, String)> {
    let message = |entry| match entry {
        ChunkEntry::Message { offset, octets } => {
            (offset, String::from_utf8(octets.to_vec()).unwrap())
        }
        ChunkEntry::SubBatch { .. } => panic!("a sub-batch"),
    };
    let found: Vec<_> = chunk.iter().map(message).collect();
    assert_eq!(found.len(), usize::from(chunk.entries()));
    assert_eq!(found.len() as u32, chunk.records());
    assert_eq!(found.first().map(|(offset, _)| *offset), Some(chunk.first_offset()));
    assert_eq!(found.last().map(|(offset, _)| offset + 1), Some(chunk.next_offset()));
    found
}

/// What a reader still finds.
pub(crate) fn rest(reader: &mut StreamReader) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        found.extend(messages(&chunk));
        assert_eq!(reader.next_offset(), chunk.next_offset());
    }
    found
}

/// What there is from a place on that is wanted.
pub(crate) fn read(stream: &Arc<Stream>, start: Start) -> Vec<(u64, String)> {
    let mut reader = stream.reader(start).unwrap();
    let wanted = reader.start_offset();
    rest(&mut reader).into_iter().filter(|(offset, _)| *offset >= wanted).collect()
}

pub(crate) fn numbered(messages: &[&str], from: u64) -> Vec<(u64, String)> {
    (from..).zip(messages.iter().map(|message| (*message).to_owned())).collect()
}
