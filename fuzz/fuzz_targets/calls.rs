#![no_main]
//! `cargo fuzz run calls fuzz/corpus/calls`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::calls::run(data));
