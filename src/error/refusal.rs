//! Refusals with the explanations that clients read.

use std::fmt;

use crate::base::names::{ExchangeName, UserName, VirtualHostName};

/// What an operation needs on a resource `[rabbitmq access-control]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Create, delete or alter it.
    Configure,
    /// Put messages in.
    Write,
    /// Take messages out.
    Read,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

/// What a permission is checked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// An exchange.
    Exchange,
    /// A queue.
    Queue,
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "exchange",
            Self::Queue => "queue",
        })
    }
}

/// Access that was refused. Printed it is the explanation in RabbitMQ's reply text, what follows
/// `ACCESS_REFUSED - ` or `NOT_ALLOWED - `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// The user has no permissions in the virtual host: 530 NOT_ALLOWED, of the connection.
    #[error("access to vhost '{vhost}' refused for user '{user}'")]
    VirtualHost {
        /// The virtual host that was to be opened.
        vhost: VirtualHostName,
        /// Who was refused.
        user: UserName,
    },
    /// The user lacks a permission on an exchange or a queue: 403 ACCESS_REFUSED, of the channel.
    #[error("{access} access to {kind} '{name}' in vhost '{vhost}' refused for user '{user}'")]
    Resource {
        /// What was needed.
        access: Access,
        /// What kind of resource it was needed on.
        kind: ResourceKind,
        /// The resource, `amq.default` for the default exchange.
        name: Box<str>,
        /// Its virtual host.
        vhost: VirtualHostName,
        /// Who was refused.
        user: UserName,
    },
    /// The user lacks a topic permission: 403 ACCESS_REFUSED, of the channel.
    #[error(
        "{access} access to topic '{routing_key}' in exchange '{exchange}' in vhost '{vhost}' \
         refused for user '{user}'"
    )]
    Topic {
        /// What was needed.
        access: Access,
        /// The routing key of the message, or the binding key.
        routing_key: Box<str>,
        /// The topic exchange.
        exchange: ExchangeName,
        /// Its virtual host.
        vhost: VirtualHostName,
        /// Who was refused.
        user: UserName,
    },
}
