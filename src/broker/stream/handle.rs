//! A stream of a broker, for whoever appends to it and reads it.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Weak, mpsc};

use leveret_storage::{Done, Error as LogError, Stream};

use crate::base::blocking::pause_here;
use crate::broker::Broker;
use crate::broker::stream::reader::{StreamReader, StreamStart};
use crate::embedded::Publish;
use crate::error::{Error, Precondition, Result};
use crate::message::Message;
use crate::node::Node;
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::queue::stream::StreamQueue;
use crate::queue::stream::offsets::check_name;
use crate::vhost::VirtualHost;

/// A stream of a [`Broker`]: a queue of type `stream`, without a channel. Clones are the same.
///
/// ```
/// use leveret::{Broker, Publish, QueueDeclare, StreamStart};
///
/// let broker = Broker::new();
/// let declare = QueueDeclare::new("account-7").durable().argument("x-queue-type", "stream");
/// broker.connect()?.open_channel()?.queue_declare_with(&declare)?;
///
/// let account = broker.stream("/", "account-7")?;
/// let event = |body: &str| Publish::to_queue("account-7").body(body.to_owned());
/// assert_eq!(account.append(event("opened"))?, 0);
/// // Only if nobody was faster.
/// assert_eq!(account.append_at(1, [event("deposited 5"), event("withdrew 2")])?, 1..3);
/// assert!(account.append_at(1, [event("withdrew 5")]).is_err());
///
/// for event in account.read(StreamStart::Offset(1))? {
///     let event = event?;
///     println!("{}: {}", event.offset(), event.text());
/// }
/// # Ok::<(), leveret::Error>(())
/// ```
///
/// Errors of its methods, besides those that they name: 404 once the stream is deleted, also if
/// another one has its name by then; 541 if the disk fails.
#[derive(Clone)]
pub struct StreamHandle {
    /// Nothing but a fault needs it.
    pub(super) node: Weak<Node>,
    pub(super) host: Arc<VirtualHost>,
    pub(super) queue: Arc<Queue>,
    pub(super) log: Arc<Stream>,
}

/// Where it is heard that messages are committed.
pub(super) type Committed = mpsc::Receiver<leveret_storage::Result<()>>;

/// What says that messages are committed, and where that is heard.
pub(super) fn told() -> (Done, Committed) {
    let (sender, committed) = mpsc::sync_channel(1);
    // Whoever waits has not gone.
    (Box::new(move |result| drop(sender.send(result))), committed)
}

impl Broker {
    /// The stream of this name. Errors: 404, 406 if it is another type of queue, 530 if there is
    /// no such virtual host.
    pub fn stream(&self, virtual_host: &str, stream: &str) -> Result<StreamHandle> {
        let host = self.node().host(virtual_host)?;
        let queue = host.queue(stream)?;
        let Some(log) = queue.stream().map(|stream| Arc::clone(stream.log())) else {
            return Err(Precondition::NotAStream(queue.resource()).into());
        };
        Ok(StreamHandle { node: Arc::downgrade(self.node()), host, queue, log })
    }
}

impl StreamHandle {
    /// Name.
    pub fn name(&self) -> &str {
        self.queue.name().as_str()
    }

    /// Name of its virtual host.
    pub fn virtual_host(&self) -> &str {
        self.host.name().as_str()
    }

    /// The offset of the first message that is kept; that of the next one if there is none.
    pub fn first_offset(&self) -> u64 {
        self.log.first_offset()
    }

    /// The offset of the next message that is appended: how many there ever were.
    pub fn next_offset(&self) -> u64 {
        self.log.next_offset()
    }

    /// Appends a message and waits until it is [as durable](Broker::durability) as the broker
    /// makes things; gives its offset. Properties and body are what readers get; exchange and
    /// routing key are kept with it and lead nowhere, so that the key may name the kind of an
    /// event.
    pub fn append(&self, publish: Publish) -> Result<u64> {
        Ok(self.append_expecting(None, [publish])?.start)
    }

    /// Appends messages, in order and next to each other, and waits once for all of them; gives
    /// their offsets.
    pub fn append_all(&self, publishes: impl IntoIterator<Item = Publish>) -> Result<Range<u64>> {
        self.append_expecting(None, publishes)
    }

    /// The same if the first of them gets this offset, and else nothing: what an event store calls
    /// the expected version. Of several who read the same and append what follows from it one
    /// alone succeeds.
    ///
    /// # Errors
    /// [`Error::UnexpectedOffset`] if the stream has gone on, or is not there yet.
    pub fn append_at(
        &self,
        next_offset: u64,
        publishes: impl IntoIterator<Item = Publish>,
    ) -> Result<Range<u64>> {
        self.append_expecting(Some(next_offset), publishes)
    }

    fn append_expecting(
        &self,
        expected: Option<u64>,
        publishes: impl IntoIterator<Item = Publish>,
    ) -> Result<Range<u64>> {
        let mut scratch = Vec::new();
        let messages = publishes.into_iter().map(|publish| publish.into_message(&mut scratch));
        let messages: Vec<_> = messages.collect();
        match self.meet(&messages) {
            Some(hit) => self.append_watched(expected, &messages, &hit),
            None => {
                let (done, committed) = told();
                let first = self.begin_append(expected, &messages, done)?;
                self.await_append(first, messages.len(), &committed)
            }
        }
    }

    /// Appends messages; tells the offset of the first. `done` is called once they are committed.
    pub(super) fn begin_append(
        &self,
        expected: Option<u64>,
        messages: &[Message],
        done: Done,
    ) -> Result<Option<u64>> {
        let stream = self.present()?;
        let mut effects = Effects::new();
        let now = self.host.now();
        let queue = &self.queue;
        let first = match expected {
            None => queue.append_to_log(stream, messages, now, &mut effects, done),
            Some(offset) => {
                queue.append_expecting(stream, offset, messages, now, &mut effects, done)
            }
        };
        self.host.run(&mut effects);
        Ok(first)
    }

    /// Waits until messages are committed, the first of which has this offset.
    pub(super) fn await_append(
        &self,
        first: Option<u64>,
        count: usize,
        committed: &Committed,
    ) -> Result<Range<u64>> {
        match pause_here(|| committed.recv()) {
            Ok(Ok(())) => {}
            Ok(Err(LogError::UnexpectedOffset { expected, next })) => {
                return Err(Error::UnexpectedOffset { expected, next });
            }
            Ok(Err(LogError::Closed)) | Err(mpsc::RecvError) => return Err(Error::BrokerClosed),
            Ok(Err(error)) => return Err(Error::Storage(error.to_string())),
        }
        // It may have been deleted while this waited: what is gone was not kept.
        self.present()?;
        let first = first.ok_or(Error::BrokerClosed)?;
        Ok(first..first + count as u64)
    }

    /// Reads from a place on. Errors: none but those of all methods.
    pub fn read(&self, start: StreamStart) -> Result<StreamReader> {
        self.present()?;
        StreamReader::new(&self.queue, &self.log, start, None)
    }

    /// Reads as somebody with a name: from behind the [offset](StreamHandle::offset) that is kept
    /// by it, or from `start` if there is none. Who asks for the next message has done with the
    /// one before, whose offset is then kept; so that a reader that crashes gets again what it was
    /// at work on, and misses nothing. Consumers over AMQP and the stream protocol share these
    /// names. Errors: 406 for a name over 255 octets.
    pub fn read_as(&self, name: &str, start: StreamStart) -> Result<StreamReader> {
        check_name(name)?;
        self.present()?;
        StreamReader::new(&self.queue, &self.log, start, Some(name))
    }

    pub(super) fn present(&self) -> Result<&StreamQueue> {
        let stream = self.queue.stream().filter(|_| !self.queue.is_deleted());
        stream.ok_or_else(|| Error::NotFound(self.queue.resource()))
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandle")
            .field("name", self.queue.name())
            .field("virtual_host", self.host.name())
            .field("offsets", &(self.first_offset()..self.next_offset()))
            .finish_non_exhaustive()
    }
}
