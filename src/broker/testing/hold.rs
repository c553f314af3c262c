//! Holding a queue, so that a test decides who gets which message, and when.

use crate::base::ids::{ChannelId, ConnectionId};
use crate::broker::Broker;
use crate::error::Result;
use crate::names::ConsumerTag;

/// A consumer that a message of a held queue is for: its consumer tag and, if others have the same
/// one, its connection and channel.
///
/// ```
/// use leveret::Recipient;
///
/// let slow: Recipient = "worker".into();
/// let slow = slow.on_connection("slow").on_channel(1);
/// ```
#[derive(Clone, Debug)]
pub struct Recipient {
    consumer_tag: ConsumerTag,
    connection: Option<Connection>,
    channel: Option<u16>,
}

#[derive(Clone, Debug)]
enum Connection {
    Named(String),
    Numbered(ConnectionId),
}

impl<T: Into<String>> From<T> for Recipient {
    fn from(consumer_tag: T) -> Self {
        let consumer_tag = ConsumerTag::from(consumer_tag.into());
        Self { consumer_tag, connection: None, channel: None }
    }
}

impl Recipient {
    /// On the connection to which the client gave this name.
    #[must_use]
    pub fn on_connection(mut self, name: impl Into<String>) -> Self {
        self.connection = Some(Connection::Named(name.into()));
        self
    }

    /// On the connection with this number, as [`Broker::unacked`] and the
    /// [journal](crate::insight::journal) tell it.
    #[must_use]
    pub fn on_connection_number(mut self, number: u64) -> Self {
        self.connection = Some(Connection::Numbered(number));
        self
    }

    /// On the channel with this number.
    #[must_use]
    pub fn on_channel(mut self, number: u16) -> Self {
        self.channel = Some(number);
        self
    }
}

impl Broker {
    /// Holds a queue: it takes publishes, and gives nothing out, neither to consumers nor to
    /// basic.get, but what [`Broker::release`] and [`Broker::release_to`] let go. On a queue that
    /// is held this takes back what was let go and has not gone yet. Errors: 404, 530.
    ///
    /// ```
    /// use leveret::{Broker, Consume, Publish};
    ///
    /// let broker = Broker::new();
    /// let channel = broker.connect()?.open_channel()?;
    /// channel.queue_declare("jobs")?;
    /// broker.hold("/", "jobs")?;
    /// let consume = |tag: &str| {
    ///     let consumer_tag = tag.to_owned();
    ///     let consume = Consume::new("jobs").consumer_tag(consumer_tag);
    ///     channel.basic_consume_with(&consume)
    /// };
    /// let (one, two) = (consume("one")?, consume("two")?);
    /// for job in ["a", "b", "c"] {
    ///     channel.basic_publish(Publish::to_queue("jobs").body(job))?;
    /// }
    /// for consumer in ["two", "two", "one"] {
    ///     broker.release_to("/", "jobs", consumer)?;
    /// }
    /// assert_eq!(two.try_recv().expect("a job").body(), b"a");
    /// assert_eq!(two.try_recv().expect("a job").body(), b"b");
    /// assert_eq!(one.try_recv().expect("a job").body(), b"c");
    /// # Ok::<(), leveret::Error>(())
    /// ```
    pub fn hold(&self, virtual_host: &str, queue: &str) -> Result<()> {
        self.host(virtual_host)?.set_held(queue, true)
    }

    /// Lets the next `count` messages of a held queue go to whoever is next, consumers or
    /// basic.get, as soon as they are there and somebody takes them; then it is held again.
    /// Releases come one after the other. Errors: 404, 406 if the queue is not held, 530.
    pub fn release(&self, virtual_host: &str, queue: &str, count: usize) -> Result<()> {
        self.host(virtual_host)?.release_next(queue, count)
    }

    /// Lets the next message of a held queue go to this consumer, as soon as it is there and the
    /// consumer takes it. Releases come one after the other: while this one waits for a message,
    /// or for a consumer whose prefetch or buffer is used up, those after it wait, too. If the
    /// consumer ends before, its releases are void.
    ///
    /// # Errors
    /// 404 if there is no such queue, or no such consumer at present. 406 if several consumers are
    /// meant, if the queue is not held, or if it has a single active consumer and this is
    /// another one. 530.
    pub fn release_to(
        &self,
        virtual_host: &str,
        queue: &str,
        recipient: impl Into<Recipient>,
    ) -> Result<()> {
        let Recipient { consumer_tag, connection, channel } = recipient.into();
        let connections = connection.map(|connection| match connection {
            Connection::Named(name) => self.node().connections.named(&name),
            Connection::Numbered(number) => vec![number],
        });
        let meant = |id: ChannelId| {
            connections.as_ref().is_none_or(|meant| meant.contains(&id.connection))
                && channel.is_none_or(|number| number == id.number)
        };
        self.host(virtual_host)?.release_to(queue, &consumer_tag, meant)
    }

    /// Ends a hold: messages go out as usual. Errors: 404, 530.
    pub fn end_hold(&self, virtual_host: &str, queue: &str) -> Result<()> {
        self.host(virtual_host)?.set_held(queue, false)
    }
}
