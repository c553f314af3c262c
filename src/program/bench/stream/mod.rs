//! The same load over RabbitMQ's stream protocol: publishers that send batches, and readers that
//! give credit.

mod connection;
mod publisher;
mod reader;

pub(super) use self::connection::StreamConnection;
pub(super) use self::publisher::StreamPublisher;
pub(super) use self::reader::StreamReader;
