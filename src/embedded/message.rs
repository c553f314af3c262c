//! Messages as an embedding program gets them.

use std::fmt;
use std::sync::Arc;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::FieldTable;
use leveret_protocol::RawProperties;

use crate::embedded::channel::ChannelInner;
use crate::error::Result;
use crate::message::Message;
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;

/// A delivered message. It stays unacknowledged until it is settled, unless its consumer or
/// basic.get works without acknowledgements; dropping it settles nothing.
pub struct Delivery {
    pub(super) channel: Arc<ChannelInner>,
    pub(super) delivery_tag: u64,
    pub(super) redelivered: bool,
    pub(super) delivery_count: Option<u32>,
    pub(super) message: Message,
}

impl Delivery {
    /// Delivery tag, which counts the deliveries of the channel from 1.
    pub fn delivery_tag(&self) -> u64 {
        self.delivery_tag
    }

    /// Whether the message may have been delivered before.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// How often the message was returned to its quorum queue; `None` on the first delivery and
    /// from other queues.
    pub fn delivery_count(&self) -> Option<u32> {
        self.delivery_count
    }

    /// Exchange that it was published to; empty for the default exchange.
    pub fn exchange(&self) -> String {
        String::from_utf8_lossy(self.message.exchange()).into_owned()
    }

    /// Routing key that it was published with.
    pub fn routing_key(&self) -> String {
        String::from_utf8_lossy(self.message.routing_key()).into_owned()
    }

    /// Body.
    pub fn body(&self) -> &[u8] {
        self.message.body()
    }

    /// Body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    /// All properties, parsed from their encoding at each call.
    pub fn properties(&self) -> BasicProperties {
        properties(&self.message)
    }

    /// Headers; empty if there are none. A name that is not UTF-8 has one of the characters U+EF80
    /// to U+EFFF for each octet that does not belong; published again it is the same octets.
    pub fn headers(&self) -> FieldTable {
        headers(&self.message)
    }

    /// Acknowledges the message. Errors: 406 if it was settled before or needs no
    /// acknowledgement.
    pub fn ack(&self) -> Result<()> {
        self.channel.apply(|channel, effects| channel.basic_ack(self.delivery_tag, false, effects))
    }

    /// Refuses the message: it goes back to its queue, or without `requeue` is dropped or
    /// dead-lettered. Errors: 406 as for [`Delivery::ack`].
    pub fn reject(&self, requeue: bool) -> Result<()> {
        let tag = self.delivery_tag;
        self.channel.apply(|channel, effects| channel.basic_reject(tag, requeue, effects))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("delivery_tag", &self.delivery_tag)
            .field("redelivered", &self.redelivered)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// A message as it lies in a queue: see [`Broker::peek`](crate::Broker::peek).
#[derive(Clone)]
pub struct QueuedMessage(pub(crate) Entry);

impl QueuedMessage {
    /// Exchange that it was published to; empty for the default exchange.
    pub fn exchange(&self) -> String {
        String::from_utf8_lossy(self.0.message.exchange()).into_owned()
    }

    /// Routing key that it was published with.
    pub fn routing_key(&self) -> String {
        String::from_utf8_lossy(self.0.message.routing_key()).into_owned()
    }

    /// Body.
    pub fn body(&self) -> &[u8] {
        self.0.message.body()
    }

    /// Body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    /// All properties, parsed at each call.
    pub fn properties(&self) -> BasicProperties {
        properties(&self.0.message)
    }

    /// Headers; empty if there are none.
    pub fn headers(&self) -> FieldTable {
        headers(&self.0.message)
    }

    /// Whether it may have been delivered before.
    pub fn redelivered(&self) -> bool {
        self.0.redelivered
    }

    /// How often it was returned to the queue.
    pub fn delivery_count(&self) -> u32 {
        self.0.delivery_count
    }

    /// When it expires; `None` if it does not.
    pub fn expires_at(&self) -> Option<Timestamp> {
        Some(self.0.expires_at).filter(|&at| at != Timestamp::NEVER)
    }
}

impl fmt::Debug for QueuedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedMessage")
            .field("message", &self.0.message)
            .field("redelivered", &self.0.redelivered)
            .finish_non_exhaustive()
    }
}

/// A mandatory message that came back because no queue got it.
#[derive(Clone, Debug)]
pub struct ReturnedMessage(pub(super) Message);

impl ReturnedMessage {
    /// Exchange that it was published to.
    pub fn exchange(&self) -> String {
        String::from_utf8_lossy(self.0.exchange()).into_owned()
    }

    /// Routing key that it was published with.
    pub fn routing_key(&self) -> String {
        String::from_utf8_lossy(self.0.routing_key()).into_owned()
    }

    /// Body.
    pub fn body(&self) -> &[u8] {
        self.0.body()
    }

    /// Body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    /// All properties.
    pub fn properties(&self) -> BasicProperties {
        properties(&self.0)
    }
}

fn properties(message: &Message) -> BasicProperties {
    RawProperties(message.properties()).parse().unwrap_or_default()
}

fn headers(message: &Message) -> FieldTable {
    RawProperties(message.properties())
        .headers()
        .and_then(std::result::Result::ok)
        .unwrap_or_default()
}
