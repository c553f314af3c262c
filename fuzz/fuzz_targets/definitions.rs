#![no_main]
//! `cargo fuzz run definitions fuzz/corpus/definitions`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::definitions::run(data));
