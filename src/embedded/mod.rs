//! The broker as a Rust program uses it, without a socket: connections, channels and consumers
//! that call the same code as AMQP clients reach over the wire.
//!
//! An operation that fails returns its error and, unlike on the wire, leaves the channel open.

mod applying;
mod channel;
mod confirming;
mod connection;
mod consumer;
mod direct;
#[cfg(feature = "remote")]
mod elsewhere;
mod inbox;
mod message;
mod publish;
mod publishing;
mod topology;
mod untaken;
mod waiting;

pub use self::channel::Channel;
pub use self::confirming::no_route;
pub use self::confirming::{Confirmed, Confirming};
pub use self::connection::Connection;
pub use self::consumer::{Consumer, Deliveries};
#[cfg(feature = "remote")]
pub use self::elsewhere::remote;
pub use self::message::{Delivery, Nack, QueuedMessage};
pub use self::publish::Publish;
pub use self::topology::{Binding, ExchangeDelete, QueueDelete};
