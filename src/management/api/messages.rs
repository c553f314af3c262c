//! Publishing messages and getting them.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use leveret_protocol::properties::encode_properties;
use serde_json::{Value, json};

use crate::channel::GetOk;
use crate::error::Error;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::{properties, queues};
use crate::management::body::{integer, object_with};
use crate::management::call::{Call, Query};
use crate::management::client::{Client, Fate};
use crate::management::endpoint::{Endpoint, post};
use crate::management::json::{Object, object};
use crate::management::rights::Who::OfHost;
use crate::message::{Body, Message};
use crate::vhost::Publish;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post(
        "api/exchanges/{vhost}/{exchange}/publish",
        OfHost,
        publish,
        "Publishes: {\"routing_key\", \"properties\", \"payload\", \"payload_encoding\": \
         \"string\" or \"base64\"}.",
    ),
    post(
        "api/queues/{vhost}/{queue}/get",
        OfHost,
        get,
        "Gets messages: {\"count\", \"ackmode\": \"ack_requeue_true\" or \"ack_requeue_false\" or \
         \"reject_requeue_true\" or \"reject_requeue_false\", \"encoding\": \"auto\" or \
         \"base64\", \"truncate\"}.",
    ),
];

fn payload(payload: &Value, encoding: &Value) -> Outcome<Bytes> {
    let text = payload.as_str().ok_or_else(|| Refusal::bad("payload_not_string"))?;
    match encoding.as_str() {
        Some("string") => Ok(Bytes::copy_from_slice(text.as_bytes())),
        Some("base64") => match STANDARD.decode(text) {
            Ok(octets) => Ok(octets.into()),
            Err(_) => Err(Refusal::bad(json!(["not_base64", text]))),
        },
        _ => Err(Refusal::bad(json!(["unsupported_encoding", encoding]))),
    }
}

fn publish(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let exchange = host.exchange(call.exchange_name("exchange"));
    let exchange = exchange.map_err(|_| Refusal::not_found("exchange_not_found"))?;
    let keys = ["routing_key", "properties", "payload", "payload_encoding"];
    let body = object_with(&call.body, &keys)?;
    let field = |name: &str| body.get(name).unwrap_or(&Value::Null);
    let payload = payload(field("payload"), field("payload_encoding"))?;
    let routing_key = field("routing_key").as_str().unwrap_or_default();
    let none = Object::new();
    let given = field("properties").as_object().unwrap_or(&none);
    let properties = encode_properties(&properties::parse(given)?);
    let message = Publish {
        number: 0,
        exchange: exchange.name().as_str().as_bytes(),
        routing_key: routing_key.as_bytes(),
        properties: &properties,
        body: Body::Shared(payload),
    };
    let mut client = Client::open(call, &host)?;
    let published = client
        .apply(|channel, effects| {
            channel.confirm_select(effects)?;
            channel.basic_publish(message, true, false, effects)
        })
        .and_then(|()| client.fate());
    match published {
        Ok(Fate::Rejected) => {
            Err(Refusal::bad("rejected Unable to publish message. Check queue limits."))
        }
        Ok(fate) => Ok(Answer::json(&json!({ "routed": fate == Fate::Routed }))),
        // Unlike other methods that are refused, publishing is told with the code.
        Err(error) => Err(with_code(&error)),
    }
}

fn with_code(error: &Error) -> Refusal {
    Refusal::bad(format!("{} {}", error.reply_code(), error.reply_text()))
}

/// What becomes of messages that are got.
#[derive(Clone, Copy)]
struct AckMode {
    no_ack: bool,
    /// They are rejected; with `true` they are requeued.
    reject: Option<bool>,
}

impl AckMode {
    fn parse(mode: &Value) -> Outcome<Self> {
        let (no_ack, reject) = match mode.as_str() {
            Some("ack_requeue_false") => (true, None),
            // They are given back when the channel closes.
            Some("ack_requeue_true") => (false, None),
            Some("reject_requeue_true") => (false, Some(true)),
            Some("reject_requeue_false") => (false, Some(false)),
            _ => {
                return Err(Refusal::bad(
                    "ackmode must be ack_requeue_true, ack_requeue_false, reject_requeue_true or \
                     reject_requeue_false",
                ));
            }
        };
        Ok(Self { no_ack, reject })
    }
}

/// How messages are shown.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    as_base64: bool,
    truncate: usize,
}

impl Shown {
    fn parse(body: &Object) -> Outcome<Self> {
        let encoding = body.get("encoding").and_then(Value::as_str);
        Self::new(encoding, body.get("truncate"))
    }

    /// As the parameters of a request say; `auto` and all octets if they do not.
    pub(crate) fn of_query(query: &Query) -> Outcome<Self> {
        let truncate = query.get("truncate").map(Value::from);
        Self::new(query.get("encoding").or(Some("auto")), truncate.as_ref())
    }

    fn new(encoding: Option<&str>, truncate: Option<&Value>) -> Outcome<Self> {
        let as_base64 = match encoding {
            Some("auto") => false,
            Some("base64") => true,
            _ => {
                return Err(Refusal::bad("Unsupported encoding. Please use auto or base64."));
            }
        };
        let truncate = truncate.map(integer).transpose()?;
        let truncate = truncate.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(0));
        Ok(Self { as_base64, truncate })
    }

    /// Octets that a message takes in an answer that is being made, about.
    pub(crate) fn octets(self, message: &Message) -> usize {
        /// Its fields but for properties and body.
        const FIELDS: usize = 1024;
        FIELDS + message.raw_properties().0.len() + message.body_len().min(self.truncate)
    }

    /// A message.
    pub(crate) fn message(self, message: &Message, delivery_count: Option<u32>) -> Object {
        let octets = message.body();
        let shown = octets.get(..self.truncate).unwrap_or(octets);
        let text = std::str::from_utf8(shown).ok().filter(|_| !self.as_base64);
        let (payload, encoding) = match text {
            Some(text) => (text.to_owned(), "string"),
            None => (STANDARD.encode(shown), "base64"),
        };
        object! {
            "payload_bytes": octets.len(),
            "exchange": message.exchange(),
            "routing_key": message.routing_key(),
            "properties": properties::render(&message.properties(), delivery_count),
            "payload": payload,
            "payload_encoding": encoding,
        }
    }

    fn render(self, got: &GetOk) -> Object {
        let mut shown = self.message(&got.message, got.delivery_count.map(NonZeroU32::get));
        shown.insert("redelivered".into(), got.redelivered.into());
        shown.insert("message_count".into(), got.message_count.into());
        shown
    }
}

fn get(call: &Call) -> Outcome {
    let (host, queue) = queues::to_use(call)?;
    let body = object_with(&call.body, &["ackmode", "count", "encoding"])?;
    let field = |name: &str| body.get(name).unwrap_or(&Value::Null);
    let mode = AckMode::parse(field("ackmode"))?;
    let count = integer(field("count"))?;
    let shown = Shown::parse(&body)?;
    let mut client = Client::open(call, &host)?;
    let refused = |error: Error| Refusal::of_channel(&error);
    let mut messages = Vec::new();
    let mut tags = Vec::new();
    let mut octets = 0;
    // As in RabbitMQ, one that is negative means all.
    for _ in 0..u64::try_from(count).unwrap_or(u64::MAX) {
        let name = queue.name().as_str();
        let got = client.apply(|channel, effects| channel.basic_get(name, mode.no_ack, effects));
        let Some(got) = got.map_err(refused)? else { break };
        tags.push(got.delivery_tag);
        octets += shown.octets(&got.message);
        messages.push(shown.render(&got));
        if octets > ANSWER_BYTES_MAX {
            break;
        }
    }
    if let Some(requeue) = mode.reject {
        for tag in tags {
            client
                .apply(|channel, effects| channel.basic_reject(tag, requeue, effects))
                .map_err(refused)?;
        }
    }
    drop(client);
    Ok(Answer::json(&messages))
}

/// Octets of messages after which no further one is got: what is answered is in memory.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;
