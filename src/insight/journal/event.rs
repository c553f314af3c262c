//! What can happen to a message, a queue, an exchange, a consumer or a connection.

use std::sync::Arc;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::FieldTable;
use serde::{Serialize, Serializer};

use crate::base::names::{ConsumerTag, ExchangeName, QueueName, UserName, VirtualHostName};
use crate::message::Message;
use crate::message::deaths::DeathReason;
use crate::time::clock::Timestamp;

/// Something that happened, as the [`Journal`](crate::insight::journal::Journal) keeps it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Counts the events of a broker from 1.
    pub number: u64,
    /// When, by the broker's clock.
    pub at: Timestamp,
    /// Where.
    pub virtual_host: VirtualHostName,
    /// The same for all that happens to one message, in whatever queues it is, and after it was
    /// dead-lettered, delayed, or on disk alone for a while: the number of the first event about
    /// it that the journal remembers. A message that comes from before a restart, or whose events
    /// were all forgotten, begins anew. `None` if the event is not about a message.
    pub trace: Option<u64>,
    /// The message, if the event is about one. After a dead-lettering that is the dead letter.
    pub message: Option<Message>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. As JSON it is an object with the name of the variant, such as `dead_lettered`, as
/// its `kind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A client published the message.
    Published {
        /// Number of the client's connection, as in [`EventKind::ConnectionOpened`].
        connection: u64,
        /// Who is logged in there.
        user: UserName,
    },
    /// Bindings lead the message to queues.
    Routed {
        /// The queues.
        queues: Arc<[QueueName]>,
        /// The bindings that matched, in the order of the exchanges on the way. Empty for the
        /// default exchange, and where an exchange has more than
        /// 4,096 bindings.
        bindings: Arc<[UsedBinding]>,
    },
    /// No queue gets the message.
    Unroutable {
        /// Whether it went back to its publisher, because it was mandatory.
        returned: bool,
    },
    /// The message went straight to a channel that waits for replies, without a queue.
    Replied,
    /// An exchange keeps the message for so many milliseconds.
    Delayed {
        /// The exchange.
        exchange: ExchangeName,
        /// How long.
        ms: u64,
    },
    /// The publisher was told that the broker takes responsibility for the message. With a data
    /// directory that is when the message is on disk. A confirm that a fault holds back comes when
    /// it is released, one that is lost never, and one that could no longer be sent neither.
    Confirmed {
        /// Number of the publish on its channel, from 1: the delivery tag of the confirm.
        delivery_tag: u64,
    },
    /// The publisher was told that the broker does not take the message: a full queue refused it,
    /// or a fault says so.
    Nacked {
        /// Number of the publish on its channel, from 1: the delivery tag of the nack.
        delivery_tag: u64,
    },
    /// A queue has the message.
    Enqueued {
        /// The queue.
        queue: QueueName,
    },
    /// A queue is full and refuses the message.
    Refused {
        /// The queue.
        queue: QueueName,
    },
    /// The message was passed on to a consumer.
    Delivered {
        /// The queue.
        queue: QueueName,
        /// The consumer.
        consumer_tag: ConsumerTag,
        /// Whether it may have been delivered before.
        redelivered: bool,
    },
    /// The message was taken by basic.get.
    Got {
        /// The queue.
        queue: QueueName,
        /// Whether it may have been delivered before.
        redelivered: bool,
    },
    /// A delivery was acknowledged.
    Acked {
        /// The queue.
        queue: QueueName,
    },
    /// A delivery went back to its queue: the client refused it, or is gone.
    Requeued {
        /// The queue.
        queue: QueueName,
    },
    /// A delivery was refused without being requeued.
    Rejected {
        /// The queue.
        queue: QueueName,
    },
    /// The message's time to live ran out.
    Expired {
        /// The queue.
        queue: QueueName,
    },
    /// The message went on to a dead-letter exchange. [`Event::message`] is the dead letter.
    DeadLettered {
        /// The queue that it died in.
        queue: QueueName,
        /// Why.
        reason: DeathReason,
        /// The dead-letter exchange.
        exchange: ExchangeName,
        /// The queues that get it.
        to: Arc<[QueueName]>,
    },
    /// The message is lost.
    Dropped {
        /// The queue, or the exchange, that it was in.
        from: String,
        /// Why.
        because: DropReason,
    },
    /// A queue was created.
    QueueDeclared {
        /// The queue.
        queue: QueueName,
    },
    /// A queue was deleted, or has expired, or lost its last consumer or its connection.
    QueueDeleted {
        /// The queue.
        queue: QueueName,
    },
    /// An exchange was created.
    ExchangeDeclared {
        /// The exchange.
        exchange: ExchangeName,
    },
    /// An exchange was deleted.
    ExchangeDeleted {
        /// The exchange.
        exchange: ExchangeName,
    },
    /// A binding was made.
    Bound(UsedBinding),
    /// A consumer has started.
    ConsumerStarted {
        /// The queue.
        queue: QueueName,
        /// The consumer.
        consumer_tag: ConsumerTag,
    },
    /// A consumer has ended.
    ConsumerCancelled {
        /// The queue.
        queue: QueueName,
        /// The consumer.
        consumer_tag: ConsumerTag,
    },
    /// A client has opened the virtual host.
    ConnectionOpened {
        /// Number of the connection.
        connection: u64,
        /// Who is logged in there.
        user: UserName,
    },
    /// A connection has ended.
    ConnectionClosed {
        /// Number of the connection.
        connection: u64,
    },
}

/// A binding that a message went along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsedBinding {
    /// Exchange that it starts from.
    pub source: ExchangeName,
    /// Name of the queue or exchange that it leads to.
    pub destination: String,
    /// Binding key.
    #[serde(serialize_with = "as_text")]
    pub binding_key: Vec<u8>,
}

/// Why a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// It died in a queue without a dead-letter exchange.
    Died(DeathReason),
    /// It died, and the dead-letter exchange does not exist or leads to no queue that takes it.
    Undeliverable(DeathReason),
    /// It died, and its dead letter would come back to a queue again and again.
    Cycle(DeathReason),
    /// It was purged.
    Purged,
    /// Its queue was deleted.
    QueueDeleted,
    /// A message with its deduplication key is or was there.
    Duplicate,
}

impl DropReason {
    /// The reason in one word, whatever the death.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Died(_) => "died",
            Self::Undeliverable(_) => "undeliverable",
            Self::Cycle(_) => "cycle",
            Self::Purged => "purged",
            Self::QueueDeleted => "queue_deleted",
            Self::Duplicate => "duplicate",
        }
    }

    /// The death that it follows from, if it does.
    pub fn death(self) -> Option<DeathReason> {
        match self {
            Self::Died(reason) | Self::Undeliverable(reason) | Self::Cycle(reason) => Some(reason),
            Self::Purged | Self::QueueDeleted | Self::Duplicate => None,
        }
    }
}

impl Serialize for DropReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Event {
    /// Exchange that the message was published to, empty for the default exchange; of a dead
    /// letter, the dead-letter exchange.
    pub fn exchange(&self) -> &str {
        self.message.as_ref().map_or("", Message::exchange)
    }

    /// Routing key of the message; empty if that is not UTF-8.
    pub fn routing_key(&self) -> &str {
        self.message.as_ref().map_or("", Message::routing_key)
    }

    /// Body of the message; empty if the event is not about one.
    pub fn body(&self) -> &[u8] {
        self.message.as_ref().map(Message::body).unwrap_or_default()
    }

    /// Body of the message as text; octets that are none are replaced.
    pub fn text(&self) -> String {
        lossy(self.body())
    }

    /// Properties of the message, parsed at each call.
    pub fn properties(&self) -> BasicProperties {
        self.message.as_ref().map(Message::properties).unwrap_or_default()
    }

    /// Headers of the message; empty if there are none.
    pub fn headers(&self) -> FieldTable {
        self.message.as_ref().map(Message::headers).unwrap_or_default()
    }

    /// The queue that the event is about, if there is one.
    pub fn queue(&self) -> Option<&str> {
        use EventKind::*;
        match &self.kind {
            Enqueued { queue }
            | Refused { queue }
            | Delivered { queue, .. }
            | Got { queue, .. }
            | Acked { queue }
            | Requeued { queue }
            | Rejected { queue }
            | Expired { queue }
            | DeadLettered { queue, .. }
            | QueueDeclared { queue }
            | QueueDeleted { queue }
            | ConsumerStarted { queue, .. }
            | ConsumerCancelled { queue, .. } => Some(queue.as_str()),
            Dropped { from, because } if *because != DropReason::Duplicate => Some(from),
            _ => None,
        }
    }

    /// Why the message died, if the event says so.
    pub fn death(&self) -> Option<DeathReason> {
        match &self.kind {
            EventKind::Expired { .. } => Some(DeathReason::Expired),
            EventKind::Rejected { .. } => Some(DeathReason::Rejected),
            EventKind::DeadLettered { reason, .. } => Some(*reason),
            EventKind::Dropped { because, .. } => because.death(),
            _ => None,
        }
    }
}

fn as_text<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&lossy(octets))
}

pub(super) fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
