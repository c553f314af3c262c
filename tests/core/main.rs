//! What the broker's core does, through the public embedded API, on a clock that the tests move.
//! No test sleeps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod acks;
mod arbitrary_input;
mod bad_input;
mod brokers;
mod confirms;
mod consumers;
mod dead_letters;
mod declarations;
mod definitions;
mod delays;
mod deprecated;
mod endings;
mod exchanges;
mod explain;
mod extensions;
mod flow;
mod holding;
mod inspection;
mod journal;
mod lengths;
mod likeness;
mod lint;
mod many;
mod policies;
mod priorities;
mod queues;
mod quorum;
mod races;
mod random_snapshots;
mod reply_to;
mod short_way;
mod simulation;
mod snapshots;
mod statistics;
mod stream_api;
mod stream_groups;
mod stream_testing;
mod streams;
mod support;
mod time;
mod transactions;
