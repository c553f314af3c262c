//! Super streams: an exchange, and streams bound to it that are its partitions
//! `[rabbitmq super streams]`.

use std::collections::HashSet;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::access::{Access, Actor, ResourceKind};
use crate::base::argument;
use crate::base::field_value::{get, integer};
use crate::base::names::{ExchangeName, QueueName, RESERVED_PREFIX};
use crate::error::{Error, Resource, Result};
use crate::exchange::Routing;
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::vhost::VirtualHost;
use crate::vhost::topology::bind::Bind;
use crate::vhost::topology::declaration::{ExchangeDeclare, QueueDeclare};
use crate::vhost::topology::declare::without_line_ends;
use crate::vhost::topology::exchange::{Destination, Exchange};

/// Marks the exchange of a super stream.
const SUPER_STREAM: &str = argument::SUPER_STREAM;

/// The place of a partition, among the arguments of its binding.
const ORDER: &str = argument::STREAM_PARTITION_ORDER;

/// What a super stream is created with.
///
/// ```
/// use leveret::SuperStreamDeclare;
///
/// // Streams orders-0, orders-1 and orders-2; stream clients hash keys, and so does the exchange.
/// let orders = SuperStreamDeclare::new("orders", 3).argument("x-max-age", "30D");
/// // Streams sales-eu and sales-us, for the routing keys eu and us.
/// let sales = SuperStreamDeclare::by_keys("sales", ["eu", "us"]);
/// # let _ = (orders, sales);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SuperStreamDeclare {
    /// Name of the super stream and its exchange.
    pub name: String,
    /// Names of the partitions, in order, with the binding key of each.
    pub partitions: Vec<(String, String)>,
    /// `x-` arguments of every partition.
    pub arguments: FieldTable,
}

impl SuperStreamDeclare {
    /// With so many partitions, called `NAME-0` and so on, bound by their numbers.
    pub fn new(name: impl Into<String>, partitions: usize) -> Self {
        Self::by_keys(name, (0..partitions).map(|number| number.to_string()))
    }

    /// With a partition called `NAME-KEY` for each of these binding keys.
    pub fn by_keys(
        name: impl Into<String>,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let name = name.into();
        let partition = |key: String| (format!("{name}-{key}"), key);
        let partitions = keys.into_iter().map(|key| partition(key.into())).collect();
        Self { name, partitions, arguments: FieldTable::default() }
    }

    /// With an argument of every partition, such as `x-max-age`.
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn argument(
        mut self,
        name: impl Into<amq_protocol::types::ShortString>,
        value: impl Into<crate::FieldValue>,
    ) -> Self {
        self.arguments.insert(name.into(), value.into().into());
        self
    }

    /// Why there can be no such super stream, if there cannot.
    fn check(&self) -> Result<(), SuperStreamError> {
        let invalid = |text: String| Err(SuperStreamError::Invalid(text));
        let is_name = |name: &str| !name.is_empty() && !name.starts_with(RESERVED_PREFIX);
        if !is_name(&without_line_ends(&self.name)) {
            return invalid(format!("a super stream cannot be called '{}'", self.name));
        }
        let mut seen = HashSet::new();
        for (partition, _) in &self.partitions {
            let name = without_line_ends(partition);
            if !is_name(&name) {
                return invalid(format!("a stream cannot be called '{name}'"));
            }
            if !seen.insert(name) {
                return invalid(format!("two partitions are called '{partition}'"));
            }
        }
        match self.partitions.is_empty() {
            true => invalid("a super stream needs a partition".into()),
            false => Ok(()),
        }
    }
}

/// Why a super stream is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuperStreamError {
    /// What it is asked to be is not possible.
    #[error("{0}")]
    Invalid(String),
    /// Its exchange or one of its partitions is there already.
    #[error("{0} already exists")]
    Exists(Resource),
    /// As declaring its exchange or its streams is refused.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl VirtualHost {
    /// Creates a super stream with its partitions, or nothing of it.
    ///
    /// # Errors
    /// [`SuperStreamError`]; 403 among what is refused.
    pub(crate) fn create_super_stream(
        self: &Arc<Self>,
        actor: &Actor,
        declare: &SuperStreamDeclare,
        effects: &mut Effects,
    ) -> Result<(), SuperStreamError> {
        let partitions = || declare.partitions.iter().map(|(name, _)| name.as_str());
        check_rights(actor, &declare.name, partitions())?;
        declare.check()?;
        let exchange = without_line_ends(&declare.name);
        if let Ok(exchange) = self.exchange(&exchange) {
            return Err(SuperStreamError::Exists(exchange.resource()));
        }
        if let Some(queue) = partitions().find_map(|name| self.queue(&without_line_ends(name)).ok())
        {
            return Err(SuperStreamError::Exists(queue.resource()));
        }
        let created = self.declare_super_stream(actor, declare, effects);
        if created.is_err() {
            self.undo_super_stream(actor, declare, effects);
        }
        Ok(created?)
    }

    fn declare_super_stream(
        self: &Arc<Self>,
        actor: &Actor,
        declare: &SuperStreamDeclare,
        effects: &mut Effects,
    ) -> Result<()> {
        let exchange = ExchangeDeclare::new(&declare.name, "direct").durable();
        self.exchange_declare(actor, &exchange.argument(SUPER_STREAM, true), effects)?;
        for ((name, key), order) in declare.partitions.iter().zip(0_i64..) {
            let stream = QueueDeclare::new(name).durable().arguments(declare.arguments.clone());
            self.queue_declare(actor, &stream.argument(argument::QUEUE_TYPE, "stream"), effects)?;
            let mut arguments = FieldTable::default();
            arguments.insert(ORDER.into(), order.into());
            let bind = Bind {
                kind: ResourceKind::Queue,
                destination: name,
                source: &declare.name,
                routing_key: key.as_bytes(),
                arguments: &arguments,
            };
            self.bind(actor, &bind, effects)?;
        }
        Ok(())
    }

    /// Nothing of what was to be created was there before.
    fn undo_super_stream(
        self: &Arc<Self>,
        actor: &Actor,
        declare: &SuperStreamDeclare,
        effects: &mut Effects,
    ) {
        let results = declare
            .partitions
            .iter()
            .map(|(name, _)| self.queue_delete(actor, name, false, false, effects).map(drop))
            .collect::<Vec<_>>();
        let exchange = self.exchange_delete(actor, &declare.name, false, effects);
        for error in results.into_iter().chain([exchange]).filter_map(Result::err) {
            tracing::warn!("a part of super stream '{}' is left over: {error}", declare.name);
        }
    }

    /// Deletes a super stream with its partitions; tells which these were. Errors: 403, 404.
    pub(crate) fn delete_super_stream(
        self: &Arc<Self>,
        actor: &Actor,
        name: &str,
        effects: &mut Effects,
    ) -> Result<Vec<QueueName>> {
        let partitions = self.partitions(name).unwrap_or_default();
        check_rights(actor, name, partitions.iter().map(QueueName::as_str))?;
        let exchange = self.exchange(name)?;
        if get(&exchange.attributes().table, SUPER_STREAM).is_none() {
            let exchange = Resource::exchange(&ExchangeName::from(name), &self.name);
            return Err(Error::NotFound(exchange));
        }
        self.exchange_delete(actor, name, false, effects)?;
        for partition in &partitions {
            self.queue_delete(actor, partition.as_str(), false, false, effects)?;
        }
        Ok(partitions)
    }

    /// The partitions of a super stream, in order: the streams that are bound to an exchange.
    /// Errors: 404.
    pub(crate) fn partitions(&self, name: &str) -> Result<Vec<QueueName>> {
        let exchange = self.exchange(name)?;
        let router = exchange.router.read();
        let mut partitions: Vec<_> = router
            .bindings()
            .filter_map(|binding| {
                let stream = stream(binding.destination)?;
                Some((order(binding.arguments).unwrap_or(i64::MAX), stream.name().clone()))
            })
            .collect();
        drop(router);
        partitions.sort();
        partitions.dedup_by(|a, b| a.1 == b.1);
        Ok(partitions.into_iter().map(|(_, name)| name).collect())
    }

    /// Which streams an exchange leads a routing key to, as stream clients ask, who hash by
    /// themselves. Errors: 404.
    pub(crate) fn route_to_streams(&self, exchange: &str, key: &str) -> Result<Vec<QueueName>> {
        let exchange = self.exchange(exchange)?;
        let mut found = Vec::new();
        exchange.router.read().route_exactly(&Routing::by_key(key.as_bytes()), &mut found);
        Ok(found.iter().filter_map(stream).map(|stream| stream.name().clone()).collect())
    }

    /// Which partition of a super stream a stream is, from 0; `None` if it is none.
    pub(crate) fn partition_index(&self, super_stream: &str, stream: &str) -> Option<usize> {
        let exchange: Arc<Exchange> = self.exchange(super_stream).ok()?;
        let router = exchange.router.read();
        let binding = router.bindings().find(|binding| {
            matches!(binding.destination, Destination::Queue(queue)
                if queue.name().as_str() == stream)
        })?;
        let order = order(binding.arguments);
        let order = order.or_else(|| stream.rsplit_once('-')?.1.parse().ok())?;
        usize::try_from(order).ok()
    }
}

/// The place of a partition, if the arguments of its binding tell.
fn order(arguments: Option<&FieldTable>) -> Option<i64> {
    get(arguments?, ORDER).and_then(integer)
}

/// The queue that a binding leads to, if it is a stream.
fn stream(destination: &Destination) -> Option<&Arc<Queue>> {
    match destination {
        Destination::Queue(queue) if queue.kind().is_stream => Some(queue),
        _ => None,
    }
}

/// Fails with 403 unless the user may create and delete the super stream.
fn check_rights<'a>(
    actor: &Actor,
    name: &str,
    partitions: impl Iterator<Item = &'a str>,
) -> Result<()> {
    for access in [Access::Configure, Access::Read] {
        actor.check(access, ResourceKind::Exchange, name)?;
    }
    for partition in partitions {
        for access in [Access::Configure, Access::Write] {
            actor.check(access, ResourceKind::Queue, partition)?;
        }
    }
    Ok(())
}
