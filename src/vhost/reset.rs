//! A virtual host as it was at first.

use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::access::ResourceKind;
use crate::queue::effects::Effects;
use crate::vhost::bind::Bind;
use crate::vhost::exchange::{Destination, Exchange};
use crate::vhost::{PREDECLARED, Topology, VirtualHost};

impl VirtualHost {
    /// Deletes all queues with their messages, all exchanges that clients declared, and all
    /// bindings. Consumers are cancelled; connections and policies stay.
    pub fn reset(self: &Arc<Self>, effects: &mut Effects) {
        for queue in self.queues() {
            // Without a condition there is nothing to fail.
            let _ = self.delete_queue(&queue, |_| Ok(()), effects);
        }
        let mut topology = self.topology.lock();
        let is_own = |exchange: &Exchange| {
            PREDECLARED.iter().any(|(name, _)| *name == exchange.name().as_str())
        };
        let (own, declared): (Vec<_>, Vec<_>) =
            self.exchanges().into_iter().partition(|exchange| is_own(exchange));
        for exchange in &declared {
            self.remove_exchange(&mut topology, exchange, effects);
        }
        for exchange in &own {
            self.unbind_everything(&mut topology, exchange, effects);
        }
        self.changed();
        drop(topology);
        self.run(effects);
    }

    /// Removes the bindings of a predeclared exchange that are left: those to others of its kind.
    fn unbind_everything(
        &self,
        topology: &mut Topology,
        exchange: &Exchange,
        effects: &mut Effects,
    ) {
        let bindings: Vec<(Destination, Vec<u8>, FieldTable)> = exchange
            .router
            .read()
            .bindings()
            .map(|binding| {
                let arguments = binding.arguments.cloned().unwrap_or_default();
                (binding.destination.clone(), binding.binding_key.to_vec(), arguments)
            })
            .collect();
        for (destination, key, arguments) in bindings {
            exchange.router.write().unbind(&destination, &key, &arguments);
            topology.forget(&destination, exchange.name(), 1);
            let kind = match &destination {
                Destination::Queue(_) => ResourceKind::Queue,
                Destination::Exchange(_) => ResourceKind::Exchange,
            };
            let bind = Bind {
                kind,
                destination: destination.name(),
                source: exchange.name().as_str(),
                routing_key: &key,
                arguments: &arguments,
            };
            self.forget_binding(exchange, &destination, &bind, effects);
        }
    }
}
