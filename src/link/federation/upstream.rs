//! Upstreams, and sets of them: what they may hold, said as RabbitMQ says it, and what they mean
//! for one exchange or queue `[rabbitmq federation-reference]`.

use serde_json::Value;

use crate::base::broker_uri::BrokerUri;
use crate::definitions::{JsonObject, term};
use crate::link::shovel::definition::AckMode;
use crate::link::validation::{
    CheckLocal, Key, boolean, mandatory, object, one_of, optional, short, up_to, uris,
};

/// Messages that may be under way, unless the upstream says otherwise.
const PREFETCH: u16 = 1000;

/// Seconds until a link tries again, unless the upstream says otherwise.
const RECONNECT_DELAY_S: u32 = 5;

/// Seconds in a day: nobody waits longer before it tries again.
const RECONNECT_DELAY_MAX_S: u64 = 86_400;

/// Upstreams that messages may pass, unless the upstream says otherwise.
const MAX_HOPS: u32 = 1;

/// An upstream, as it is meant for one exchange or queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Upstream {
    /// Its name.
    pub name: String,
    /// The broker, or several that are tried in turn.
    pub uris: Vec<BrokerUri>,
    /// The exchange there.
    pub exchange: String,
    /// The queue there.
    pub queue: String,
    /// The tag of the consumer there, of queues.
    pub consumer_tag: String,
    /// Messages that may be under way; 0 for as many as there are.
    pub prefetch: u16,
    /// How many links a message may pass before it is not passed on any more.
    pub max_hops: u32,
    /// Seconds until it tries again; 0 for never.
    pub reconnect_delay_s: u32,
    /// Milliseconds after which the queue of an exchange is deleted there while nobody takes from
    /// it; `None` for never.
    pub expires_ms: Option<u32>,
    /// Milliseconds that messages stay in it; `None` for as long as it takes.
    pub message_ttl_ms: Option<u32>,
    /// The type of that queue; `None` for the default there.
    pub queue_type: Option<String>,
    /// Whether the property `user_id` is passed on.
    pub trusts_user_id: bool,
    /// When a message is acknowledged there.
    pub ack_mode: AckMode,
    /// Whether what was declared there for an exchange stays when the link is not wanted any more.
    pub leaves_resources: bool,
}

/// What is wrong with the upstream `name`.
pub(super) fn complaints(name: &str, value: &Value, local: CheckLocal<'_>) -> Vec<String> {
    let uri = move |name: &str, value: &Value| uris(name, value, local);
    let mut keys = vec![mandatory("uri", uri)];
    keys.extend(shared());
    match value {
        Value::Object(upstream) => object(name, upstream, &keys),
        // To RabbitMQ it is the same.
        Value::Array(none) if none.is_empty() => object(name, &JsonObject::new(), &keys),
        other => vec![format!("{name} not a list {}", term::value(other))],
    }
}

/// What is wrong with the set `name`.
pub(super) fn complaints_of_set(name: &str, value: &Value) -> Vec<String> {
    let Value::Array(elements) = value else {
        return vec![format!("{name} should be list, actually was {}", term::value(value))];
    };
    let wrong = elements.iter().flat_map(|element| {
        let mut keys = vec![mandatory("upstream", short)];
        keys.extend(shared());
        match element {
            Value::Object(element) => object(name, element, &keys),
            other => vec![format!("{name} not a list {}", term::value(other))],
        }
    });
    wrong.collect()
}

/// The keys that upstreams and elements of sets have.
fn shared<'a>() -> Vec<Key<'a>> {
    vec![
        optional("exchange", short),
        optional("queue", short),
        optional("consumer-tag", short),
        optional("prefetch-count", up_to(u16::MAX.into())),
        optional("reconnect-delay", up_to(RECONNECT_DELAY_MAX_S)),
        optional("max-hops", up_to(u32::MAX.into())),
        optional("expires", up_to(u32::MAX.into())),
        optional("message-ttl", up_to(u32::MAX.into())),
        optional("trust-user-id", boolean),
        optional("ack-mode", one_of(&["no-ack", "on-publish", "on-confirm"])),
        optional("resource-cleanup-mode", one_of(&["default", "never"])),
        optional("queue-type", one_of(&["classic", "quorum"])),
        // Of mirrored queues, and of how RabbitMQ uses its channels: they change nothing here.
        optional("ha-policy", short),
        optional("bind-nowait", boolean),
        optional("channel-use-mode", one_of(&["multiple", "single"])),
    ]
}

impl Upstream {
    /// The upstream `name` as it is meant for an exchange or a queue called `local` in the virtual
    /// host `host`: what the element of a set says goes before what the upstream says. Both have
    /// been found right.
    pub(super) fn read(
        name: &str,
        element: &JsonObject,
        upstream: &JsonObject,
        (host, local): (&str, &str),
    ) -> Self {
        let get = |key: &str| element.get(key).or_else(|| upstream.get(key));
        let text = |key: &str| get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| {
            let number = get(key).and_then(Value::as_u64);
            number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        let prefetch = number("prefetch-count");
        Self {
            name: name.to_owned(),
            uris: texts(upstream.get("uri"))
                .filter_map(|text| BrokerUri::parse(text).ok())
                .map(|uri| uri.in_virtual_host(host))
                .collect(),
            exchange: text("exchange").unwrap_or_else(|| local.to_owned()),
            queue: text("queue").unwrap_or_else(|| local.to_owned()),
            consumer_tag: text("consumer-tag").unwrap_or_else(|| format!("federation-link-{name}")),
            prefetch: prefetch.map_or(PREFETCH, |n| u16::try_from(n).unwrap_or(u16::MAX)),
            max_hops: number("max-hops").unwrap_or(MAX_HOPS),
            reconnect_delay_s: number("reconnect-delay").unwrap_or(RECONNECT_DELAY_S),
            expires_ms: number("expires"),
            message_ttl_ms: number("message-ttl"),
            queue_type: text("queue-type"),
            trusts_user_id: get("trust-user-id").and_then(Value::as_bool).unwrap_or(false),
            ack_mode: match get("ack-mode").and_then(Value::as_str) {
                Some("no-ack") => AckMode::NoAck,
                Some("on-publish") => AckMode::OnPublish,
                _ => AckMode::OnConfirm,
            },
            leaves_resources: get("resource-cleanup-mode").and_then(Value::as_str) == Some("never"),
        }
    }

    /// Whether what the other declared for an exchange upstream serves this one as well.
    pub(crate) fn shares_resources_with(&self, other: &Self) -> bool {
        let declared =
            |it: &Self| (it.uris.clone(), it.expires_ms, it.message_ttl_ms, it.queue_type.clone());
        declared(self) == declared(other) && self.exchange == other.exchange
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let all = match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        other => other.and_then(Value::as_str).into_iter().collect::<Vec<_>>(),
    };
    all.into_iter()
}
