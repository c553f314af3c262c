//! Conditions that did not hold: 406.

use super::{ArgumentError, BindError, ExchangeArgumentError, Resource};

/// A condition that did not hold. The texts are RabbitMQ's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Precondition {
    /// An argument of this queue, exchange or consumer is not valid.
    #[error("{}", .0.explain(&.1.to_string()))]
    Argument(ArgumentError, Resource),
    /// The type of an exchange is not known, or refuses an argument.
    #[error("{0}")]
    Exchange(ExchangeArgumentError),
    /// The type of an exchange refuses a binding.
    #[error("{0}")]
    Binding(BindError),
    /// A queue of this type cannot be `exclusive-owner`, `non-durable` or `auto-delete`.
    #[error("invalid property '{0}' for {1}")]
    Property(&'static str, Resource),
    /// A queue of this type, here as RabbitMQ calls it, needs a name.
    #[error("Cannot declare a server-named queue for type {0}")]
    ServerNamed(&'static str),
    /// It is declared already, and otherwise.
    #[error(
        "inequivalent arg '{argument}' for {resource}: received {received} but current is {current}"
    )]
    Inequivalent {
        /// What differs: an argument or an attribute.
        argument: String,
        /// What was declared.
        resource: Resource,
        /// What the declaration has.
        received: String,
        /// What there is.
        current: String,
    },
    /// `expiration` is no number of milliseconds.
    #[error("invalid expiration '{expiration}': {reason}")]
    Expiration {
        /// The property.
        expiration: String,
        /// What is wrong, as RabbitMQ prints it.
        reason: String,
    },
    /// The header `CC` or `BCC` is no list.
    #[error("invalid message: {{unacceptable_type_in_header,\"{header}\",{received}}}")]
    SelectedKeys {
        /// The header.
        header: &'static str,
        /// RabbitMQ's name of the type that it has.
        received: &'static str,
    },
    /// `user_id` names somebody else than who publishes `[rabbitmq validated-user-id]`.
    #[error("user_id property set to '{claimed}' but authenticated user was '{user}'")]
    UserId {
        /// The property.
        claimed: String,
        /// Who publishes.
        user: String,
    },
    /// The body has more octets than [`Limits::message_size_max`](crate::Limits).
    #[error("message size {size} is larger than configured max size {max}")]
    MessageTooLarge {
        /// Octets of the body.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// A delivery waited too long for its acknowledgement
    /// `[rabbitmq consumers#acknowledgement-timeout]`.
    #[error(
        "delivery acknowledgement on channel {channel} timed out. Timeout value used: \
         {timeout_ms} ms. This timeout value can be configured, see consumers doc guide to learn \
         more"
    )]
    AcknowledgementTimeout {
        /// Number of the channel.
        channel: u16,
        /// Milliseconds that it waited.
        timeout_ms: u64,
    },
    /// A request wants its reply at `amq.rabbitmq.reply-to`, where nobody consumes
    /// `[rabbitmq direct-reply-to]`.
    #[error("fast reply consumer does not exist")]
    NoReplyConsumer,
    /// A channel has one consumer of `amq.rabbitmq.reply-to`.
    #[error("reply consumer already set")]
    ReplyConsumerSet,
    /// A consumer of `amq.rabbitmq.reply-to` does not acknowledge.
    #[error("reply consumer cannot acknowledge")]
    ReplyConsumerAcknowledges,
    /// confirm.select on a channel with transactions.
    #[error("cannot switch from tx to confirm mode")]
    ConfirmOfTransactional,
    /// tx.select on a channel with confirms.
    #[error("cannot switch from confirm to tx mode")]
    TransactionOfConfirming,
    /// tx.commit or tx.rollback without tx.select.
    #[error("channel is not transactional")]
    NotTransactional,
    /// A queue has refused a message of the transaction; the rest is committed.
    #[error("partial tx completion")]
    PartialCommit,
    /// A consumer of a stream has no prefetch, and needs one.
    #[error("consumer prefetch count is not set for stream {0}")]
    NoPrefetch(Resource),
    /// Consumers of one name take turns on the partitions of a super stream, and this is a
    /// partition of another one.
    #[error(
        "{stream} is another partition for the consumers with the name '{name}' that are there"
    )]
    Partition {
        /// The stream.
        stream: Resource,
        /// The name of the consumers.
        name: String,
    },
    /// A name by which a stream keeps an offset is empty or too long.
    #[error("a name by which an offset is kept has 1 to {max} octets, not {octets}")]
    OffsetName {
        /// Octets of the name.
        octets: usize,
        /// How many it may have.
        max: usize,
    },
    /// The queue is no stream. An embedding program alone hears of it.
    #[error("{0} is not a stream")]
    NotAStream(Resource),
    /// What a lint finds is refused: [`LintLevel::Deny`](crate::insight::lint::LintLevel::Deny).
    #[error("{subject}: {text} (lint)")]
    Lint {
        /// What it is about.
        subject: String,
        /// What is wrong, and what to do about it.
        text: String,
    },
    /// The queue is not held. An embedding program alone hears of it.
    #[error("{0} is not held")]
    NotHeld(Resource),
    /// Messages of a queue that is held cannot go to this consumer. An embedding program alone
    /// hears of it.
    #[error("{0} is not the active one of its queue")]
    ConsumerNotActive(Resource),
    /// Several consumers have this tag. An embedding program alone hears of it.
    #[error("{0} is not the only one with its tag: name its connection, and its channel")]
    ConsumerAmbiguous(Resource),
    /// What a snapshot says of users or policies cannot be taken. An embedding program alone hears
    /// of it.
    #[error("{0}")]
    Snapshot(String),
}
