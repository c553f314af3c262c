//! The log: what every message store does, crashes, damage, a disk that fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod crashes;
mod damage;
mod failures;
mod files;
mod full;
mod support;
