//! The connection that declares what a run needs, and deletes it.

use leveret_stream_protocol::Request;

use super::args::BenchArgs;
use super::clock::Clock;
use super::connection::{Connection, Target};
use super::error::LoadError;
use super::stream::StreamConnection;
use super::topology::Topology;
use super::wire::TableValue;

/// Over AMQP or the stream protocol.
pub(super) enum Admin {
    Amqp(Connection),
    Streams(StreamConnection),
}

impl Admin {
    /// Connects as the options say.
    pub(super) fn open(args: &BenchArgs, target: &Target, clock: Clock) -> Result<Self, LoadError> {
        Ok(match args.stream_address() {
            Some(_) => Self::Streams(StreamConnection::open(target, clock)?),
            None => Self::Amqp(Connection::open(target, clock)?),
        })
    }

    /// Declares the exchange and the queues, or the streams.
    pub(super) fn declare(&mut self, topology: &Topology) -> Result<(), LoadError> {
        let connection = match self {
            Self::Amqp(connection) => return topology.declare(connection),
            Self::Streams(connection) => connection,
        };
        let text = |value: &TableValue| match value {
            TableValue::Integer(number) => number.to_string(),
            TableValue::Text(text) => text.clone(),
            TableValue::Boolean(flag) => flag.to_string(),
            TableValue::Table(_) => String::new(),
        };
        // They have the names of AMQP, without what is common to them.
        let arguments = topology.queue_args().iter().map(|(name, value)| {
            let name = name.strip_prefix("x-").unwrap_or(name);
            (name, text(value))
        });
        let arguments: Vec<_> = arguments.filter(|(name, _)| *name != "queue-type").collect();
        for stream in topology.queues() {
            let arguments = arguments.iter().map(|(name, value)| (*name, value.as_str()));
            connection.call(Request::Create { stream, arguments: arguments.collect() })?;
        }
        Ok(())
    }

    /// Deletes what was declared.
    pub(super) fn delete(&mut self, topology: &Topology) -> Result<(), LoadError> {
        match self {
            Self::Amqp(connection) => topology.delete(connection),
            Self::Streams(connection) => topology
                .queues()
                .iter()
                .try_for_each(|stream| connection.call(Request::Delete { stream })),
        }
    }

    /// Ends the connection.
    pub(super) fn close(self) -> Result<(), LoadError> {
        match self {
            Self::Amqp(connection) => connection.close(),
            Self::Streams(connection) => connection.close(),
        }
    }
}
