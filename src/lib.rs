//! leveret: a message broker inside your process that speaks AMQP 0-9-1.

#[cfg(feature = "server")]
pub mod load;
pub mod names;
