#![no_main]
//! `cargo fuzz run recovery fuzz/corpus/recovery`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::recovery::run(data));
