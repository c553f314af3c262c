//! Asking the journal: each method narrows down which events are meant.

use std::fmt;
use std::sync::Arc;

use amq_protocol::types::AMQPValue;

use crate::exchange::matching::{header_matches, topic_matches};
use crate::insight::journal::Journal;
use crate::insight::journal::describe::{Exchange, body};
use crate::insight::journal::event::{DropReason, Event, EventKind};
use crate::message::deaths::DeathReason;
use crate::time::clock::Timestamp;

type Test = Box<dyn Fn(&Event) -> bool + Send>;

/// One condition, and how a sentence says it.
struct Condition {
    text: String,
    test: Test,
}

/// Events of a [`Journal`] at the time of the question, oldest first, that meet all conditions.
///
/// ```
/// # use leveret::Broker;
/// # let broker = Broker::builder().journal(100).build();
/// use leveret::journal::DeathReason;
///
/// let journal = broker.journal();
/// assert_eq!(journal.published().to("orders").with_key("order.created").count(), 0);
/// journal.dead_lettered().in_queue("billing").because(DeathReason::Expired).assert_none();
/// ```
#[must_use = "events are to be counted, looked at or asserted"]
pub struct Events {
    all: Vec<Arc<Event>>,
    conditions: Vec<Condition>,
    started_at: Timestamp,
    pub(super) is_on: bool,
    forgotten: u64,
    /// Only events with a higher number are asked for.
    after: u64,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $text:literal => $pattern:pat,)*) => {
        /// Kinds of events.
        impl Events {
            $($(#[$doc])*
            pub fn $name(self) -> Self {
                self.with($text, |event| matches!(event.kind, $pattern))
            })*
        }

        /// Kinds of events: each is `events()` with the method of the same name.
        impl Journal {
            $($(#[$doc])*
            pub fn $name(&self) -> Events {
                self.events().$name()
            })*
        }
    };
}

kinds! {
    /// Messages that clients published, each once however many queues got it.
    published, "published" => EventKind::Published { .. },
    /// Messages that bindings led to queues.
    routed, "routed" => EventKind::Routed { .. },
    /// Messages that no queue got, returned or not.
    unroutable, "unroutable" => EventKind::Unroutable { .. },
    /// Messages that went back to their publishers.
    returned, "returned" => EventKind::Unroutable { returned: true },
    /// Publishes whose publisher was sent a confirm.
    confirmed, "confirmed" => EventKind::Confirmed { .. },
    /// Publishes whose publisher was sent a nack.
    nacked, "nacked" => EventKind::Nacked { .. },
    /// Messages that came into a queue, once for each queue.
    enqueued, "enqueued" => EventKind::Enqueued { .. },
    /// Messages that were passed on to consumers, once for each delivery.
    delivered, "delivered" => EventKind::Delivered { .. },
    /// Messages that were taken by basic.get.
    got, "taken by basic.get" => EventKind::Got { .. },
    /// Deliveries that were acknowledged.
    acked, "acknowledged" => EventKind::Acked { .. },
    /// Deliveries that went back to their queues.
    requeued, "requeued" => EventKind::Requeued { .. },
    /// Deliveries that were refused without being requeued.
    rejected, "rejected" => EventKind::Rejected { .. },
    /// Messages that expired.
    expired, "expired" => EventKind::Expired { .. },
    /// Messages that went on to a dead-letter exchange and from there to a queue.
    dead_lettered, "dead-lettered" => EventKind::DeadLettered { .. },
    /// Messages that were lost.
    dropped, "dropped" => EventKind::Dropped { .. },
    /// Queues, exchanges, bindings, consumers and connections that came or went.
    topology, "changes of topology" => EventKind::QueueDeclared { .. }
        | EventKind::QueueDeleted { .. }
        | EventKind::ExchangeDeclared { .. }
        | EventKind::ExchangeDeleted { .. }
        | EventKind::Bound(_)
        | EventKind::ConsumerStarted { .. }
        | EventKind::ConsumerCancelled { .. }
        | EventKind::ConnectionOpened { .. }
        | EventKind::ConnectionClosed { .. },
}

/// Conditions.
impl Events {
    pub(super) fn new(
        all: Vec<Arc<Event>>,
        started_at: Timestamp,
        is_on: bool,
        forgotten: u64,
    ) -> Self {
        Self { all, conditions: Vec::new(), started_at, is_on, forgotten, after: 0 }
    }

    fn with(
        mut self,
        text: impl Into<String>,
        test: impl Fn(&Event) -> bool + Send + 'static,
    ) -> Self {
        self.conditions.push(Condition { text: text.into(), test: Box::new(test) });
        self
    }

    /// That meet a condition of the test's own; `text` names it in messages of assertions.
    pub fn that(
        self,
        text: impl Into<String>,
        test: impl Fn(&Event) -> bool + Send + 'static,
    ) -> Self {
        self.with(text, test)
    }

    /// About messages that were published to this exchange, empty for the default exchange. A
    /// dead letter counts as published to its dead-letter exchange.
    pub fn to(self, exchange: impl Into<String>) -> Self {
        let exchange = exchange.into();
        let text = format!("to {}", Exchange(&exchange));
        self.with(text, move |event| event.message.is_some() && event.exchange() == exchange)
    }

    /// About messages with this routing key.
    pub fn with_key(self, routing_key: impl Into<String>) -> Self {
        let key = routing_key.into();
        let text = format!("with key '{key}'");
        self.with(text, move |event| event.message.is_some() && event.routing_key() == key)
    }

    /// About messages with a routing key that this pattern of a topic exchange matches: `*` is one
    /// word, `#` any number of words.
    pub fn with_key_like(self, pattern: impl Into<String>) -> Self {
        let pattern = pattern.into();
        self.with(format!("with a key like '{pattern}'"), move |event| {
            let key = event.message.as_ref().map(|message| message.routing_key_octets());
            key.is_some_and(|key| topic_matches(pattern.as_bytes(), key))
        })
    }

    /// About messages with exactly this body.
    pub fn with_body(self, octets: impl Into<Vec<u8>>) -> Self {
        let octets = octets.into();
        let text = format!("with body {}", body(&octets));
        self.with(text, move |event| event.message.is_some() && event.body() == octets)
    }

    /// About messages with this text somewhere in their body.
    pub fn with_body_containing(self, part: impl Into<String>) -> Self {
        let part = part.into();
        let text = format!("with {part:?} in the body");
        self.with(text, move |event| event.message.is_some() && event.text().contains(&part))
    }

    /// About messages with this header. Values are compared as a headers exchange does it, numbers
    /// whatever their width.
    pub fn with_header(self, name: impl Into<String>, value: impl Into<AMQPValue>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.with(format!("with header '{name}' {value:?}"), move |event| {
            let headers = event.headers();
            let header = headers.inner().get(name.as_str());
            header.is_some_and(|header| header_matches(&value, header))
        })
    }

    /// About messages with this `correlation_id`.
    pub fn with_correlation_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.with(format!("with correlation id '{id}'"), move |event| {
            let properties = event.properties();
            properties.correlation_id().as_ref().is_some_and(|known| known.as_str() == id)
        })
    }

    /// That happened in this queue: to the queue, its messages or its consumers. Of dead letters it
    /// is the queue that they died in.
    pub fn in_queue(self, queue: impl Into<String>) -> Self {
        let queue = queue.into();
        self.with(format!("in queue '{queue}'"), move |event| event.queue() == Some(&queue))
    }

    /// That led a message to this queue: routed, or dead-lettered.
    pub fn to_queue(self, queue: impl Into<String>) -> Self {
        let queue = queue.into();
        self.with(format!("to queue '{queue}'"), move |event| match &event.kind {
            EventKind::Routed { queues: to, .. } | EventKind::DeadLettered { to, .. } => {
                to.iter().any(|name| name.as_str() == queue)
            }
            _ => false,
        })
    }

    /// Deliveries to this consumer, its start and its end.
    pub fn of_consumer(self, consumer_tag: impl Into<String>) -> Self {
        let tag = consumer_tag.into();
        self.with(format!("of consumer '{tag}'"), move |event| match &event.kind {
            EventKind::Delivered { consumer_tag, .. }
            | EventKind::ConsumerStarted { consumer_tag, .. }
            | EventKind::ConsumerCancelled { consumer_tag, .. } => consumer_tag.as_str() == tag,
            _ => false,
        })
    }

    /// Publishes and connections of this user.
    pub fn by_user(self, user: impl Into<String>) -> Self {
        let name = user.into();
        self.with(format!("by user '{name}'"), move |event| match &event.kind {
            EventKind::Published { user, .. } | EventKind::ConnectionOpened { user, .. } => {
                user.as_str() == name
            }
            _ => false,
        })
    }

    /// That happened in this virtual host.
    pub fn in_virtual_host(self, name: impl Into<String>) -> Self {
        let name = name.into();
        let text = format!("in virtual host '{name}'");
        self.with(text, move |event| event.virtual_host.as_str() == name)
    }

    /// About messages that died for this reason.
    pub fn because(self, reason: DeathReason) -> Self {
        let text = format!("because of '{}'", reason.as_str());
        self.with(text, move |event| event.death() == Some(reason))
    }

    /// About messages that were dropped for this reason.
    pub fn dropped_because(self, reason: DropReason) -> Self {
        self.with(format!("dropped because: {reason}"), move |event| {
            matches!(event.kind, EventKind::Dropped { because, .. } if because == reason)
        })
    }

    /// Deliveries of messages that may have been delivered before.
    pub fn redelivered(self) -> Self {
        self.with("again", |event| match &event.kind {
            EventKind::Delivered { redelivered, .. } | EventKind::Got { redelivered, .. } => {
                *redelivered
            }
            _ => false,
        })
    }

    /// All that happened to the message of this event, before and after, from its publish to its
    /// end; dead letters are the same message.
    pub fn of_message(self, event: &Event) -> Self {
        let trace = event.trace;
        let text = trace.map_or("of no message".into(), |trace| format!("of message {trace}"));
        self.with(text, move |event| trace.is_some() && event.trace == trace)
    }

    /// That happened after this event.
    pub fn after(mut self, event: &Event) -> Self {
        let number = event.number;
        self.after = self.after.max(number);
        self.with(format!("after event {number}"), move |event| event.number > number)
    }
}

/// Answers.
impl Events {
    /// The events.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.all.iter().filter(|event| self.conditions.iter().all(|c| (c.test)(event)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The oldest.
    pub fn first(&self) -> Option<Arc<Event>> {
        self.iter().next().cloned()
    }

    /// The newest.
    pub fn last(&self) -> Option<Arc<Event>> {
        self.iter().last().cloned()
    }

    /// The bodies as texts, in order; octets that are none are replaced.
    pub fn texts(&self) -> Vec<String> {
        self.iter().map(|event| event.text()).collect()
    }

    /// The conditions as part of a sentence.
    #[doc(hidden)]
    pub fn describe(&self) -> String {
        let conditions: Vec<_> = self.conditions.iter().map(|c| c.text.as_str()).collect();
        if conditions.is_empty() { "any".into() } else { conditions.join(" ") }
    }

    /// The events that meet most of the conditions, but not all; oldest first. At most `max`, the
    /// newest ones.
    pub(super) fn nearest(&self, max: usize) -> Vec<&Event> {
        let score = |event: &Event| self.conditions.iter().filter(|c| (c.test)(event)).count();
        let scored = self.all.iter().map(|event| (score(event), &**event));
        let scored = scored.filter(|(score, _)| *score < self.conditions.len());
        let mut scored: Vec<_> = scored.collect();
        scored.sort_by_key(|(score, event)| std::cmp::Reverse((*score, event.number)));
        scored.truncate(max);
        scored.sort_by_key(|(_, event)| event.number);
        scored.into_iter().map(|(_, event)| event).collect()
    }

    /// One line for an event, with its time since the broker was made.
    #[doc(hidden)]
    pub fn line(&self, event: &Event) -> String {
        let us = event.at.as_micros().saturating_sub(self.started_at.as_micros());
        format!("{:>4}  +{}.{:03} s  {event}", event.number, us / 1_000_000, us / 1000 % 1000)
    }

    /// Whether the journal still has all events that may be among these.
    pub(super) fn is_complete(&self) -> bool {
        let oldest = self.all.first().map_or(u64::MAX, |event| event.number);
        self.forgotten == 0 || oldest <= self.after.saturating_add(1)
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// The events in plain English, one line each.
impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forgotten > 0 {
            writeln!(f, "({} older events are forgotten)", self.forgotten)?;
        }
        self.iter().try_for_each(|event| writeln!(f, "{}", self.line(event)))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("conditions", &self.describe())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
