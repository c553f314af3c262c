//! What a rule looks at to find out whether it is meant.

use std::fmt;
use std::sync::Arc;

use amq_protocol::protocol::BasicProperties;
use leveret_protocol::RawProperties;

/// A message, as the filters of rules see it.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pub(crate) exchange: &'a [u8],
    pub(crate) routing_key: &'a [u8],
    pub(crate) properties: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Exchange that it was published to; empty for the default exchange, and if it is not UTF-8.
    pub fn exchange(&self) -> &'a str {
        std::str::from_utf8(self.exchange).unwrap_or_default()
    }

    /// Routing key that it was published with; empty if that is not UTF-8.
    pub fn routing_key(&self) -> &'a str {
        std::str::from_utf8(self.routing_key).unwrap_or_default()
    }

    /// Routing key as octets, of which AMQP allows any.
    pub fn routing_key_octets(&self) -> &'a [u8] {
        self.routing_key
    }

    /// Its body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// All properties, parsed at each call.
    pub fn properties(&self) -> BasicProperties {
        RawProperties(self.properties).parse().unwrap_or_default()
    }
}

impl<'a> From<&'a crate::message::Message> for Message<'a> {
    fn from(message: &'a crate::message::Message) -> Self {
        Self {
            exchange: message.exchange_octets(),
            routing_key: message.routing_key_octets(),
            properties: message.raw_properties().0,
            body: message.body(),
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &String::from_utf8_lossy(self.exchange))
            .field("routing_key", &String::from_utf8_lossy(self.routing_key))
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What something that happens is about, as far as it is known.
#[derive(Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    pub connection: &'a str,
    pub virtual_host: &'a str,
    pub channel: u16,
    pub queue: Option<&'a str>,
    pub exchange: Option<&'a [u8]>,
    pub routing_key: Option<&'a [u8]>,
    pub message: Option<Message<'a>>,
}

impl<'a> Subject<'a> {
    /// Of a method that names a queue.
    pub(crate) fn queue(queue: &'a str) -> Self {
        Self { queue: Some(queue), ..Self::default() }
    }

    /// Of a method that names an exchange.
    pub(crate) fn exchange(exchange: &'a str) -> Self {
        Self { exchange: Some(exchange.as_bytes()), ..Self::default() }
    }

    /// Of a method that names an exchange and a routing key.
    pub(crate) fn binding(exchange: &'a str, routing_key: &'a [u8]) -> Self {
        Self { routing_key: Some(routing_key), ..Self::exchange(exchange) }
    }

    /// Something about a message.
    pub(crate) fn message(message: Message<'a>) -> Self {
        Self {
            exchange: Some(message.exchange),
            routing_key: Some(message.routing_key),
            message: Some(message),
            ..Self::default()
        }
    }
}

/// A condition on messages.
#[derive(Clone)]
pub(crate) struct Condition {
    /// How a sentence says it.
    pub text: String,
    pub test: Arc<dyn Fn(&Message<'_>) -> bool + Send + Sync>,
}

/// Conditions that all have to hold.
#[derive(Clone, Default)]
pub(crate) struct Filter {
    pub connection: Option<String>,
    pub virtual_host: Option<String>,
    pub channel: Option<u16>,
    pub queue: Option<String>,
    pub exchange: Option<String>,
    pub routing_key: Option<String>,
    pub message: Vec<Condition>,
}

impl Filter {
    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        let is = |wanted: &Option<String>, is: Option<&[u8]>| {
            wanted.as_ref().is_none_or(|wanted| is == Some(wanted.as_bytes()))
        };
        is(&self.connection, Some(subject.connection.as_bytes()))
            && is(&self.virtual_host, Some(subject.virtual_host.as_bytes()))
            && self.channel.is_none_or(|channel| channel == subject.channel)
            && is(&self.queue, subject.queue.map(str::as_bytes))
            && is(&self.exchange, subject.exchange)
            && is(&self.routing_key, subject.routing_key)
            && self.message.iter().all(|c| subject.message.as_ref().is_some_and(|m| (c.test)(m)))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [
            ("on connection", &self.connection),
            ("on virtual host", &self.virtual_host),
            ("for queue", &self.queue),
            ("for exchange", &self.exchange),
            ("for routing key", &self.routing_key),
        ];
        for (what, text) in texts {
            if let Some(text) = text {
                write!(f, " {what} '{text}'")?;
            }
        }
        if let Some(channel) = self.channel {
            write!(f, " on channel {channel}")?;
        }
        self.message.iter().try_for_each(|condition| write!(f, " {}", condition.text))
    }
}
