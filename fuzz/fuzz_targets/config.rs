#![no_main]
//! `cargo fuzz run config fuzz/corpus/config`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::config::run(data));
