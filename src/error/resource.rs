//! What an error is about.

use std::fmt;

use crate::base::names::{ConsumerTag, ExchangeName, QueueName, VirtualHostName};

/// A queue, an exchange or a consumer, as reply texts name it: `queue 'q' in vhost '/'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    kind: &'static str,
    name: String,
    virtual_host: VirtualHostName,
}

impl Resource {
    /// A queue.
    pub fn queue(name: &QueueName, virtual_host: &VirtualHostName) -> Self {
        Self { kind: "queue", name: name.to_string(), virtual_host: virtual_host.clone() }
    }

    /// An exchange.
    pub fn exchange(name: &ExchangeName, virtual_host: &VirtualHostName) -> Self {
        Self { kind: "exchange", name: name.to_string(), virtual_host: virtual_host.clone() }
    }

    /// A consumer.
    pub fn consumer(tag: &ConsumerTag, virtual_host: &VirtualHostName) -> Self {
        Self { kind: "consumer", name: tag.to_string(), virtual_host: virtual_host.clone() }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in vhost '{}'", self.kind, self.name, self.virtual_host)
    }
}
