//! `leveret migrate`: to a real cluster of RabbitMQ while clients go on and a node dies, and
//! between two brokers in this process.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod between_leverets;
mod cluster;
mod command;
mod documented;
mod load;
#[allow(dead_code, reason = "others need more of it")]
#[path = "../shovels/rabbitmq_node.rs"]
mod rabbitmq_node;
mod secure;
mod to_a_cluster;
