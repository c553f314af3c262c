#![no_main]
//! Corpus: `storage/tests/corpus/stream_segment`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_storage::fuzz::segment(data));
