//! The bindings of one exchange, and the way from a message to its destinations.

use std::hash::Hash;

use amq_protocol::types::{AMQPValue, FieldTable};

use super::binding::{Binding, BindingKey, BindingSet};
use super::consistent_hash::ConsistentHash;
use super::delay::delayed_type;
use super::destinations::Collector;
use super::direct::Direct;
use super::duplicates::DuplicateCache;
use super::fanout::Fanout;
use super::federation::FederationUpstream;
use super::headers::Headers;
use super::history;
use super::modulus_hash::ModulusHash;
use super::random::Random;
use super::super_stream::SuperStream;
use super::topic::Topic;
use super::{BindError, ExchangeArgumentError, ExchangeType, Routing};
use crate::base::argument;

/// Bindings that are removed in one step.
const UNBIND_STEP: usize = 1024;

/// The bindings of one exchange.
///
/// A binding is known by its destination, its binding key and its arguments, exactly. An empty
/// router holds no heap memory. A clone copies every binding.
#[derive(Debug, Clone)]
pub struct Router<D> {
    kind: ExchangeType,
    bindings: BindingSet<D>,
    table: Table<D>,
}

/// The same bindings, arranged for the lookup that the type needs.
#[derive(Debug, Clone)]
enum Table<D> {
    Direct(Direct<D>),
    Fanout(Fanout<D>),
    Topic(Topic<D>),
    Headers(Headers<D>),
    Random(Random<D>),
    ConsistentHash(ConsistentHash<D>),
    ModulusHash(ModulusHash<D>),
    SuperStream(SuperStream<D>),
    FederationUpstream(FederationUpstream<D>),
}

impl<D: Clone + Eq + Hash> Router<D> {
    /// An exchange without bindings.
    ///
    /// `arguments` are those of `exchange.declare`; `direct` looks at `x-super-stream`, and the
    /// extensions at theirs, such as `hash-header`, `x-delayed-type`, `x-recent-history-length` and
    /// `x-cache-size`.
    ///
    /// # Errors
    ///
    /// If the type refuses the arguments (406).
    pub fn new(kind: ExchangeType, arguments: &FieldTable) -> Result<Self, ExchangeArgumentError> {
        let kind = match kind {
            ExchangeType::DelayedMessage => delayed_type(arguments)?,
            other => other,
        };
        let table = match kind {
            ExchangeType::Direct if is_super_stream(arguments) => {
                Table::SuperStream(SuperStream::new(true))
            }
            ExchangeType::Direct => Table::Direct(Direct::new()),
            ExchangeType::Fanout => Table::Fanout(Fanout::new()),
            ExchangeType::Topic => Table::Topic(Topic::new()),
            ExchangeType::Headers => Table::Headers(Headers::new()),
            ExchangeType::Random => Table::Random(Random::new(false)),
            ExchangeType::LocalRandom => Table::Random(Random::new(true)),
            ExchangeType::ConsistentHash => Table::ConsistentHash(ConsistentHash::new(arguments)?),
            ExchangeType::ModulusHash => Table::ModulusHash(ModulusHash::new()),
            ExchangeType::SuperStream => Table::SuperStream(SuperStream::new(false)),
            ExchangeType::RecentHistory => {
                history::length(arguments)?;
                Table::Fanout(Fanout::new())
            }
            ExchangeType::MessageDeduplication => {
                DuplicateCache::new(arguments)?;
                Table::Fanout(Fanout::new())
            }
            ExchangeType::FederationUpstream => {
                Table::FederationUpstream(FederationUpstream::new(arguments)?)
            }
            ExchangeType::DelayedMessage => return Err(ExchangeArgumentError::DelayedTypeItself),
        };
        Ok(Self { kind, bindings: BindingSet::new(), table })
    }

    /// The same, with what RabbitMQ does wrong: when one of several bindings of a destination to an
    /// `x-consistent-hash` exchange goes, the destination gets nothing any more.
    #[must_use]
    pub fn with_rabbitmq_faults(mut self) -> Self {
        if let Table::ConsistentHash(table) = &mut self.table {
            table.forget_with_any_binding();
        }
        self
    }

    /// The type that routes: that of the exchange or, if that is `x-delayed-message`, its
    /// `x-delayed-type`.
    pub fn kind(&self) -> ExchangeType {
        self.kind
    }

    /// Adds a binding. `false` if it existed already.
    ///
    /// # Errors
    ///
    /// If the type refuses the binding key or the arguments (406); nothing changes then.
    pub fn bind(
        &mut self,
        destination: D,
        binding_key: &[u8],
        arguments: &FieldTable,
    ) -> Result<bool, BindError> {
        let binding = BindingKey::new(binding_key, arguments);
        if self.bindings.contains(&destination, &binding) {
            return Ok(false);
        }
        match &mut self.table {
            Table::Direct(table) => table.add(&destination, &binding),
            Table::Fanout(table) => table.add(&destination),
            Table::Topic(table) => table.add(&destination, &binding),
            Table::Headers(table) => table.add(&destination, &binding)?,
            Table::Random(table) => table.add(&destination, &binding)?,
            Table::ConsistentHash(table) => table.add(&destination, &binding)?,
            Table::ModulusHash(table) => table.add(&destination),
            Table::SuperStream(table) => table.add(&destination, &binding)?,
            Table::FederationUpstream(table) => table.add(&destination),
        }
        self.bindings.insert(destination, binding);
        Ok(true)
    }

    /// Whether there is this binding.
    pub fn has(&self, destination: &D, binding_key: &[u8], arguments: &FieldTable) -> bool {
        self.bindings.contains(destination, &BindingKey::new(binding_key, arguments))
    }

    /// Removes a binding. `false` if there was none.
    pub fn unbind(&mut self, destination: &D, binding_key: &[u8], arguments: &FieldTable) -> bool {
        let binding = BindingKey::new(binding_key, arguments);
        let removed = self.bindings.remove(destination, &binding);
        if removed {
            self.table.remove(destination, &binding);
        }
        removed
    }

    /// Removes every binding of a destination, as when a queue is deleted. Returns their number.
    pub fn unbind_destination(&mut self, destination: &D) -> usize {
        self.unbind_up_to(destination, usize::MAX)
    }

    /// Removes some bindings of a destination, as many as it takes a moment to remove. Returns
    /// their number: 0 once there are none.
    pub fn unbind_some(&mut self, destination: &D) -> usize {
        self.unbind_up_to(destination, UNBIND_STEP)
    }

    fn unbind_up_to(&mut self, destination: &D, max: usize) -> usize {
        let removed = self.bindings.remove_some(destination, max);
        match &mut self.table {
            Table::ConsistentHash(table) => table.remove_all(destination, &removed),
            table => removed.iter().for_each(|binding| table.remove(destination, binding)),
        }
        removed.len()
    }

    /// Appends the destinations of a message to `out`, in no particular order.
    ///
    /// A destination that `out` holds already is not appended again, so that a message with
    /// several routing keys can be routed key by key into one list.
    pub fn route(&self, message: &Routing<'_>, out: &mut Vec<D>) {
        let mut out = Collector::new(out);
        match &self.table {
            Table::Direct(table) => table.route(message, &mut out),
            Table::Fanout(table) => table.route(&mut out),
            Table::Topic(table) => table.route(message, &mut out),
            Table::Headers(table) => table.route(message, &mut out),
            Table::Random(table) => table.route(message, &mut out),
            Table::ConsistentHash(table) => table.route(message, &mut out),
            Table::ModulusHash(table) => table.route(message, &mut out),
            Table::SuperStream(table) => table.route(message, &mut out),
            Table::FederationUpstream(table) => table.route(message.headers, &mut out),
        }
    }

    /// As [`route`](Self::route), but that a super stream of type `direct` does not hash what no
    /// binding key equals: what stream clients are told, who hash by themselves.
    pub fn route_exactly(&self, message: &Routing<'_>, out: &mut Vec<D>) {
        match &self.table {
            Table::SuperStream(table) => table.route_exactly(message, &mut Collector::new(out)),
            _ => self.route(message, out),
        }
    }

    /// Whether [`route`](Self::route) looks at [`Routing::headers`]. May change with the bindings.
    pub fn needs_headers(&self) -> bool {
        match &self.table {
            Table::Headers(table) => table.needs_headers(),
            Table::ConsistentHash(table) => table.needs_headers(),
            Table::FederationUpstream(_) => true,
            _ => false,
        }
    }

    /// Whether [`route`](Self::route) looks at the message's other properties: `correlation_id`,
    /// `message_id`, `timestamp`.
    pub fn needs_properties(&self) -> bool {
        match &self.table {
            Table::ConsistentHash(table) => table.needs_properties(),
            _ => false,
        }
    }

    /// Every binding, in no particular order.
    pub fn bindings(&self) -> impl Iterator<Item = Binding<'_, D>> {
        self.bindings.iter()
    }

    /// The number of bindings.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether there is no binding.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<D: Clone + Eq + Hash> Table<D> {
    fn remove(&mut self, destination: &D, binding: &BindingKey) {
        match self {
            Self::Direct(table) => table.remove(destination, binding),
            Self::Fanout(table) => table.remove(destination),
            Self::Topic(table) => table.remove(destination, binding),
            Self::Headers(table) => table.remove(destination, binding),
            Self::Random(table) => table.remove(destination),
            Self::ConsistentHash(table) => table.remove(destination, binding),
            Self::ModulusHash(table) => table.remove(destination),
            Self::SuperStream(table) => table.remove(destination, binding),
            Self::FederationUpstream(table) => table.remove(destination),
        }
    }
}

/// Whether an exchange with these arguments is that of a super stream, whose keys may be hashed.
fn is_super_stream(arguments: &FieldTable) -> bool {
    arguments.inner().get(argument::SUPER_STREAM) == Some(&AMQPValue::Boolean(true))
}
