//! What can go wrong, as typed causes, and the one table that says what AMQP makes of each.

mod argument;
mod exchange;
mod not_allowed;
mod not_implemented;
mod precondition;
mod refusal;
mod resource;

use leveret_protocol::reply_code as code;

pub use self::argument::ArgumentError;
pub use self::exchange::{BindError, ExchangeArgumentError};
pub use self::not_allowed::NotAllowed;
pub use self::not_implemented::NotImplemented;
pub use self::precondition::Precondition;
pub use self::refusal::{Access, AccessRefusal, ResourceKind};
pub use self::resource::Resource;
use crate::base::names::{QueueName, VirtualHostName};

/// What an error closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The channel on which it happened ("soft error").
    Channel,
    /// The whole connection ("hard error").
    Connection,
}

/// Why an operation was refused. The text is RabbitMQ's, word for word, without the name of the
/// reply code that precedes it on the wire: see [`Error::reply_text`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 404: there is no such queue, exchange or consumer.
    #[error("no {0}")]
    NotFound(Resource),
    /// 404: an empty queue name, and no queue was declared on this channel before.
    #[error("no previously declared queue")]
    NoPreviousQueue,
    /// 405: an exclusive queue of another connection.
    #[error(
        "cannot obtain exclusive access to locked {0}. It could be originally declared on \
         another connection or the exclusive property value does not match that of the \
         original declaration."
    )]
    Locked(Resource),
    /// 405: basic.get on a quorum queue with a single active consumer.
    #[error(
        "cannot obtain access to locked {0}. basic.get operations are not supported by quorum \
         queues with single active consumer"
    )]
    SingleActiveConsumer(Resource),
    /// 403: the user lacks a permission.
    #[error("{0}")]
    AccessRefused(Box<AccessRefusal>),
    /// 403: an exclusive consumer stands in the way.
    #[error("{0} in exclusive use")]
    ExclusiveUse(Resource),
    /// 403: the default exchange cannot be declared, deleted or bound.
    #[error("operation not permitted on the default exchange")]
    DefaultExchange,
    /// 403: the name starts with `amq.`.
    #[error("{kind} name '{name}' contains reserved prefix 'amq.*'")]
    ReservedName {
        /// `queue` or `exchange`.
        kind: &'static str,
        /// The refused name.
        name: String,
    },
    /// 403: predeclared exchanges stay.
    #[error("deletion of system {0} not allowed")]
    SystemExchange(Resource),
    /// 403: internal exchanges take no publishes.
    #[error("cannot publish to internal {0}")]
    InternalExchange(Resource),
    /// 406: declared again with other attributes; an argument that is not valid; and every other
    /// condition that did not hold.
    #[error("{0}")]
    Precondition(Box<Precondition>),
    /// 406: `if-unused` or a similar condition.
    #[error("{0} in use")]
    InUse(Resource),
    /// 406: `if-empty`.
    #[error("{0} not empty")]
    NotEmpty(Resource),
    /// 406: the virtual host has as many queues as it may: `max-queues`.
    #[error(
        "cannot declare queue '{name}': queue limit in vhost '{virtual_host}' ({limit}) is reached"
    )]
    QueueLimit {
        /// The refused name.
        name: QueueName,
        /// The virtual host.
        virtual_host: VirtualHostName,
        /// The limit.
        limit: u64,
    },
    /// 406: acknowledgement of what is not outstanding.
    #[error("unknown delivery tag {0}")]
    UnknownDeliveryTag(u64),
    /// 530: the consumer tag is taken on this channel.
    #[error("attempt to reuse consumer tag '{0}'")]
    ConsumerTagInUse(String),
    /// 530: the channel has as many consumers as it may.
    #[error("reached maximum ({max}) of consumers per channel")]
    ConsumerLimit {
        /// How many it may have.
        max: usize,
    },
    /// 530: the user or the virtual host does not allow this connection.
    #[error("{0}")]
    NotAllowed(NotAllowed),
    /// 541: a deprecated feature of this name, which is denied. RabbitMQ's clients see the
    /// beginning of the text alone: the rest does not fit into a reply.
    #[error(
        "Feature `{0}` is deprecated.\nBy default, this feature is not permitted anymore.\nThe \
         feature will be removed from a future major RabbitMQ version, regardless of the \
         configuration; actual version to be determined.\nTo continue using this feature when it \
         is not permitted by default, set the following parameter in your configuration:\n    \
         \"deprecated_features.permit.{0} = true\""
    )]
    Deprecated(&'static str),
    /// 540: RabbitMQ does not implement it either.
    #[error("{0}")]
    NotImplemented(NotImplemented),
    /// 503: a method that only a server sends, or that does not belong here.
    #[error("unimplemented method")]
    UnexpectedMethod,
    /// 502: the headers of a message cannot be understood.
    #[error("invalid headers: malformed content properties")]
    MalformedHeaders,
    /// 502: the properties of a message cannot be understood.
    #[error("malformed content properties")]
    MalformedProperties,
    /// 320: the broker was closed, and lets nobody in.
    #[error("broker was closed")]
    BrokerClosed,
    /// 320: the virtual host of the connection was deleted.
    #[error("vhost '{0}' is deleted")]
    VirtualHostDeleted(VirtualHostName),
    /// 541: the disk fails.
    #[error("cannot be stored: {0}")]
    Storage(String),
    /// 312: no queue got a message of [`Broker::publish`](crate::Broker::publish). An embedding
    /// program alone hears of it.
    #[error("no queue got the message to {exchange} with key '{routing_key}'; explain tells why")]
    NoRoute {
        /// The exchange as a sentence names it: `exchange 'orders'`, or `the default exchange`.
        exchange: String,
        /// The routing key.
        routing_key: String,
    },
    /// 406: a stream was expected to go on with another offset than it does:
    /// [`StreamHandle::append_at`](crate::StreamHandle::append_at). An embedding program alone
    /// hears of it.
    #[error("the next offset of the stream is {next}, not {expected}")]
    UnexpectedOffset {
        /// The offset that was expected.
        expected: u64,
        /// The offset that comes next.
        next: u64,
    },
    /// A fault that a test declared, see [`crate::faults`]: any code, and what it closes.
    #[error("{text}")]
    Fault {
        /// Reply code.
        code: u16,
        /// The text, without the name of the code.
        text: String,
        /// What it closes.
        scope: Scope,
    },
    /// What another broker says, of a connection to it: any code. 320 also if it does not answer,
    /// 402 if its URI is none. [`Error::reply_code`] tells which it is.
    #[error("{text}")]
    Remote {
        /// Reply code.
        code: u16,
        /// The text, without the name of the code.
        text: String,
        /// What it closes there. Here the channel stays open.
        scope: Scope,
    },
    /// 320: the connection is lost, because a test wants it to be, see [`crate::faults`]. Only an
    /// embedding program ever hears of it.
    #[error("connection was lost")]
    ConnectionLost,
    /// 320: the broker has crashed, because a test wants it to, see
    /// [`Broker::crash`](crate::Broker::crash). Only an embedding program ever hears of it.
    #[error("broker has crashed")]
    Crashed,
    /// 504: the channel or its connection is closed.
    #[error("channel is closed")]
    ChannelClosed,
}

impl From<NotImplemented> for Error {
    fn from(cause: NotImplemented) -> Self {
        Self::NotImplemented(cause)
    }
}

impl From<Precondition> for Error {
    fn from(cause: Precondition) -> Self {
        Self::Precondition(Box::new(cause))
    }
}

impl From<AccessRefusal> for Error {
    fn from(refusal: AccessRefusal) -> Self {
        Self::AccessRefused(Box::new(refusal))
    }
}

impl From<NotAllowed> for Error {
    fn from(cause: NotAllowed) -> Self {
        Self::NotAllowed(cause)
    }
}

impl Error {
    /// 406: a delivery waited too long for its acknowledgement.
    pub(crate) fn acknowledgement_timeout(channel: u16, timeout_ms: u64) -> Self {
        Precondition::AcknowledgementTimeout { channel, timeout_ms }.into()
    }

    /// Whether the connection ends without a word.
    pub(crate) fn is_loss(&self) -> bool {
        matches!(self, Self::ConnectionLost | Self::Crashed)
    }

    /// AMQP's reply code.
    pub fn reply_code(&self) -> u16 {
        self.classification().0
    }

    /// Whether it closes the channel or the connection.
    pub fn scope(&self) -> Scope {
        self.classification().1
    }

    /// The text that goes to the client: `NOT_FOUND - no queue 'q' in vhost '/'`.
    pub fn reply_text(&self) -> String {
        code::reply_text(self.reply_code(), &self.to_string())
    }

    /// The table from cause to reply code and scope.
    fn classification(&self) -> (u16, Scope) {
        use Error::*;
        match self {
            NotFound(_) | NoPreviousQueue => (code::NOT_FOUND, Scope::Channel),
            Locked(_) | SingleActiveConsumer(_) => (code::RESOURCE_LOCKED, Scope::Channel),
            AccessRefused(_)
            | ExclusiveUse(_)
            | DefaultExchange
            | ReservedName { .. }
            | SystemExchange(_)
            | InternalExchange(_) => (code::ACCESS_REFUSED, Scope::Channel),
            Precondition(_)
            | InUse(_)
            | NotEmpty(_)
            | UnknownDeliveryTag(_)
            | UnexpectedOffset { .. }
            | QueueLimit { .. } => (code::PRECONDITION_FAILED, Scope::Channel),
            ConsumerTagInUse(_) | ConsumerLimit { .. } | NotAllowed(_) => {
                (code::NOT_ALLOWED, Scope::Connection)
            }
            NotImplemented(_) => (code::NOT_IMPLEMENTED, Scope::Connection),
            UnexpectedMethod => (code::COMMAND_INVALID, Scope::Connection),
            MalformedHeaders | MalformedProperties => (code::SYNTAX_ERROR, Scope::Connection),
            Fault { code, scope, .. } | Remote { code, scope, .. } => (*code, *scope),
            BrokerClosed | VirtualHostDeleted(_) | ConnectionLost | Crashed => {
                (code::CONNECTION_FORCED, Scope::Connection)
            }
            Storage(_) | Deprecated(_) => (code::INTERNAL_ERROR, Scope::Connection),
            NoRoute { .. } => (code::NO_ROUTE, Scope::Channel),
            ChannelClosed => (code::CHANNEL_ERROR, Scope::Connection),
        }
    }
}

/// The result of an operation on the broker.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_the_resource() {
        let queue = Resource::queue(&QueueName::from("q"), &VirtualHostName::from("/"));
        let error = Error::NotFound(queue);
        assert_eq!(error.reply_code(), 404);
        assert_eq!(error.scope(), Scope::Channel);
        assert_eq!(error.reply_text(), "NOT_FOUND - no queue 'q' in vhost '/'");
    }

    #[test]
    fn hard_errors_close_the_connection() {
        let error = Error::ConsumerTagInUse("tag".into());
        assert_eq!((error.reply_code(), error.scope()), (530, Scope::Connection));
    }

    #[test]
    fn causes_have_the_texts_that_clients_read() {
        let host = VirtualHostName::from("shop");
        let queue = Resource::queue(&QueueName::from("q"), &host);
        let texts: [(Error, &str); 10] = [
            (NotAllowed::NoVirtualHost(host).into(), "NOT_ALLOWED - vhost shop not found"),
            (NotAllowed::NoUser("joe".into()).into(), "NOT_ALLOWED - user 'joe' not found"),
            (NotAllowed::NotLoggedIn.into(), "NOT_ALLOWED - not logged in"),
            (
                NotAllowed::TooManyConnections(7).into(),
                "NOT_ALLOWED - connection refused: node connection limit (7) is reached",
            ),
            (NotImplemented::Immediate.into(), "NOT_IMPLEMENTED - immediate=true"),
            (NotImplemented::PrefetchSize(9).into(), "NOT_IMPLEMENTED - prefetch_size!=0 (9)"),
            (NotImplemented::InactiveFlow.into(), "NOT_IMPLEMENTED - active=false"),
            (NotImplemented::RecoverWithoutRequeue.into(), "NOT_IMPLEMENTED - requeue=false"),
            (
                NotImplemented::GlobalPrefetch(queue).into(),
                "NOT_IMPLEMENTED - queue 'q' in vhost 'shop' does not support global qos",
            ),
            (Error::BrokerClosed, "CONNECTION_FORCED - broker was closed"),
        ];
        for (error, text) in texts {
            assert_eq!(error.reply_text(), text);
        }
    }
}
