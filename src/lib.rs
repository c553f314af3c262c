//! leveret: a message broker inside your process that speaks AMQP 0-9-1.

pub mod exchange;
pub mod names;
