//! What an embedding program publishes.

use std::fmt;
use std::sync::Arc;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{FieldTable, ShortString};
use bytes::Bytes;
use leveret_protocol::properties::{NO_PROPERTIES, encode_properties};
use smallvec::SmallVec;

use crate::base::field_value::FieldValue;
use crate::limits::INLINE_BODY_MAX_BYTES;
use crate::message::{Body, Message};
#[cfg(feature = "remote")]
use crate::remote::client::Outbound;
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
#[derive(Clone, Default)]
pub struct Publish {
    /// Octets of exchange and routing key, one after the other: in place if they are not many.
    names: SmallVec<[u8; 32]>,
    /// So many of the first of them are the exchange's.
    exchange_octets: usize,
    /// Most have none, and clones have the same.
    properties: Option<Arc<BasicProperties>>,
    body: Bytes,
    pub(super) mandatory: bool,
}

impl Publish {
    /// To the queue of that name, over the default exchange.
    #[inline]
    pub fn to_queue(queue: impl AsRef<str>) -> Self {
        Self { names: SmallVec::from_slice(queue.as_ref().as_bytes()), ..Self::default() }
    }

    /// To an exchange, with a routing key.
    pub fn to_exchange(exchange: impl AsRef<str>, routing_key: impl AsRef<str>) -> Self {
        let mut names = SmallVec::from_slice(exchange.as_ref().as_bytes());
        let exchange_octets = names.len();
        names.extend_from_slice(routing_key.as_ref().as_bytes());
        Self { names, exchange_octets, ..Self::default() }
    }

    /// The body. Default: empty.
    #[must_use]
    #[inline]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// All fourteen properties at once. Default: none is set.
    #[must_use]
    pub fn properties(mut self, properties: BasicProperties) -> Self {
        self.properties = Some(Arc::new(properties));
        self
    }

    /// Sets all headers at once.
    #[must_use]
    pub fn headers(self, headers: FieldTable) -> Self {
        self.with(|properties| properties.with_headers(headers))
    }

    /// Sets one header.
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn header(self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        self.with(|properties| {
            let mut headers = properties.headers().clone().unwrap_or_default();
            headers.insert(name.into(), value.into().into());
            properties.with_headers(headers)
        })
    }

    /// Sets `content_type`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn content_type(self, content_type: &str) -> Self {
        self.with(|properties| properties.with_content_type(content_type.into()))
    }

    /// Sets `content_encoding`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn content_encoding(self, content_encoding: &str) -> Self {
        self.with(|properties| properties.with_content_encoding(content_encoding.into()))
    }

    /// Sets `correlation_id`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn correlation_id(self, correlation_id: &str) -> Self {
        self.with(|properties| properties.with_correlation_id(correlation_id.into()))
    }

    /// Sets `message_id`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn message_id(self, message_id: &str) -> Self {
        self.with(|properties| properties.with_message_id(message_id.into()))
    }

    /// Sets `reply_to`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn reply_to(self, reply_to: &str) -> Self {
        self.with(|properties| properties.with_reply_to(reply_to.into()))
    }

    /// Sets `delivery_mode` to 2: a durable queue keeps the message over a restart.
    #[must_use]
    pub fn persistent(self) -> Self {
        self.with(|properties| properties.with_delivery_mode(2))
    }

    /// Sets `priority`.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        self.with(|properties| properties.with_priority(priority))
    }

    /// Sets `expiration`: the message expires after so many milliseconds in a queue.
    #[must_use]
    pub fn expiration_ms(self, ms: u64) -> Self {
        self.with(|properties| properties.with_expiration(ms.to_string().into()))
    }

    /// Sets `timestamp`: seconds since the beginning of 1970.
    #[must_use]
    pub fn timestamp(self, seconds: u64) -> Self {
        self.with(|properties| properties.with_timestamp(seconds))
    }

    /// Sets `type`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn message_type(self, message_type: &str) -> Self {
        self.with(|properties| properties.with_type(message_type.into()))
    }

    /// Sets `user_id`, which has to be the name of the user who publishes: 406 if not
    /// `[rabbitmq validated-user-id]`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn user_id(self, user_id: &str) -> Self {
        self.with(|properties| properties.with_user_id(user_id.into()))
    }

    /// Sets `app_id`.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn app_id(self, app_id: &str) -> Self {
        self.with(|properties| properties.with_app_id(app_id.into()))
    }

    /// Sets `cluster_id`, which AMQP 0-9-1 keeps for older clients.
    ///
    /// # Panics
    /// If it has more than 255 octets.
    #[must_use]
    pub fn cluster_id(self, cluster_id: &str) -> Self {
        self.with(|properties| properties.with_cluster_id(cluster_id.into()))
    }

    fn with(mut self, change: impl FnOnce(BasicProperties) -> BasicProperties) -> Self {
        let properties = self.properties.take().map(Arc::unwrap_or_clone);
        self.properties = Some(Arc::new(change(properties.unwrap_or_default())));
        self
    }

    /// The exchange's name and the routing key.
    #[inline]
    fn names(&self) -> (&[u8], &[u8]) {
        self.names.split_at_checked(self.exchange_octets).unwrap_or_default()
    }

    /// Hands it to `take`, in octets. It may have no body any more: a large one is not copied.
    #[inline]
    pub(super) fn encoded<R>(&mut self, take: impl FnOnce(vhost::Publish<'_>) -> R) -> R {
        let body = match self.body.len() > INLINE_BODY_MAX_BYTES {
            true => Body::Shared(std::mem::take(&mut self.body)),
            false => Body::Borrowed(&self.body),
        };
        let (exchange, routing_key) = self.names();
        let properties = self.properties.as_deref().map(encode_properties);
        take(vhost::Publish {
            number: 0,
            exchange,
            routing_key,
            properties: properties.as_deref().unwrap_or(NO_PROPERTIES),
            body,
        })
    }

    /// What another broker gets.
    #[cfg(feature = "remote")]
    pub(super) fn into_outbound(self) -> Outbound {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let (exchange, routing_key) = self.names();
        Outbound {
            exchange: text(exchange),
            routing_key: text(routing_key),
            properties: self.properties.map(Arc::unwrap_or_clone).unwrap_or_default(),
            body: self.body,
            mandatory: self.mandatory,
        }
    }

    /// The message by itself, for whoever sends it no way.
    pub(crate) fn into_message(mut self, scratch: &mut Vec<u8>) -> Message {
        self.encoded(|publish| publish.into_message(scratch))
    }

    /// The message comes back if no queue gets it: see
    /// [`Channel::take_returned`](crate::Channel::take_returned).
    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (exchange, routing_key) = self.names();
        f.debug_struct("Publish")
            .field("exchange", &String::from_utf8_lossy(exchange))
            .field("routing_key", &String::from_utf8_lossy(routing_key))
            .field("properties", &self.properties.as_deref().unwrap_or(&Default::default()))
            .field("body", &self.body)
            .field("mandatory", &self.mandatory)
            .finish()
    }
}
