//! The seeds of a simulation, tried on several threads.

use std::ops::Range;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// How many are tried if nobody says otherwise.
const SEEDS: u64 = 200;

/// Those that `LEVERET_CRASH_SEEDS` says, as a number of them or as `87..88`.
pub(crate) fn wanted() -> Range<u64> {
    let seeds = std::env::var("LEVERET_CRASH_SEEDS").unwrap_or_else(|_| SEEDS.to_string());
    let (first, end) = seeds.split_once("..").unwrap_or(("0", &seeds));
    first.parse().unwrap()..end.parse().unwrap()
}

/// Tries all of them, and fails with those that fail.
pub(crate) fn try_all(seeds: Range<u64>, simulate: impl Fn(u64) + Sync + RefUnwindSafe) {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        break;
                    }
                    if catch_unwind(|| simulate(seed)).is_err() {
                        failed.lock().push(seed);
                    }
                }
            });
        }
    });
    assert_eq!(*failed.lock(), [0; 0], "these seeds fail");
}
