//! A queue, for who looks into it or decides what it gives out.

use std::fmt;
use std::sync::{Arc, Weak};

use amq_protocol::types::FieldTable;

use crate::base::ids::ChannelId;
use crate::broker::Broker;
use crate::broker::testing::hold::Recipient;
use crate::broker::testing::inspect::UnackedMessage;
use crate::embedded::QueuedMessage;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::queue::effects::Effects;
use crate::queue::{Counts, Queue};
use crate::time::clock::Timestamp;
use crate::vhost::VirtualHost;

/// A queue of a [`Broker`]: what is in it, and what it gives out. Looking takes nothing away.
///
/// ```
/// use leveret::{Broker, Consume, Publish};
///
/// let broker = Broker::new();
/// let channel = broker.connect()?.open_channel()?;
/// channel.queue_declare("jobs")?;
/// let jobs = broker.queue("/", "jobs")?;
/// jobs.hold()?;
/// let consume = |tag: &str| channel.basic_consume_with(&Consume::new("jobs").consumer_tag(tag));
/// let (one, two) = (consume("one")?, consume("two")?);
/// for job in ["a", "b", "c"] {
///     channel.basic_publish(Publish::to_queue("jobs").body(job))?;
/// }
/// assert_eq!((jobs.counts().ready, jobs.peek(10)?[0].body()), (3, &b"a"[..]));
/// for consumer in ["two", "two", "one"] {
///     jobs.release_to(consumer)?;
/// }
/// assert_eq!(two.try_recv().expect("a job").body(), b"a");
/// assert_eq!(two.try_recv().expect("a job").body(), b"b");
/// assert_eq!(one.try_recv().expect("a job").body(), b"c");
/// assert_eq!(jobs.unacked().len(), 3);
/// # Ok::<(), leveret::Error>(())
/// ```
///
/// Errors of its methods, besides those that they name: 404 once the queue is deleted, also if
/// another one has its name by then.
#[derive(Clone)]
pub struct QueueHandle {
    node: Arc<Node>,
    host: Arc<VirtualHost>,
    queue: Arc<Queue>,
}

impl Broker {
    /// All queues of all virtual hosts, by host and name.
    pub fn queues(&self) -> Vec<QueueHandle> {
        let mut queues = Vec::new();
        for host in self.node().all_virtual_hosts() {
            let found = host.queues().into_iter();
            queues.extend(found.map(|queue| QueueHandle::new(self.node(), &host, queue)));
        }
        queues.sort_by(|a, b| (a.virtual_host(), a.name()).cmp(&(b.virtual_host(), b.name())));
        queues
    }

    /// How many messages and consumers a queue of the default virtual host has. Errors: 404.
    pub fn counts(&self, queue: &str) -> Result<Counts> {
        Ok(self.node().host(self.node().default_virtual_host.as_str())?.queue(queue)?.counts())
    }

    /// The queue of this name. Errors: 404, 530 if there is no such virtual host.
    pub fn queue(&self, virtual_host: &str, queue: &str) -> Result<QueueHandle> {
        let host = self.node().host(virtual_host)?;
        let queue = host.queue(queue)?;
        Ok(QueueHandle::new(self.node(), &host, queue))
    }
}

impl QueueHandle {
    pub(in crate::broker) fn new(
        node: &Arc<Node>,
        host: &Arc<VirtualHost>,
        queue: Arc<Queue>,
    ) -> Self {
        Self { node: Arc::clone(node), host: Arc::clone(host), queue }
    }

    /// Name.
    pub fn name(&self) -> &str {
        self.queue.name().as_str()
    }

    /// Name of its virtual host.
    pub fn virtual_host(&self) -> &str {
        self.host.name().as_str()
    }

    /// Whether it survives a restart.
    pub fn is_durable(&self) -> bool {
        self.queue.attributes().durable
    }

    /// The arguments that it was declared with.
    pub fn arguments(&self) -> &FieldTable {
        &self.queue.attributes().table
    }

    /// How many messages and consumers it has.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.queue.is_deleted()
    }

    /// Whether it is [held](QueueHandle::hold).
    pub fn is_held(&self) -> bool {
        self.queue.is_held()
    }

    /// The first `max` ready messages, in the order in which they will be delivered if no others
    /// come. They stay where they are: those of a long backlog in a data directory are read from
    /// there. Errors: 541 if the disk fails.
    pub fn peek(&self, max: usize) -> Result<Vec<QueuedMessage>> {
        let entries = self.host.peek(self.present()?, max)?;
        Ok(entries.into_iter().map(QueuedMessage).collect())
    }

    /// The deliveries that were not acknowledged yet, oldest first, and who has them.
    pub fn unacked(&self) -> Vec<UnackedMessage> {
        let unacked = self.queue.unacked().into_iter().map(|outstanding| UnackedMessage {
            message: QueuedMessage(outstanding.entry),
            consumer_tag: outstanding.consumer_tag,
            connection: outstanding.channel.connection,
            connection_name: self.node.connections.name_of(outstanding.channel.connection),
            channel: outstanding.channel.number,
            delivered_at: outstanding.delivered_at,
        });
        unacked.collect()
    }

    /// Holds the queue: it takes publishes, and gives nothing out, neither to consumers nor to
    /// basic.get, but what [`QueueHandle::release`] and [`QueueHandle::release_to`] let go. On a
    /// queue that is held this takes back what was let go and has not gone yet.
    pub fn hold(&self) -> Result<()> {
        self.apply(|queue, now, effects| {
            queue.set_held(true, now, effects);
            Ok(())
        })
    }

    /// Lets the next `count` messages of a held queue go to whoever is next, consumers or
    /// basic.get, as soon as they are there and somebody takes them; then it is held again.
    /// Releases come one after the other. Errors: 406 if the queue is not held.
    pub fn release(&self, count: usize) -> Result<()> {
        self.apply(|queue, now, effects| queue.release(count, now, effects))
    }

    /// Lets the next message of a held queue go to this consumer, as soon as it is there and the
    /// consumer takes it. Releases come one after the other: while this one waits for a message,
    /// or for a consumer whose prefetch or buffer is used up, those after it wait, too. If the
    /// consumer ends before, its releases are void.
    ///
    /// # Errors
    /// 404 if there is no such consumer at present. 406 if several consumers are meant, if the
    /// queue is not held, or if it has a single active consumer and this is another one. 540 for a
    /// stream.
    pub fn release_to(&self, recipient: impl Into<Recipient>) -> Result<()> {
        let recipient = recipient.into();
        let connections = recipient.connections(&self.node.connections);
        let meant = |id: ChannelId| {
            connections.as_ref().is_none_or(|meant| meant.contains(&id.connection))
                && recipient.channel.is_none_or(|number| number == id.number)
        };
        let tag = &recipient.consumer_tag;
        self.apply(|queue, now, effects| queue.release_to(tag, meant, now, effects))
    }

    /// Ends a hold: messages go out as usual.
    pub fn end_hold(&self) -> Result<()> {
        self.apply(|queue, now, effects| {
            queue.set_held(false, now, effects);
            Ok(())
        })
    }

    /// For tests of the broker itself: what tells whether the queue is freed.
    #[doc(hidden)]
    pub fn downgrade(&self) -> Weak<impl Sized + use<>> {
        Arc::downgrade(&self.queue)
    }

    fn present(&self) -> Result<&Arc<Queue>> {
        let is_deleted = self.queue.is_deleted();
        if is_deleted { Err(Error::NotFound(self.queue.resource())) } else { Ok(&self.queue) }
    }

    /// Has the queue do something, and does what follows from it.
    fn apply(
        &self,
        command: impl FnOnce(&Arc<Queue>, Timestamp, &mut Effects) -> Result<()>,
    ) -> Result<()> {
        let mut effects = Effects::new();
        let result = command(self.present()?, self.host.now(), &mut effects);
        self.host.run(&mut effects);
        result
    }
}

impl fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueHandle")
            .field("name", self.queue.name())
            .field("virtual_host", self.host.name())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
