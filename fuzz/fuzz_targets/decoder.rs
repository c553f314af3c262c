#![no_main]
//! `cargo fuzz run decoder fuzz/corpus/decoder protocol/tests/corpus/decoder`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_protocol::fuzz::decoder(data));
