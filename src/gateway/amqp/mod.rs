//! AMQP 0-9-1 of one connection: the task that drives the protocol machine, the bridge from its
//! events to channels, and the outbox.

mod bridge;
pub(crate) mod connection_task;
mod encoding;
mod faults;
mod methods;
mod outbox;
mod pace;
#[cfg(test)]
mod random;
mod spare_buffers;
mod speaker;
