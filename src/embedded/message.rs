//! Messages as an embedding program gets them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::embedded::channel::ChannelInner;
use crate::embedded::consumer::Subscription;
use crate::error::Result;
use crate::message::Message;
use crate::queue::fifo::entry::Entry;
use crate::time::clock::Timestamp;

/// A delivered [`Message`]. It stays unacknowledged until it is settled, unless its consumer or
/// basic.get works without acknowledgements; dropping it settles nothing.
///
/// ```
/// use leveret::{Broker, Publish};
///
/// let broker = Broker::new();
/// let channel = broker.connect()?.open_channel()?;
/// channel.queue_declare("jobs")?;
/// channel.basic_publish(Publish::to_queue("jobs").body("a").content_type("text/plain"))?;
/// let job = channel.basic_get("jobs")?.expect("a job");
/// assert_eq!((job.routing_key(), job.body()), ("jobs", &b"a"[..]));
/// job.requeue()?;
/// let again = channel.basic_get("jobs")?.expect("the job");
/// assert!(again.redelivered());
/// again.ack()?;
/// # Ok::<(), leveret::Error>(())
/// ```
pub struct Delivery {
    pub(super) recipient: Recipient,
    pub(super) delivery_tag: u64,
    pub(super) redelivered: bool,
    pub(super) delivery_count: Option<u32>,
    pub(super) message: Message,
}

/// Who got a delivery.
pub(super) enum Recipient {
    /// A consumer.
    Consumer(Arc<Subscription>),
    /// Whoever called basic.get.
    Channel(Arc<ChannelInner>),
}

impl Recipient {
    fn channel(&self) -> &ChannelInner {
        match self {
            Self::Consumer(subscription) => &subscription.channel,
            Self::Channel(channel) => channel,
        }
    }
}

/// How deliveries are refused by basic.nack `[rabbitmq nack]`: that one alone, which is dropped or
/// dead-lettered, unless it is said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nack {
    /// All deliveries of the channel up to that one are meant.
    pub multiple: bool,
    /// They go back to their queues.
    pub requeue: bool,
}

impl Nack {
    /// That delivery alone, which is dropped or dead-lettered.
    pub fn new() -> Self {
        Self::default()
    }

    /// All deliveries of the channel up to that one, too.
    #[must_use]
    pub fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// They go back to their queues.
    #[must_use]
    pub fn requeue(mut self) -> Self {
        self.requeue = true;
        self
    }
}

impl Delivery {
    /// Tag of the consumer that got it; `None` if it was taken by basic.get.
    pub fn consumer_tag(&self) -> Option<&str> {
        match &self.recipient {
            Recipient::Consumer(subscription) => Some(subscription.tag.as_str()),
            Recipient::Channel(_) => None,
        }
    }

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

    /// The message by itself.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Acknowledges the message. Errors: 406 if it was settled before or needs no
    /// acknowledgement.
    pub fn ack(&self) -> Result<()> {
        let queue = match &self.recipient {
            Recipient::Consumer(consumer) => consumer.queue.as_ref(),
            Recipient::Channel(_) => None,
        };
        self.recipient.channel().ack(self.delivery_tag, queue)
    }

    /// Acknowledges all deliveries of the channel up to this one. Errors: 406 as for
    /// [`Delivery::ack`].
    pub fn ack_multiple(&self) -> Result<()> {
        self.recipient.channel().ack_multiple(self.delivery_tag)
    }

    /// Refuses the message: it is dropped or dead-lettered. Errors: 406 as for [`Delivery::ack`].
    pub fn reject(&self) -> Result<()> {
        self.recipient.channel().basic_reject(self.delivery_tag, false)
    }

    /// Gives the message back to its queue. Errors: 406 as for [`Delivery::ack`].
    pub fn requeue(&self) -> Result<()> {
        self.recipient.channel().basic_reject(self.delivery_tag, true)
    }

    /// Refuses this message or all up to it, as `nack` says. Errors: 406 as for
    /// [`Delivery::ack`].
    pub fn nack(&self, nack: &Nack) -> Result<()> {
        self.recipient.channel().basic_nack(self.delivery_tag, nack)
    }
}

impl Deref for Delivery {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
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

/// A [`Message`] as it lies in a queue: see [`QueueHandle::peek`](crate::QueueHandle::peek).
#[derive(Clone)]
pub struct QueuedMessage(pub(crate) Entry);

impl QueuedMessage {
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

impl Deref for QueuedMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.0.message
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
