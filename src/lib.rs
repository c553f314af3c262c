//! leveret: a message broker inside your process that speaks AMQP 0-9-1.

pub mod access;
pub mod definitions;
pub mod names;
