//! Creating and deleting streams, and where they are.

use amq_protocol::types::{AMQPValue, FieldTable};
use leveret_stream_protocol::{
    BrokerAddress, NO_BROKER, Properties, Response, ResponseCode, StreamPlace,
};

use crate::access::Access;
use crate::base::argument;
use crate::base::names::{QueueName, RESERVED_PREFIX};
use crate::error::Error;
use crate::gateway::stream::client::Client;
use crate::vhost::QueueDeclare;

/// Arguments that are numbers, with the names that they have in AMQP.
const NUMBERS: [(&str, &str); 4] = [
    ("max-length-bytes", argument::MAX_LENGTH_BYTES),
    ("stream-max-segment-size-bytes", argument::STREAM_MAX_SEGMENT_SIZE_BYTES),
    ("initial-cluster-size", argument::INITIAL_CLUSTER_SIZE),
    ("stream-filter-size-bytes", argument::STREAM_FILTER_SIZE_BYTES),
];

/// Arguments that are text, with the names that they have in AMQP.
const TEXTS: [(&str, &str); 2] =
    [("max-age", argument::MAX_AGE), ("queue-leader-locator", argument::QUEUE_LEADER_LOCATOR)];

/// The place of the one broker in the answer to Metadata.
const BROKER: u16 = 0;

/// The arguments of a stream as AMQP has them; `None` if one is no number that should be. Unknown
/// ones mean nothing, and an age that cannot be read means that there is none, as in RabbitMQ.
pub(super) fn stream_arguments(arguments: &Properties<'_>) -> Option<FieldTable> {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        if let Some((_, amqp)) = NUMBERS.iter().find(|(known, _)| known == name) {
            table.insert((*amqp).into(), AMQPValue::LongLongInt(value.parse().ok()?));
        }
        if let Some((_, amqp)) = TEXTS.iter().find(|(known, _)| known == name) {
            if *name == "max-age" && crate::queue::stream::age::parse_ms(value).is_none() {
                continue;
            }
            table.insert((*amqp).into(), AMQPValue::LongString((*value).into()));
        }
    }
    Some(table)
}

/// The name of a stream without line ends, if it may be called that.
fn checked_name(name: &str) -> Option<String> {
    let name = name.replace(['\r', '\n'], "");
    (!name.is_empty() && !name.starts_with(RESERVED_PREFIX)).then_some(name)
}

/// What a refusal of the virtual host is here.
pub(super) fn refusal(error: &Error) -> ResponseCode {
    match error {
        Error::AccessRefused(_) => ResponseCode::AccessRefused,
        Error::NotFound(_) => ResponseCode::StreamDoesNotExist,
        Error::Storage(_) => ResponseCode::InternalError,
        _ => ResponseCode::PreconditionFailed,
    }
}

impl Client {
    pub(super) fn create(&mut self, stream: &str, arguments: &Properties<'_>) -> ResponseCode {
        let Some(name) = checked_name(stream) else { return ResponseCode::PreconditionFailed };
        if !self.may(Access::Configure, &name) {
            return ResponseCode::AccessRefused;
        }
        let Some(arguments) = stream_arguments(arguments) else {
            return ResponseCode::PreconditionFailed;
        };
        let Some(session) = &self.session else { return ResponseCode::InternalError };
        let host = &session.virtual_host;
        let is_there = host.queue(&name).is_ok();
        let declare = QueueDeclare::new(&name).durable().arguments(arguments);
        let declare = declare.argument(argument::QUEUE_TYPE, "stream");
        match host.queue_declare(&session.actor, &declare, &mut self.effects) {
            Ok(_) if is_there => ResponseCode::StreamAlreadyExists,
            Ok(_) => ResponseCode::Ok,
            Err(error) => {
                tracing::info!("stream '{name}' is not created: {error}");
                refusal(&error)
            }
        }
    }

    /// A stream in use is missed by its users, who are told.
    pub(super) fn delete(&mut self, stream: &str) -> ResponseCode {
        if !self.may(Access::Configure, stream) {
            return ResponseCode::AccessRefused;
        }
        let (Some(session), Some(_)) = (&self.session, self.find(stream)) else {
            return ResponseCode::StreamDoesNotExist;
        };
        let (actor, host) = (&session.actor, &session.virtual_host);
        match host.queue_delete(actor, stream, false, false, &mut self.effects) {
            Ok(_) => ResponseCode::Ok,
            Err(error) => refusal(&error),
        }
    }

    /// Who asks need not have any right.
    pub(super) fn metadata(&mut self, correlation: u32, names: &[&str]) {
        let mut asked = names.to_vec();
        asked.sort_unstable();
        asked.dedup();
        let place = |stream| {
            let (code, leader) = match self.find(stream) {
                Some(_) => (ResponseCode::Ok, BROKER),
                None => (ResponseCode::StreamDoesNotExist, NO_BROKER),
            };
            StreamPlace { stream, code, leader, replicas: Vec::new() }
        };
        let streams: Vec<_> = asked.into_iter().map(place).collect();
        let advertised = self.advertised.clone();
        let mut brokers = Vec::new();
        if streams.iter().any(|stream| stream.code.is_ok()) {
            let (host, port) = (advertised.host.as_str(), advertised.port.into());
            brokers.push(BrokerAddress { index: BROKER, host, port });
        }
        self.respond(correlation, Response::Metadata { brokers, streams });
    }

    /// Where a routing key leads to; that it leads nowhere is no error.
    pub(super) fn route(&self, exchange: &str, key: &str) -> (ResponseCode, Vec<QueueName>) {
        let found = self.session.as_ref().map(|it| it.virtual_host.route_to_streams(exchange, key));
        answer(found)
    }

    pub(super) fn partitions(&self, super_stream: &str) -> (ResponseCode, Vec<QueueName>) {
        let found = self.session.as_ref().map(|it| it.virtual_host.partitions(super_stream));
        answer(found)
    }
}

fn answer(found: Option<crate::Result<Vec<QueueName>>>) -> (ResponseCode, Vec<QueueName>) {
    match found {
        Some(Ok(streams)) => (ResponseCode::Ok, streams),
        _ => (ResponseCode::StreamDoesNotExist, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_get_the_names_and_types_of_amqp() {
        let arguments = [("max-length-bytes", "5000"), ("max-age", "7D"), ("colour", "blue")];
        let table = stream_arguments(&arguments.to_vec()).unwrap();
        let mut expected = FieldTable::default();
        expected.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(5000));
        expected.insert("x-max-age".into(), AMQPValue::LongString("7D".into()));
        assert_eq!(table, expected);
        assert_eq!(stream_arguments(&vec![("max-length-bytes", "much")]), None);
        assert_eq!(stream_arguments(&vec![("max-age", "7x")]), Some(FieldTable::default()));
    }

    #[test]
    fn names_lose_their_line_ends() {
        assert_eq!(checked_name("a\r\nb").as_deref(), Some("ab"));
        assert_eq!(checked_name("  ").as_deref(), Some("  "));
        assert_eq!((checked_name("\n"), checked_name("amq.x")), (None, None));
    }
}
