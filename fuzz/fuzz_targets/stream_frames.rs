#![no_main]
//! Corpus: `stream-protocol/tests/corpus/stream_frames`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_stream_protocol::fuzz::frames(data));
