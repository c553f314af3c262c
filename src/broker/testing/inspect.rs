//! Looking into queues without taking anything, and filling them: for tests.

use crate::base::names::ConsumerTag;
use crate::broker::Broker;
use crate::embedded::{Confirming, Publish, QueuedMessage, no_route};
use crate::error::Result;
use crate::time::clock::Timestamp;

/// A delivery that was not acknowledged yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnackedMessage {
    /// The message.
    pub message: QueuedMessage,
    /// The consumer that has it; `None` if it was taken by basic.get, or its consumer was
    /// cancelled since.
    pub consumer_tag: Option<ConsumerTag>,
    /// Number of the connection that has it, as in the [journal](crate::insight::journal).
    pub connection: u64,
    /// What the client calls the connection, if it gave it a name.
    pub connection_name: Option<String>,
    /// Number of the channel that has it, whether a consumer of it got the message or basic.get.
    /// The channels of the embedding program are numbered as they are opened.
    pub channel: u16,
    /// Since when, by the broker's clock.
    pub delivered_at: Timestamp,
}

impl Broker {
    /// Publishes a message to the default virtual host as the default user, on a connection of its
    /// own: for filling queues before a test. It is mandatory: a message that no queue gets is an
    /// error here. Errors, when its confirm is awaited: 312 ([`Error::NoRoute`]), and as
    /// [`Broker::connect`] and [`Channel::publish`](crate::Channel::publish).
    ///
    /// [`Error::NoRoute`]: crate::Error::NoRoute
    pub fn publish(&self, publish: Publish) -> Confirming {
        let channel = self.connect().and_then(|connection| connection.open_channel());
        let confirming = channel.map(|channel| channel.publish(publish.mandatory()));
        confirming.map_or_else(Confirming::failed, Confirming::or_no_route)
    }

    /// As [`Broker::publish`], for many messages, with one wait for the confirms of all: tells how
    /// many are in their queues, which are all but those that a queue refused because it is full.
    /// Errors: 312 if one or more of them found no queue, where the others are published, and as
    /// [`Broker::connect`] and [`Channel::publish_all`](crate::Channel::publish_all).
    ///
    /// ```
    /// use leveret::{Broker, Publish};
    ///
    /// let broker = Broker::new();
    /// broker.connect()?.open_channel()?.queue_declare("jobs")?;
    /// let jobs = (0..1000).map(|n| Publish::to_queue("jobs").body(n.to_string()));
    /// assert_eq!(broker.publish_all(jobs)?, 1000);
    /// # Ok::<(), leveret::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Confirming::wait`].
    #[track_caller]
    pub fn publish_all(&self, publishes: impl IntoIterator<Item = Publish>) -> Result<usize> {
        let connection = self.connect()?;
        let channel = connection.open_channel()?;
        let confirmed = channel.publish_all(publishes.into_iter().map(Publish::mandatory))?;
        channel.take_returned().map_or(Ok(confirmed), |message| Err(no_route(&message)))
    }
}
