//! What the plain benchmarks share: sizes for a quick run, stopwatch, one line for each figure.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Whether each benchmark only has to work: `cargo test --bench NAME`, or `--test`.
pub(crate) fn is_quick() -> bool {
    let mut arguments = std::env::args();
    !arguments.any(|argument| argument == "--bench") || std::env::args().any(|a| a == "--test")
}

/// `full`, or a hundredth of it in a quick run.
pub(crate) fn scaled(full: u64) -> u64 {
    if is_quick() { (full / 100).max(1) } else { full }
}

/// Does the work and prints how long it took for each of `count`.
pub(crate) fn time<R>(what: impl Display, per: &str, count: u64, work: impl FnOnce() -> R) -> R {
    let (result, elapsed) = timed(work);
    print(what, nanoseconds(elapsed) / count as f64, &format!("ns/{per}"));
    result
}

/// Does the work and tells how long it took.
#[allow(clippy::disallowed_methods)] // a stopwatch
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}

/// Prints one figure.
pub(crate) fn print(what: impl Display, value: f64, unit: &str) {
    println!("{what:<52} {value:>12.1} {unit}");
}

/// A duration as a number.
pub(crate) fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// Random numbers, the same in every run (SplitMix64).
pub(crate) struct Random(pub u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
