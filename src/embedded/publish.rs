//! What an embedding program publishes.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{FieldTable, ShortString};
use bytes::Bytes;
use leveret_protocol::properties::encode_properties;

use crate::base::field_value::FieldValue;
use crate::message::{Body, Message};
use crate::vhost;

/// A message to publish, and where to.
///
/// ```
/// use leveret::Publish;
///
/// let publish = Publish::to_exchange("orders", "order.created")
///     .body(r#"{"id": 7}"#)
///     .content_type("application/json")
///     .persistent()
///     .mandatory();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Publish {
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
    pub(super) mandatory: bool,
}

impl Publish {
    /// To the queue of that name, over the default exchange.
    pub fn to_queue(queue: impl Into<String>) -> Self {
        Self::to_exchange("", queue)
    }

    /// To an exchange, with a routing key.
    pub fn to_exchange(exchange: impl Into<String>, routing_key: impl Into<String>) -> Self {
        let (exchange, routing_key) = (exchange.into(), routing_key.into());
        Self { exchange, routing_key, ..Self::default() }
    }

    /// The body. Default: empty.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// All fourteen properties at once. Default: none is set.
    #[must_use]
    pub fn properties(mut self, properties: BasicProperties) -> Self {
        self.properties = properties;
        self
    }

    /// Sets all headers at once.
    #[must_use]
    pub fn headers(mut self, headers: FieldTable) -> Self {
        self.properties = self.properties.with_headers(headers);
        self
    }

    /// Sets one header.
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn header(mut self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        let mut headers = self.properties.headers().clone().unwrap_or_default();
        headers.insert(name.into(), value.into().into());
        self.properties = self.properties.with_headers(headers);
        self
    }

    /// Sets `content_type`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.properties = self.properties.with_content_type(content_type.into());
        self
    }

    /// Sets `content_encoding`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn content_encoding(mut self, content_encoding: &str) -> Self {
        self.properties = self.properties.with_content_encoding(content_encoding.into());
        self
    }

    /// Sets `correlation_id`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn correlation_id(mut self, correlation_id: &str) -> Self {
        self.properties = self.properties.with_correlation_id(correlation_id.into());
        self
    }

    /// Sets `message_id`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn message_id(mut self, message_id: &str) -> Self {
        self.properties = self.properties.with_message_id(message_id.into());
        self
    }

    /// Sets `reply_to`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn reply_to(mut self, reply_to: &str) -> Self {
        self.properties = self.properties.with_reply_to(reply_to.into());
        self
    }

    /// Sets `delivery_mode` to 2: a durable queue keeps the message over a restart.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.properties = self.properties.with_delivery_mode(2);
        self
    }

    /// Sets `priority`.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.properties = self.properties.with_priority(priority);
        self
    }

    /// Sets `expiration`: the message expires after so many milliseconds in a queue.
    #[must_use]
    pub fn expiration_ms(mut self, ms: u64) -> Self {
        self.properties = self.properties.with_expiration(ms.to_string().into());
        self
    }

    /// Sets `timestamp`: seconds since the beginning of 1970.
    #[must_use]
    pub fn timestamp(mut self, seconds: u64) -> Self {
        self.properties = self.properties.with_timestamp(seconds);
        self
    }

    /// Sets `type`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn message_type(mut self, message_type: &str) -> Self {
        self.properties = self.properties.with_type(message_type.into());
        self
    }

    /// Sets `user_id`, which has to be the name of the user who publishes: 406 if not
    /// `[rabbitmq validated-user-id]`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn user_id(mut self, user_id: &str) -> Self {
        self.properties = self.properties.with_user_id(user_id.into());
        self
    }

    /// Sets `app_id`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn app_id(mut self, app_id: &str) -> Self {
        self.properties = self.properties.with_app_id(app_id.into());
        self
    }

    /// Sets `cluster_id`, which AMQP 0-9-1 keeps for older clients.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn cluster_id(mut self, cluster_id: &str) -> Self {
        self.properties = self.properties.with_cluster_id(cluster_id.into());
        self
    }

    /// The message by itself, for whoever sends it no way.
    pub(crate) fn into_message(self, scratch: &mut Vec<u8>) -> Message {
        let properties = encode_properties(&self.properties);
        let publish = vhost::Publish {
            exchange: self.exchange.as_bytes(),
            routing_key: self.routing_key.as_bytes(),
            properties: &properties,
            body: Body::Shared(self.body),
        };
        publish.into_message(scratch)
    }

    /// The message comes back if no queue gets it: see
    /// [`Channel::take_returned`](crate::Channel::take_returned).
    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }
}
