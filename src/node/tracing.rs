//! Switching the firehose of a virtual host `[rabbitmq firehose]`.

use std::sync::Arc;

use crate::base::ids::ConnectionId;
use crate::base::names::UserName;
use crate::node::Node;
use crate::node::connections::Connections;
use crate::vhost::{Tracer, VirtualHost};

/// What copies tell beside the message.
struct Known {
    node: String,
    connections: Arc<Connections>,
}

impl Tracer for Known {
    fn node(&self) -> &str {
        &self.node
    }

    fn connection(&self, id: ConnectionId) -> Option<(String, UserName)> {
        let facts = self.connections.facts(id)?;
        Some((facts.name.clone(), facts.user.clone()))
    }
}

impl Node {
    /// Publishes copies of all that goes through a virtual host, or does so no more. As in RabbitMQ
    /// that ends with the broker.
    pub(crate) fn trace(&self, host: &VirtualHost, is_on: bool) {
        let known = || -> Arc<dyn Tracer> {
            let connections = Arc::clone(&self.connections);
            Arc::new(Known { node: self.name().to_owned(), connections })
        };
        host.trace(is_on.then(known));
    }
}
