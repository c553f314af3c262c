#![no_main]
//! `cargo fuzz run connection fuzz/corpus/connection protocol/tests/corpus/connection`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_protocol::fuzz::connection(data));
