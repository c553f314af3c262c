#![no_main]
//! `cargo fuzz run http fuzz/corpus/http`

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::http::run(data));
