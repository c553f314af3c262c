//! Bodies of the fuzz targets, also run by the tests. They panic only if something that must always
//! hold does not.

#![allow(clippy::expect_used, reason = "panicking is how a fuzz target tells")]

use std::sync::{Arc, mpsc};

use crate::stream::{
    ChunkEntry, Start, StreamBatch, StreamOptions, StreamSettings, Streams, inspect_streams,
    sealed, verify_streams,
};
use crate::testing::{Image, SimulatedDisk};

/// Which stream it is.
const STREAM: u64 = 1;

/// Octets as the file of a segment and as its side file; then as what chunks hold whose checksums
/// are right. Whatever they are, the stream is opened, read, and goes on.
pub fn segment(data: &[u8]) {
    let half = data.get(data.len() / 2..).unwrap_or_default();
    open(data.to_vec(), half.to_vec());
    open(sealed(data), half.to_vec());
}

fn open(chunks: Vec<u8>, index: Vec<u8>) {
    let name = "stream-0000000000000001-0000000000000001-0000000000000000";
    let mut image = Image::new();
    image.insert(format!("{name}.chunks"), chunks);
    image.insert(format!("{name}.index"), index);
    let disk = Arc::new(SimulatedDisk::from_image(image, 1));
    inspect_streams(&*disk).expect("the disk works");
    verify_streams(&*disk, &|_| false).expect("the disk works");
    let streams = Streams::open(disk, StreamOptions::default()).expect("the disk works");
    let (stream, _) = streams.stream(STREAM, StreamSettings::default()).expect("the disk works");
    let mut reader = stream.reader(Start::First).expect("the disk works");
    let mut next = 0;
    while let Some(chunk) = reader.next_chunk().expect("the disk works") {
        assert!(chunk.first_offset() >= next, "offsets ascend");
        next = chunk.next_offset();
        for entry in &chunk {
            if let ChunkEntry::SubBatch { batch, .. } = entry {
                let _ = batch.messages().map(Iterator::count);
            }
        }
    }
    let mut batch = StreamBatch::new();
    batch.message(b"and on").expect("it is small");
    let (sender, committed) = mpsc::sync_channel(1);
    let done = Box::new(move |result| drop(sender.send(result)));
    let appended = stream.append(&batch, 0, done).expect("it is open");
    committed.recv().expect("it is called back").expect("the disk works");
    assert!(appended.first_offset >= next, "it goes on behind what is there");
    let mut reader = stream.reader(Start::Offset(appended.first_offset)).expect("the disk works");
    let last = reader.next_chunk().expect("the disk works").expect("what was appended");
    assert!(last.next_offset() > appended.first_offset);
    streams.close().expect("the disk works");
}
