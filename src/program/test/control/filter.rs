//! Which events a request means: the conditions of [`Events`], all of which have to hold.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::input::{Answer, Refusal};
use super::message::{body, headers};
use leveret::definitions::JsonObject;
use leveret::journal::{DeathReason, EventKind, Events, Journal};

/// The conditions, as parameters of a request or as a JSON object.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    kind: Option<Kind>,
    exchange: Option<String>,
    routing_key: Option<String>,
    routing_key_like: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    body_contains: Option<String>,
    #[serde(default, deserialize_with = "object_or_text")]
    headers: JsonObject,
    correlation_id: Option<String>,
    queue: Option<String>,
    to_queue: Option<String>,
    consumer_tag: Option<String>,
    user: Option<String>,
    vhost: Option<String>,
    because: Option<DeathReason>,
    dropped_because: Option<Dropped>,
    redelivered: Option<bool>,
    message: Option<u64>,
    after: Option<u64>,
    /// Only the newest so many of those that meet the conditions are answered.
    pub last: Option<usize>,
}

/// Kinds of events: the methods of [`Events`] that say which.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Published,
    Routed,
    Unroutable,
    Returned,
    Confirmed,
    Nacked,
    Enqueued,
    Delivered,
    Got,
    Acked,
    Requeued,
    Rejected,
    Expired,
    DeadLettered,
    Dropped,
    Topology,
}

impl Kind {
    fn of(self, events: Events) -> Events {
        match self {
            Self::Published => events.published(),
            Self::Routed => events.routed(),
            Self::Unroutable => events.unroutable(),
            Self::Returned => events.returned(),
            Self::Confirmed => events.confirmed(),
            Self::Nacked => events.nacked(),
            Self::Enqueued => events.enqueued(),
            Self::Delivered => events.delivered(),
            Self::Got => events.got(),
            Self::Acked => events.acked(),
            Self::Requeued => events.requeued(),
            Self::Rejected => events.rejected(),
            Self::Expired => events.expired(),
            Self::DeadLettered => events.dead_lettered(),
            Self::Dropped => events.dropped(),
            Self::Topology => events.topology(),
        }
    }
}

/// Why a message was dropped, whatever death it died before.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Dropped {
    Died,
    Undeliverable,
    Cycle,
    Purged,
    QueueDeleted,
    Duplicate,
}

impl Dropped {
    /// As [`DropReason::as_str`](leveret::journal::DropReason::as_str) has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Undeliverable => "undeliverable",
            Self::Cycle => "cycle",
            Self::Purged => "purged",
            Self::QueueDeleted => "queue_deleted",
            Self::Duplicate => "duplicate",
        }
    }
}

/// A condition on a name, a key or a text.
type Narrow = fn(Events, String) -> Events;

impl Filter {
    /// The events that are meant, `last` aside.
    pub(super) fn of(&self, journal: &Journal) -> Answer<Events> {
        let mut events = journal.events();
        if let Some(kind) = self.kind {
            events = kind.of(events);
        }
        let texts: [(&Option<String>, Narrow); 9] = [
            (&self.exchange, Events::to),
            (&self.routing_key, Events::with_key),
            (&self.routing_key_like, Events::with_key_like),
            (&self.body_contains, Events::with_body_containing),
            (&self.correlation_id, Events::with_correlation_id),
            (&self.queue, Events::in_queue),
            (&self.to_queue, Events::to_queue),
            (&self.consumer_tag, Events::of_consumer),
            (&self.user, Events::by_user),
        ];
        for (text, narrow) in texts {
            if let Some(text) = text {
                events = narrow(events, text.clone());
            }
        }
        if let Some(vhost) = &self.vhost {
            events = events.in_virtual_host(vhost.as_str());
        }
        if let Some(octets) = body(self.body.clone(), self.body_base64.as_deref())? {
            events = events.with_body(octets);
        }
        for (name, value) in headers(&self.headers)?.inner() {
            events = events.with_header(name.as_str(), value.clone());
        }
        Ok(self.rest(events))
    }

    /// The conditions that are no texts.
    fn rest(&self, mut events: Events) -> Events {
        if let Some(reason) = self.because {
            events = events.because(reason);
        }
        if let Some(reason) = self.dropped_because.map(Dropped::as_str) {
            events = events.that(format!("dropped because: {reason}"), move |event| {
                matches!(event.kind, EventKind::Dropped { because, .. }
                    if because.as_str() == reason)
            });
        }
        if let Some(wanted) = self.redelivered {
            let text = if wanted { "again" } else { "for the first time" };
            events = events.that(text, move |event| {
                matches!(event.kind, EventKind::Delivered { redelivered, .. }
                    | EventKind::Got { redelivered, .. } if redelivered == wanted)
            });
        }
        if let Some(trace) = self.message {
            let text = format!("of message {trace}");
            events = events.that(text, move |event| event.trace == Some(trace));
        }
        if let Some(number) = self.after {
            let text = format!("after event {number}");
            events = events.that(text, move |event| event.number > number);
        }
        events
    }
}

/// An object, which a parameter of a request has as a text.
fn object_or_text<'de, D: Deserializer<'de>>(input: D) -> Result<JsonObject, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Object(JsonObject),
        Text(String),
    }
    let refuse = "headers are a JSON object";
    match Either::deserialize(input).map_err(|_| D::Error::custom(refuse))? {
        Either::Object(object) => Ok(object),
        Either::Text(text) => serde_json::from_str(&text).map_err(|_| D::Error::custom(refuse)),
    }
}

impl super::Control {
    /// The events that are meant. Refused if none are kept.
    pub(super) fn events(&self, filter: &Filter) -> Answer<Events> {
        let life = self.life();
        let journal = life.broker.journal();
        if !journal.is_on() {
            return Err(Refusal::bad("the journal is off: start without --journal 0"));
        }
        filter.of(journal)
    }
}
