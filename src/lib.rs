//! leveret: a message broker inside your process that speaks AMQP 0-9-1.

pub mod access;
mod broker;
mod channel;
pub mod clock;
mod deaths;
mod embedded;
mod error;
pub mod exchange;
#[cfg(feature = "gateway")]
mod gateway;
pub mod limits;
mod memory;
pub mod message;
#[cfg(feature = "server")]
pub mod load;
pub mod names;
pub mod queue;
mod ring;
mod session;
mod timers;
pub mod vhost;

pub use self::broker::{Broker, BrokerBuilder};
pub use self::channel::Consume;
pub use self::clock::{ManualClock, Timestamp};
pub use self::embedded::{
    Binding, Channel, Confirmed, Connection, Consumer, Delivery, Publish, ReturnedMessage,
};
pub use self::error::{Error, Resource, Result, Scope};
pub use self::limits::Limits;
pub use self::vhost::{ExchangeDeclare, QueueDeclare, QueueDeclareOk};

/// Properties of a message: `content_type`, `headers`, `delivery_mode` and so on.
pub use amq_protocol::protocol::BasicProperties;
/// Values and tables as AMQP has them.
pub use amq_protocol::types::{AMQPValue, FieldTable};
