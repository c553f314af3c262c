//! The load command: puts load on any AMQP 0-9-1 server and measures it.
//!
//! It can keep a server busy that passes on over a million small messages per second while it
//! shares two cores with it, so it is built to cost little itself: plain threads and blocking
//! sockets, publishes that are encoded once and written in batches, deliveries that are walked
//! in the read buffer without allocating, and acknowledgements that are sent once per read.
//!
//! `stream` does the same over RabbitMQ's stream protocol, with the codec of
//! `leveret_stream_protocol`.
//!
//! [`run`] does a whole run: declare, warm up, measure, end, delete. [`run_suite`] does all of the
//! standard loads, [`run_many`] those with many connections, channels, queues and so on.

mod admin;
mod args;
mod clock;
mod confirms;
mod connection;
mod consumer;
mod control;
mod error;
mod footprint;
mod many;
mod process;
mod publisher;
mod report;
mod ring;
mod run;
mod stream;
mod suite;
mod topology;
mod wire;

pub(crate) use args::BenchArgs;
pub(crate) use many::run_many;
pub(crate) use run::run;
pub(crate) use suite::run_suite;

#[cfg(test)]
mod wire_tests;
