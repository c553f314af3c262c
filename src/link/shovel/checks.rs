//! Which keys a shovel has, and what is wrong with them, said as RabbitMQ says it
//! `[rabbitmq shovel-dynamic]`.

use serde_json::Value;

use crate::base::argument;
use crate::definitions::{JsonObject, term};
use crate::link::validation::{
    CheckLocal, Key, anything, boolean, inner, mandatory, object, one_of, optional, short, up_to,
    uris,
};

/// Seconds in a day: nobody waits longer before it tries again.
const RECONNECT_DELAY_MAX_S: u64 = 86_400;

/// Arguments of queues that RabbitMQ takes in `dest-queue-args`.
const QUEUE_ARGUMENTS: &[&str] = &[
    argument::EXPIRES,
    argument::MESSAGE_TTL,
    argument::DEAD_LETTER_EXCHANGE,
    argument::DEAD_LETTER_ROUTING_KEY,
    argument::DEAD_LETTER_STRATEGY,
    argument::MAX_LENGTH,
    argument::MAX_LENGTH_BYTES,
    argument::MAX_IN_MEMORY_LENGTH,
    argument::MAX_IN_MEMORY_BYTES,
    argument::MAX_PRIORITY,
    argument::OVERFLOW,
    argument::QUEUE_MODE,
    argument::QUEUE_VERSION,
    argument::SINGLE_ACTIVE_CONSUMER,
    argument::QUEUE_TYPE,
    argument::QUORUM_INITIAL_GROUP_SIZE,
    argument::DELIVERY_LIMIT,
    argument::MAX_AGE,
    argument::STREAM_MAX_SEGMENT_SIZE_BYTES,
    argument::STREAM_FILTER_SIZE_BYTES,
    argument::INITIAL_CLUSTER_SIZE,
    argument::QUEUE_LEADER_LOCATOR,
    argument::QUEUE_MASTER_LOCATOR,
];

/// Arguments of consumers that RabbitMQ takes in `src-consumer-args`.
const CONSUMER_ARGUMENTS: &[&str] = &[
    argument::PRIORITY,
    argument::CANCEL_ON_HA_FAILOVER,
    argument::STREAM_OFFSET,
    argument::STREAM_FILTER,
    argument::STREAM_MATCH_UNFILTERED,
];

/// The properties that can be set, in the order in which RabbitMQ looks at them; those that are
/// numbers with the largest.
const PROPERTIES: &[(&str, Option<u64>)] = &[
    ("content_type", None),
    ("content_encoding", None),
    ("delivery_mode", Some(u8::MAX as u64)),
    ("priority", Some(u8::MAX as u64)),
    ("correlation_id", None),
    ("reply_to", None),
    ("expiration", None),
    ("message_id", None),
    ("timestamp", Some(u64::MAX)),
    ("type", None),
    ("user_id", None),
    ("app_id", None),
    ("cluster_id", None),
];

/// What is wrong with a shovel.
pub(super) fn complaints(name: &str, shovel: &JsonObject, local: CheckLocal<'_>) -> Vec<String> {
    let mut wrong = between_keys(shovel);
    wrong.extend(object(name, shovel, &keys(local)));
    wrong
}

/// What is wrong between keys.
fn between_keys(shovel: &JsonObject) -> Vec<String> {
    let has = |key: &str| shovel.contains_key(key);
    let mut wrong = Vec::new();
    match (has("src-exchange"), has("src-queue")) {
        (false, false) => wrong.push("Must specify 'src-exchange' or 'src-queue'".to_owned()),
        (true, true) => wrong.push("Cannot specify 'src-exchange' and 'src-queue'".to_owned()),
        _ => {}
    }
    let delete_after = shovel.get("src-delete-after").or_else(|| shovel.get("delete-after"));
    let is_no_ack = shovel.get("ack-mode").and_then(Value::as_str) == Some("no-ack");
    if is_no_ack && delete_after.is_some_and(Value::is_number) {
        wrong.push("Cannot specify 'no-ack' and numerical 'delete-after'".to_owned());
    }
    if has("dest-exchange") && has("dest-queue") {
        wrong.push("Cannot specify 'dest-exchange' and 'dest-queue'".to_owned());
    }
    for key in ["src-protocol", "dest-protocol"] {
        if shovel.get(key).and_then(Value::as_str) == Some("amqp10") {
            wrong.push(format!("{key} amqp10 is not supported; amqp091 is"));
        }
    }
    wrong
}

fn keys<'a>(local: CheckLocal<'a>) -> Vec<Key<'a>> {
    let uri = move |name: &str, value: &Value| uris(name, value, local);
    let number = || up_to(u16::MAX.into());
    vec![
        optional("reconnect-delay", up_to(RECONNECT_DELAY_MAX_S)),
        optional("ack-mode", one_of(&["no-ack", "on-publish", "on-confirm"])),
        optional("src-protocol", one_of(&["amqp10", "amqp091"])),
        optional("dest-protocol", one_of(&["amqp10", "amqp091"])),
        mandatory("src-uri", uri),
        optional("src-exchange", short),
        optional("src-exchange-key", short),
        optional("src-queue", short),
        optional("src-queue-args", of(QUEUE_ARGUMENTS)),
        optional("src-consumer-args", of(CONSUMER_ARGUMENTS)),
        optional("prefetch-count", number()),
        optional("src-prefetch-count", number()),
        optional("delete-after", delete_after),
        optional("src-delete-after", delete_after),
        mandatory("dest-uri", uri),
        optional("dest-exchange", short),
        optional("dest-exchange-key", short),
        optional("dest-queue", short),
        optional("dest-queue-args", of(QUEUE_ARGUMENTS)),
        optional("add-forward-headers", boolean),
        optional("add-timestamp-header", boolean),
        optional("dest-add-forward-headers", boolean),
        optional("dest-add-timestamp-header", boolean),
        optional("dest-add-again-header", boolean),
        optional("publish-properties", properties),
        optional("dest-publish-properties", properties),
    ]
}

/// An object with some of these keys, whatever their values are.
fn of(names: &'static [&'static str]) -> impl Fn(&str, &Value) -> Vec<String> {
    move |name, value| {
        let keys: Vec<_> = names.iter().map(|name| optional(name, anything)).collect();
        inner(name, value, &keys)
    }
}

fn properties(name: &str, value: &Value) -> Vec<String> {
    let key = |&(name, most): &(&'static str, Option<u64>)| match most {
        Some(most) => optional(name, up_to(most)),
        None => optional(name, short),
    };
    inner(name, value, &PROPERTIES.iter().map(key).collect::<Vec<_>>())
}

fn delete_after(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::String(word) if matches!(word.as_str(), "never" | "queue-length") => Vec::new(),
        Value::Number(number) if number.is_u64() => Vec::new(),
        other => vec![format!(
            "{name} should be a number greater than or equal to 0, \"never\" or \
             \"queue-length\", actually was {}",
            term::value(other)
        )],
    }
}
