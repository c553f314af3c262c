//! Streams, through the public API.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod crashes;
mod damage;
mod failures;
mod gates;
mod missing;
mod noise;
mod retention;
mod support;
