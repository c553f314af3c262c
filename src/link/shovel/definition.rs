//! What a shovel is asked to do `[rabbitmq shovel-dynamic]`.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::FieldTable;
use serde_json::Value;

use super::checks::complaints;
use crate::base::broker_uri::BrokerUri;
use crate::definitions::{JsonObject, term, to_field_table};
use crate::link::validation::CheckLocal;

/// Messages that may be under way, unless the shovel says otherwise.
const PREFETCH: u16 = 1000;

/// Seconds before it tries again, unless the shovel says otherwise.
const RECONNECT_DELAY_S: u32 = 5;

/// A shovel, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    /// Brokers to take messages from, to be tried in turn.
    pub source_uris: Vec<BrokerUri>,
    /// Where messages are taken from.
    pub source: Source,
    /// Messages that may be under way; 0 for no limit.
    pub prefetch: u16,
    /// When it has done what it is for.
    pub delete_after: DeleteAfter,
    /// Arguments of its consumer.
    pub consumer_arguments: FieldTable,
    /// Brokers to bring messages to, to be tried in turn.
    pub destination_uris: Vec<BrokerUri>,
    /// Where messages are brought to.
    pub destination: Destination,
    /// Whether messages tell by what shovel they came.
    pub forward_headers: bool,
    /// Whether messages tell when they came.
    pub timestamp_header: bool,
    /// Whether messages tell that they may have come before.
    pub again_header: bool,
    /// Properties that messages get in place of their own.
    pub properties: BasicProperties,
    /// When a message is acknowledged at its source.
    pub ack_mode: AckMode,
    /// Seconds before it tries again; 0 for never.
    pub reconnect_delay_s: u32,
}

/// Where messages are taken from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A queue, declared with these arguments if it does not exist.
    Queue { name: String, arguments: FieldTable },
    /// An exchange, by a queue of the shovel's own.
    Exchange { name: String, key: String },
}

/// Where messages are brought to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Destination {
    /// A queue, declared with these arguments if it does not exist.
    Queue { name: String, arguments: FieldTable },
    /// An exchange and a routing key; of what is not given, the message's own.
    Exchange { name: Option<String>, key: Option<String> },
}

/// When a message is acknowledged at its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AckMode {
    /// When it is taken: it is lost if something goes wrong.
    NoAck,
    /// When it is published: it is lost if the destination loses it.
    OnPublish,
    /// When the destination has confirmed it: it may come twice, but is not lost.
    #[default]
    OnConfirm,
}

/// When a shovel has done what it is for, and is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DeleteAfter {
    /// Never.
    #[default]
    Never,
    /// After as many messages as there are when it starts.
    QueueLength,
    /// After this many messages.
    Messages(u64),
}

impl Definition {
    /// Reads the parameter `name`.
    ///
    /// # Errors
    /// All that is wrong with it, each as RabbitMQ says it.
    pub(crate) fn parse(
        name: &str,
        value: &Value,
        local: CheckLocal<'_>,
    ) -> Result<Self, Vec<String>> {
        let empty = JsonObject::new();
        let object = match value {
            Value::Object(object) => object,
            Value::Array(items) if items.is_empty() => &empty,
            other => return Err(vec![format!("{name} not a list {}", term::value(other))]),
        };
        let wrong = complaints(name, object, local);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let definition = Self::read(object).map_err(|reason| vec![reason])?;
        match definition.is_onto_itself() {
            true => Err(vec![format!("the shovel {name} has the same queue at both ends")]),
            false => Ok(definition),
        }
    }

    /// Reads what has been found right.
    fn read(object: &JsonObject) -> Result<Self, String> {
        // Those of before RabbitMQ 3.7 stand after the names of today.
        let get = |names: [&str; 2]| names.iter().find_map(|name| object.get(*name));
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let table = |name: &str| match object.get(name).and_then(Value::as_object) {
            Some(table) => to_field_table(table).map_err(|error| error.to_string()),
            None => Ok(FieldTable::default()),
        };
        let number = |names| get(names).and_then(Value::as_u64);
        let is_set = |names| get(names).and_then(Value::as_bool).unwrap_or(false);
        let source = match text("src-queue") {
            Some(name) => Source::Queue { name, arguments: table("src-queue-args")? },
            None => Source::Exchange {
                name: text("src-exchange").unwrap_or_default(),
                key: text("src-exchange-key").unwrap_or_default(),
            },
        };
        let destination = match text("dest-queue") {
            Some(name) => Destination::Queue { name, arguments: table("dest-queue-args")? },
            None => Destination::Exchange {
                name: text("dest-exchange"),
                key: text("dest-exchange-key"),
            },
        };
        let prefetch = number(["src-prefetch-count", "prefetch-count"]);
        let delay = number(["reconnect-delay", "reconnect-delay"]);
        Ok(Self {
            source_uris: uris(object.get("src-uri"))?,
            source,
            prefetch: prefetch.map_or(PREFETCH, |n| u16::try_from(n).unwrap_or(u16::MAX)),
            delete_after: delete_after(get(["src-delete-after", "delete-after"])),
            consumer_arguments: table("src-consumer-args")?,
            destination_uris: uris(object.get("dest-uri"))?,
            destination,
            forward_headers: is_set(["dest-add-forward-headers", "add-forward-headers"]),
            timestamp_header: is_set(["dest-add-timestamp-header", "add-timestamp-header"]),
            again_header: is_set(["dest-add-again-header", "dest-add-again-header"]),
            properties: properties(get(["dest-publish-properties", "publish-properties"])),
            ack_mode: match object.get("ack-mode").and_then(Value::as_str) {
                Some("no-ack") => AckMode::NoAck,
                Some("on-publish") => AckMode::OnPublish,
                _ => AckMode::OnConfirm,
            },
            reconnect_delay_s: delay
                .map_or(RECONNECT_DELAY_S, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        })
    }

    /// Whether messages would go round for ever without leaving their queue.
    fn is_onto_itself(&self) -> bool {
        let (Source::Queue { name: from, .. }, Destination::Queue { name: to, .. }) =
            (&self.source, &self.destination)
        else {
            return false;
        };
        let meets = |one: &BrokerUri| {
            let is_same = |other: &BrokerUri| {
                one.place == other.place && one.virtual_host == other.virtual_host
            };
            self.destination_uris.iter().any(is_same)
        };
        from == to && self.delete_after == DeleteAfter::Never && self.source_uris.iter().any(meets)
    }
}

fn uris(value: Option<&Value>) -> Result<Vec<BrokerUri>, String> {
    let texts = match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        other => other.and_then(Value::as_str).into_iter().collect::<Vec<_>>(),
    };
    texts.into_iter().map(BrokerUri::parse).collect()
}

fn delete_after(value: Option<&Value>) -> DeleteAfter {
    match value {
        Some(Value::String(word)) if word == "queue-length" => DeleteAfter::QueueLength,
        Some(Value::Number(number)) => DeleteAfter::Messages(number.as_u64().unwrap_or(u64::MAX)),
        _ => DeleteAfter::Never,
    }
}

fn properties(value: Option<&Value>) -> BasicProperties {
    let empty = JsonObject::new();
    let all = value.and_then(Value::as_object).unwrap_or(&empty);
    let mut set = BasicProperties::default();
    for (name, value) in all {
        let text = value.as_str().unwrap_or_default();
        let number = value.as_u64().unwrap_or_default();
        let octet = u8::try_from(number).unwrap_or(u8::MAX);
        set = match name.as_str() {
            "content_type" => set.with_content_type(text.into()),
            "content_encoding" => set.with_content_encoding(text.into()),
            "delivery_mode" => set.with_delivery_mode(octet),
            "priority" => set.with_priority(octet),
            "correlation_id" => set.with_correlation_id(text.into()),
            "reply_to" => set.with_reply_to(text.into()),
            "expiration" => set.with_expiration(text.into()),
            "message_id" => set.with_message_id(text.into()),
            "timestamp" => set.with_timestamp(number),
            "type" => set.with_type(text.into()),
            "user_id" => set.with_user_id(text.into()),
            "app_id" => set.with_app_id(text.into()),
            "cluster_id" => set.with_cluster_id(text.into()),
            _ => set,
        };
    }
    set
}
