#![no_main]
//! `cargo fuzz run control fuzz/corpus/control`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::control::run(data));
