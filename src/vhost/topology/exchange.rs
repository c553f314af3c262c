//! An exchange of a virtual host: its attributes and, behind a read-write lock, its bindings.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::base::ids::StoreId;
use crate::base::lock::{Mutex, RwLock};
use crate::base::memory_alarm::Share;
use crate::base::names::{ExchangeName, UserName, VirtualHostName};
use crate::base::rank;
use crate::error::Resource;
use crate::exchange::{ExchangeType, Router};
use crate::insight::statistics::Measured;
use crate::insight::statistics::history::{Sample, Span};
use crate::insight::statistics::recent::Recent;
use crate::insight::statistics::tally::Tally;
use crate::insight::statistics::totals::ExchangeTotals;
use crate::queue::Queue;
use crate::time::clock::Timestamp;
use crate::vhost::flow::extension::{Delays, Extension};

/// What an exchange was declared with `[amqp 0-9-1 exchange.declare]`.
#[derive(Clone, Debug)]
pub(crate) struct ExchangeAttributes {
    /// How it routes.
    pub kind: ExchangeType,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last binding is gone.
    pub auto_delete: bool,
    /// Takes no publishes from clients, only from exchanges bound to it.
    pub internal: bool,
    /// Arguments as they came.
    pub table: FieldTable,
    /// `alternate-exchange`: gets what cannot be routed `[rabbitmq ae]`.
    pub alternate: Option<ExchangeName>,
    /// Who declared it.
    pub declared_by: UserName,
}

/// An exchange of a virtual host.
pub(crate) struct Exchange {
    pub(in crate::vhost) name: ExchangeName,
    pub(in crate::vhost) virtual_host: VirtualHostName,
    pub(in crate::vhost) attributes: ExchangeAttributes,
    pub(in crate::vhost) router: RwLock<Router<Destination>, rank::Bindings>,
    /// `alternate-exchange` of the policy that applies.
    pub(in crate::vhost) policy_alternate: RwLock<Option<ExchangeName>, rank::AlternateExchange>,
    /// Only for the types that keep something; `None` costs the others nothing.
    pub(in crate::vhost) extension: Option<Box<Extension>>,
    /// What it is called in the store, if it keeps messages there; else 0.
    pub(in crate::vhost) store_id: StoreId,
    pub(in crate::vhost) counted: ExchangeCounted,
    /// What it takes, besides its bindings.
    pub(in crate::vhost) _share: Share,
}

/// What is counted of an exchange, by all who publish to it.
#[derive(Debug, Default)]
pub(in crate::vhost) struct ExchangeCounted {
    /// Messages that went to one queue, as most do: they came and were sent.
    straight: Arc<Tally>,
    /// Other messages that came.
    publish_in: Tally,
    /// How often these were sent.
    publish_out: Tally,
    recent: Mutex<Recent<ExchangeTotals>, rank::Rates>,
}

impl Exchange {
    /// Name; empty for the default exchange.
    pub(crate) fn name(&self) -> &ExchangeName {
        &self.name
    }

    /// What it was declared with.
    pub(crate) fn attributes(&self) -> &ExchangeAttributes {
        &self.attributes
    }

    /// Whether it is the default exchange, to which every queue is bound by its name.
    pub(crate) fn is_default(&self) -> bool {
        self.name.as_str().is_empty()
    }

    /// The exchange as error texts name it.
    pub(crate) fn resource(&self) -> Resource {
        Resource::exchange(&self.name, &self.virtual_host)
    }

    /// The exchange that gets what cannot be routed: as declared, or else by policy.
    pub(crate) fn alternate(&self) -> Option<ExchangeName> {
        self.attributes.alternate.clone().or_else(|| self.policy_alternate.read().clone())
    }

    /// Number of bindings whose source it is.
    pub(crate) fn binding_count(&self) -> usize {
        self.router.read().len()
    }

    /// Number of messages that an `x-delayed-message` exchange keeps; 0 for other types.
    pub(crate) fn delayed_count(&self) -> usize {
        self.delays().map_or(0, Delays::len)
    }

    /// Messages were published to it that go to so many queues each, once for a batch.
    #[inline]
    pub(crate) fn count_publishes(&self, count: usize, queues: usize) {
        if queues == 1 {
            self.counted.straight.add_shared(count as u64);
        } else {
            self.counted.publish_in.add_shared(count as u64);
            self.count_sent(count * queues);
        }
    }

    /// Counts messages that are published to it and go to one queue.
    #[inline]
    pub(crate) fn straight(&self) -> &Arc<Tally> {
        &self.counted.straight
    }

    /// So many queues get a message that was published to it.
    #[inline]
    pub(in crate::vhost) fn count_sent(&self, count: usize) {
        self.counted.publish_out.add_shared(count as u64);
    }

    /// What was counted until now.
    pub(crate) fn totals(&self) -> ExchangeTotals {
        let ExchangeCounted { straight, publish_in, publish_out, .. } = &self.counted;
        let straight = straight.get();
        let (publish_in, publish_out) = (publish_in.get(), publish_out.get());
        ExchangeTotals { publish_in: straight + publish_in, publish_out: straight + publish_out }
    }

    /// The same, with rates.
    pub(crate) fn measured(&self) -> Measured<ExchangeTotals> {
        self.counted.recent.lock().measured(self.totals())
    }

    /// Remembers what was counted, for rates. See [`Recent::record`].
    pub(crate) fn record(&self, now: Timestamp, is_first: bool) {
        self.counted.recent.lock().record(now, self.totals(), is_first);
    }

    /// What the totals were. See [`Recent::samples`].
    pub(crate) fn samples(&self, now: Timestamp, span: Span) -> Vec<Sample<ExchangeTotals>> {
        self.counted.recent.lock().samples(now, span)
    }

    pub(in crate::vhost) fn delays(&self) -> Option<&Delays> {
        self.extension.as_ref()?.delays()
    }

    /// Drops all messages that are kept here, and takes no more; tells how many octets they
    /// occupied.
    pub(in crate::vhost) fn drop_messages(&self) -> usize {
        self.extension.as_ref().map_or(0, |extension| extension.clear())
    }

    /// Lets go of everything that is bound here: an exchange may be bound to itself.
    pub(in crate::vhost) fn drop_bindings(&self) {
        drop(self.take_bindings());
    }

    /// Takes all bindings out that start from it.
    pub(in crate::vhost) fn take_bindings(&self) -> Option<Router<Destination>> {
        // What was accepted when it was declared is accepted again.
        let empty = Router::new(self.attributes.kind, &self.attributes.table).ok()?;
        Some(std::mem::replace(&mut *self.router.write(), empty))
    }
}

/// What a binding leads to.
#[derive(Clone)]
pub(crate) enum Destination {
    /// A queue.
    Queue(Arc<Queue>),
    /// An exchange `[rabbitmq e2e]`.
    Exchange(Arc<Exchange>),
}

impl Destination {
    /// Name of the queue or exchange.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Queue(queue) => queue.name().as_str(),
            Self::Exchange(exchange) => exchange.name.as_str(),
        }
    }

    /// Queues and exchanges are themselves and not what happens to bear their name later.
    fn identity(&self) -> usize {
        match self {
            Self::Queue(queue) => Arc::as_ptr(queue) as usize,
            Self::Exchange(exchange) => Arc::as_ptr(exchange) as usize,
        }
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Destination {}

impl Hash for Destination {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // By name, so that exchanges that pick by hash pick the same after a restart.
        match self {
            Self::Queue(queue) => queue.name().hash(state),
            Self::Exchange(exchange) => exchange.name.hash(state),
        }
    }
}
