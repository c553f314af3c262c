//! `leveret migrate`: to a real cluster of RabbitMQ while clients go on and a node dies, and
//! between two brokers in this process.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod between_leverets;
mod cluster;
mod command;
mod load;
mod to_a_cluster;
