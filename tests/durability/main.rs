//! What a broker promises over a restart: opened on a directory, stopped in order or copied in the
//! middle of its work, which is what the end of the process leaves.
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod backlog;
mod damage;
#[cfg(feature = "server")]
mod data_tool;
mod declarations;
mod definitions;
mod disk_image;
#[cfg(feature = "server")]
mod disk_log;
mod failures;
mod full_disk;
#[cfg(feature = "server")]
mod kill;
#[cfg(feature = "server")]
mod kill_moves;
#[cfg(feature = "server")]
mod kill_start;
#[cfg(feature = "server")]
mod kill_streams;
mod letters;
mod messages;
mod model;
mod once;
mod power;
mod quorum;
mod random;
#[cfg(feature = "server")]
mod restart;
mod seeds;
#[cfg(feature = "server")]
mod server;
mod simulation;
mod snapshots;
mod stream_model;
mod stream_worker;
mod streams;
mod support;
mod worker;
