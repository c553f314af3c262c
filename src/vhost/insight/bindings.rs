//! The bindings of a virtual host, for whoever lists them.

use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::access::ResourceKind;
use crate::base::names::ExchangeName;
use crate::exchange::Binding;
use crate::queue::Queue;
use crate::vhost::VirtualHost;
use crate::vhost::topology::exchange::{Destination, Exchange};

/// A binding.
#[derive(Clone, Debug)]
pub(crate) struct BindingView {
    /// Exchange that it starts from; empty for the default one, from which every queue has one.
    pub source: ExchangeName,
    /// What it leads to.
    pub kind: ResourceKind,
    /// The name of that.
    pub destination: String,
    /// Binding key.
    pub routing_key: Vec<u8>,
    /// Arguments.
    pub arguments: FieldTable,
    /// Whether it leads to a queue that ends with a connection.
    pub is_exclusive: bool,
}

impl BindingView {
    fn new(source: &Exchange, binding: &Binding<'_, Destination>) -> Self {
        let (kind, is_exclusive) = match binding.destination {
            Destination::Queue(queue) => (ResourceKind::Queue, queue.attributes().owner.is_some()),
            Destination::Exchange(_) => (ResourceKind::Exchange, false),
        };
        Self {
            source: source.name().clone(),
            kind,
            destination: binding.destination.name().to_owned(),
            routing_key: binding.binding_key.to_vec(),
            arguments: binding.arguments.cloned().unwrap_or_default(),
            is_exclusive,
        }
    }

    /// That of a queue from the default exchange, which nobody made.
    fn implicit(queue: &Queue) -> Self {
        Self {
            source: ExchangeName::from(""),
            kind: ResourceKind::Queue,
            destination: queue.name().to_string(),
            routing_key: queue.name().as_str().as_bytes().to_vec(),
            arguments: FieldTable::default(),
            is_exclusive: queue.attributes().owner.is_some(),
        }
    }
}

impl VirtualHost {
    /// All bindings that somebody made.
    pub(crate) fn explicit_bindings(&self) -> Vec<BindingView> {
        let mut bindings = Vec::new();
        for exchange in self.exchanges() {
            collect(&exchange, &mut bindings, |_| true);
        }
        bindings
    }

    /// All bindings.
    pub(crate) fn bindings(&self) -> Vec<BindingView> {
        let mut bindings = self.implicit_bindings();
        bindings.extend(self.explicit_bindings());
        bindings
    }

    fn implicit_bindings(&self) -> Vec<BindingView> {
        self.queues.iter().map(|queue| BindingView::implicit(&queue)).collect()
    }

    /// The bindings whose source is this exchange.
    pub(crate) fn bindings_from(&self, exchange: &Exchange) -> Vec<BindingView> {
        if exchange.is_default() {
            return self.implicit_bindings();
        }
        let mut bindings = Vec::new();
        collect(exchange, &mut bindings, |_| true);
        bindings
    }

    /// The bindings that lead to a queue or an exchange; none if it does not exist.
    pub(crate) fn bindings_to(&self, kind: ResourceKind, name: &str) -> Vec<BindingView> {
        let mut bindings = Vec::new();
        let destination = match kind {
            ResourceKind::Queue => {
                let Some(queue) = self.find_queue(name) else { return bindings };
                bindings.push(BindingView::implicit(&queue));
                Destination::Queue(queue)
            }
            ResourceKind::Exchange => {
                let Some(exchange) = self.find_exchange(name) else { return bindings };
                Destination::Exchange(exchange)
            }
        };
        let topology = self.topology.lock();
        let sources = topology.sources.get(&destination);
        let sources: Vec<Arc<Exchange>> = sources
            .into_iter()
            .flat_map(|sources| sources.keys())
            .filter_map(|source| self.find_exchange(source.as_str()))
            .collect();
        drop(topology);
        for source in sources {
            collect(&source, &mut bindings, |binding| *binding.destination == destination);
        }
        bindings
    }
}

fn collect(
    source: &Exchange,
    bindings: &mut Vec<BindingView>,
    is_meant: impl Fn(&Binding<'_, Destination>) -> bool,
) {
    let router = source.router.read();
    let meant = router.bindings().filter(is_meant);
    bindings.extend(meant.map(|binding| BindingView::new(source, &binding)));
}
