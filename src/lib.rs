//! leveret: a message broker inside your process that speaks AMQP 0-9-1.

pub mod access;
mod channel;
pub mod clock;
pub mod error;
pub mod exchange;
pub mod limits;
mod memory;
pub mod message;
pub mod names;
pub mod queue;
mod ring;
mod session;
mod timers;
pub mod vhost;
