//! leveret: a message broker inside your process that speaks AMQP 0-9-1.

pub mod access;
#[cfg(feature = "server")]
pub mod config;
pub mod definitions;
pub mod names;
#[cfg(feature = "server")]
pub mod server;
