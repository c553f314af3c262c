//! What is asked of queue.declare and exchange.declare `[amqp 0-9-1]`.

use amq_protocol::types::{FieldTable, ShortString};

use crate::base::argument;
use crate::base::field_value::FieldValue;
use crate::base::names::QueueName;

/// What is asked of queue.declare.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueueDeclare {
    /// Name; empty asks the broker for one.
    pub queue: String,
    /// Only tells about the queue, or fails with 404.
    pub passive: bool,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Only for this connection, with which it ends.
    pub exclusive: bool,
    /// Deleted when its last consumer is gone.
    pub auto_delete: bool,
    /// `x-` arguments.
    pub arguments: FieldTable,
}

impl QueueDeclare {
    /// A queue of this name with no attributes; empty asks the broker for a name.
    pub fn new(queue: impl Into<String>) -> Self {
        Self { queue: queue.into(), ..Self::default() }
    }

    /// It is not created: declaring it only tells about it, or fails with 404.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.passive = true;
        self
    }

    /// It survives a restart of the broker.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// It is only for this connection, with which it ends.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// It is deleted when its last consumer is gone.
    #[must_use]
    pub fn auto_delete(mut self) -> Self {
        self.auto_delete = true;
        self
    }

    /// It is a quorum queue, which is durable `[rabbitmq quorum-queues]`.
    #[must_use]
    pub fn quorum(self) -> Self {
        self.durable().argument(argument::QUEUE_TYPE, "quorum")
    }

    /// With an argument, such as `x-message-ttl`.
    ///
    /// ```
    /// use leveret::{Broker, QueueDeclare};
    ///
    /// let broker = Broker::new();
    /// let channel = broker.connect()?.open_channel()?;
    /// let jobs = QueueDeclare::new("jobs")
    ///     .durable()
    ///     .argument("x-message-ttl", 60_000)
    ///     .argument("x-dead-letter-exchange", "dead");
    /// channel.queue_declare_with(&jobs)?;
    /// # Ok::<(), leveret::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn argument(mut self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        self.arguments.insert(name.into(), value.into().into());
        self
    }

    /// All arguments at once.
    #[must_use]
    pub fn arguments(mut self, arguments: FieldTable) -> Self {
        self.arguments = arguments;
        self
    }

    /// An exclusive queue is never durable: it ends with its connection.
    pub(in crate::vhost) fn is_durable(&self) -> bool {
        self.durable && !self.exclusive
    }
}

/// The reply to queue.declare.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueDeclareOk {
    /// Name, that of the broker's choice if none was given.
    pub queue: QueueName,
    /// Ready messages.
    pub message_count: usize,
    /// Consumers.
    pub consumer_count: usize,
}

/// What is asked of exchange.declare.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ExchangeDeclare {
    /// Name.
    pub exchange: String,
    /// Type: `direct`, `topic`, `fanout`, `headers`, ...
    pub kind: String,
    /// Only succeeds if it exists, or fails with 404.
    pub passive: bool,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last binding is gone.
    pub auto_delete: bool,
    /// Takes no publishes from clients.
    pub internal: bool,
    /// Arguments, such as `alternate-exchange`.
    pub arguments: FieldTable,
}

impl ExchangeDeclare {
    /// An exchange of this name and type with no attributes.
    pub fn new(exchange: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { exchange: exchange.into(), kind: kind.into(), ..Self::default() }
    }

    /// It is not created: declaring it only tells about it, or fails with 404.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.passive = true;
        self
    }

    /// It survives a restart of the broker.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// It is deleted when its last binding is gone.
    #[must_use]
    pub fn auto_delete(mut self) -> Self {
        self.auto_delete = true;
        self
    }

    /// It takes no publishes from clients.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// With an argument, such as `alternate-exchange`.
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn argument(mut self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        self.arguments.insert(name.into(), value.into().into());
        self
    }

    /// All arguments at once.
    #[must_use]
    pub fn arguments(mut self, arguments: FieldTable) -> Self {
        self.arguments = arguments;
        self
    }
}
