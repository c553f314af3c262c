//! Declaring again what exists: the attributes must be the same `[amqp 0-9-1 queue.declare]`.

use std::fmt::Display;

use amq_protocol::types::AMQPValue;

use crate::base::argument;
use crate::base::erlang_term;
use crate::base::field_value::{get, integer, type_name};
use crate::base::ids::ConnectionId;
use crate::error::{Error, Precondition, Resource, Result};
use crate::exchange::ExchangeType;
use crate::queue::arguments::compared;
use crate::queue::{Queue, QueueType};
use crate::vhost::topology::declaration::{ExchangeDeclare, QueueDeclare};
use crate::vhost::topology::exchange::Exchange;

/// Fails with 405 or 406 unless `declare` describes the queue that exists.
pub(super) fn check_queue(
    queue: &Queue,
    declare: &QueueDeclare,
    owner: Option<ConnectionId>,
) -> Result<()> {
    let attributes = queue.attributes();
    if attributes.owner != owner {
        return Err(Error::Locked(queue.resource()));
    }
    let name = queue.resource();
    same("durable", &name, declare.is_durable(), attributes.durable)?;
    same("auto_delete", &name, declare.auto_delete, attributes.auto_delete)?;
    let queue_type = attributes.arguments.queue_type;
    for argument in compared(queue_type) {
        let current = get(&attributes.table, argument);
        let received = get(&declare.arguments, argument);
        if argument == argument::QUEUE_TYPE {
            let current = queue_type.as_str();
            let received = received.map_or_else(|| quoted(&QueueType::default().as_str()), alone);
            if received != quoted(&current) {
                return Err(inequivalent(argument, &name, received, quoted(&current)));
            }
        } else {
            same_argument(argument, &name, received, current)?;
        }
    }
    Ok(())
}

/// Fails with 406 unless `declare` describes the exchange that exists.
pub(super) fn check_exchange(
    exchange: &Exchange,
    declare: &ExchangeDeclare,
    kind: ExchangeType,
) -> Result<()> {
    let attributes = exchange.attributes();
    let name = exchange.resource();
    same("type", &name, erlang_atom(kind.as_str()), erlang_atom(attributes.kind.as_str()))?;
    same("durable", &name, declare.durable, attributes.durable)?;
    same("auto_delete", &name, declare.auto_delete, attributes.auto_delete)?;
    same("internal", &name, declare.internal, attributes.internal)?;
    let argument = argument::ALTERNATE_EXCHANGE;
    let received = get(&declare.arguments, argument);
    same_argument(argument, &name, received, get(&attributes.table, argument))
}

fn same<T: PartialEq + Display>(
    attribute: &str,
    resource: &Resource,
    received: T,
    current: T,
) -> Result<()> {
    if received == current {
        return Ok(());
    }
    Err(inequivalent(attribute, resource, quoted(&received), quoted(&current)))
}

fn same_argument(
    argument: &str,
    resource: &Resource,
    received: Option<&AMQPValue>,
    current: Option<&AMQPValue>,
) -> Result<()> {
    match (received, current) {
        (None, None) => Ok(()),
        (Some(received), Some(current)) if equal(received, current) => Ok(()),
        (Some(received), Some(current)) => {
            Err(inequivalent(argument, resource, alone(received), alone(current)))
        }
        (received, current) => {
            Err(inequivalent(argument, resource, describe(received), describe(current)))
        }
    }
}

fn equal(one: &AMQPValue, other: &AMQPValue) -> bool {
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn inequivalent(
    what: &str,
    resource: &Resource,
    received: impl Display,
    current: impl Display,
) -> Error {
    Precondition::Inequivalent {
        argument: what.into(),
        resource: resource.clone(),
        received: received.to_string(),
        current: current.to_string(),
    }
    .into()
}

/// A name as Erlang prints an atom of it: in quotes unless it is a plain word, as the types of
/// plugins are not.
fn erlang_atom(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    match name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => quoted(&name),
    }
}

fn quoted(value: &impl Display) -> String {
    format!("'{value}'")
}

fn describe(value: Option<&AMQPValue>) -> String {
    match value {
        None => "none".into(),
        Some(value) => format!("the value '{}' of type '{}'", print(value), type_name(value)),
    }
}

/// A value beside another of the argument, of which RabbitMQ does not tell the types: one that is
/// void is none.
fn alone(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Void => "none".into(),
        value => quoted(&print(value)),
    }
}

/// A value as RabbitMQ's error texts print it: octets as they are, all else as Erlang does.
fn print(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ByteArray(octets) => String::from_utf8_lossy(octets.as_slice()).into_owned(),
        other => erlang_term::value(other),
    }
}
