//! Exchanges, queues and bindings of an embedding program
//! `[amqp 0-9-1 exchange.declare, queue.declare, queue.bind]`.

use amq_protocol::types::{FieldTable, ShortString};

use crate::base::field_value::FieldValue;
use crate::base::names::QueueName;
use crate::embedded::channel::{Channel, if_there};
use crate::error::Result;
#[cfg(feature = "remote")]
use crate::remote::client::{Binding as RemoteBinding, Bound};
use crate::vhost::{ExchangeDeclare, QueueDeclare, QueueDeclareOk};

/// What binds an exchange to a queue or to another exchange.
///
/// ```
/// use leveret::Binding;
///
/// let invoices = Binding::new("documents", "")
///     .argument("x-match", "all")
///     .argument("type", "invoice");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Binding {
    /// Exchange that messages come from.
    pub source: String,
    /// Binding key.
    pub routing_key: String,
    /// Arguments, such as those of a headers exchange.
    pub arguments: FieldTable,
}

impl Binding {
    /// To that exchange by that key, without arguments.
    pub fn new(source: impl Into<String>, routing_key: impl Into<String>) -> Self {
        let (source, routing_key) = (source.into(), routing_key.into());
        Self { source, routing_key, arguments: FieldTable::default() }
    }

    /// With an argument, such as a header that a headers exchange looks for.
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn argument(mut self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        self.arguments.insert(name.into(), value.into().into());
        self
    }

    /// All arguments at once.
    #[must_use]
    pub fn arguments(mut self, arguments: FieldTable) -> Self {
        self.arguments = arguments;
        self
    }
}

#[cfg(feature = "remote")]
impl Binding {
    fn to_queue(&self, queue: &str) -> RemoteBinding {
        self.to(Bound::Queue, queue)
    }

    fn to_exchange(&self, exchange: &str) -> RemoteBinding {
        self.to(Bound::Exchange, exchange)
    }

    fn to(&self, to: Bound, destination: &str) -> RemoteBinding {
        let Self { source, routing_key, arguments } = self.clone();
        RemoteBinding { to, destination: destination.to_owned(), source, routing_key, arguments }
    }
}

/// What is asked of queue.delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueDelete {
    /// The queue; empty for the last one declared on the channel.
    pub queue: String,
    /// Only if it has no consumers.
    pub if_unused: bool,
    /// Only if no message is ready.
    pub if_empty: bool,
}

impl QueueDelete {
    /// The queue of this name, whatever is in it.
    pub fn new(queue: impl Into<String>) -> Self {
        Self { queue: queue.into(), ..Self::default() }
    }

    /// Only if it has no consumers.
    #[must_use]
    pub fn if_unused(mut self) -> Self {
        self.if_unused = true;
        self
    }

    /// Only if no message is ready.
    #[must_use]
    pub fn if_empty(mut self) -> Self {
        self.if_empty = true;
        self
    }
}

/// What is asked of exchange.delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExchangeDelete {
    /// The exchange.
    pub exchange: String,
    /// Only if nothing is bound to it.
    pub if_unused: bool,
}

impl ExchangeDelete {
    /// The exchange of this name, whatever is bound to it.
    pub fn new(exchange: impl Into<String>) -> Self {
        Self { exchange: exchange.into(), ..Self::default() }
    }

    /// Only if nothing is bound to it.
    #[must_use]
    pub fn if_unused(mut self) -> Self {
        self.if_unused = true;
        self
    }
}

/// Queues and exchanges. Methods that end in `_with` take all that AMQP lets one ask for.
impl Channel {
    /// Declares a queue that is neither durable nor exclusive. Errors: as
    /// [`Channel::queue_declare_with`].
    pub fn queue_declare(&self, queue: &str) -> Result<QueueDeclareOk> {
        self.queue_declare_with(&QueueDeclare::new(queue))
    }

    /// Declares a queue `[amqp 0-9-1 queue.declare]`. Errors: 403, 404 if passive and missing,
    /// 405 if exclusive to another connection, 406 if it exists with other attributes or an
    /// argument is invalid, 540 for streams.
    pub fn queue_declare_with(&self, declare: &QueueDeclare) -> Result<QueueDeclareOk> {
        if_there!(self.0, there => there.queue_declare(declare));
        self.0.apply(|core, effects| core.queue_declare(declare, effects))
    }

    /// Binds a queue to an exchange. Errors: 403, 404, 405, 406.
    pub fn queue_bind(&self, queue: &str, exchange: &str, routing_key: &str) -> Result<()> {
        self.queue_bind_with(queue, &Binding::new(exchange, routing_key))
    }

    /// As [`Channel::queue_bind`], with arguments. Errors: 403, 404, 405, 406 also if the exchange
    /// refuses the arguments.
    pub fn queue_bind_with(&self, queue: &str, binding: &Binding) -> Result<()> {
        if_there!(self.0, there => there.bind(binding.to_queue(queue)));
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0.apply(|core, effects| core.queue_bind(queue, source, key, arguments, effects))
    }

    /// Removes a binding. One that does not exist counts as removed. Errors: 403, 405.
    pub fn queue_unbind(&self, queue: &str, exchange: &str, routing_key: &str) -> Result<()> {
        self.queue_unbind_with(queue, &Binding::new(exchange, routing_key))
    }

    /// As [`Channel::queue_unbind`], of the binding with these arguments. Errors: 403, 405.
    pub fn queue_unbind_with(&self, queue: &str, binding: &Binding) -> Result<()> {
        if_there!(self.0, there => there.unbind(binding.to_queue(queue)));
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0.apply(|core, effects| core.queue_unbind(queue, source, key, arguments, effects))
    }

    /// Drops the ready messages of a queue; tells how many. Errors: 403, 404, 405.
    pub fn queue_purge(&self, queue: &str) -> Result<usize> {
        if_there!(self.0, there => there.queue_purge(queue));
        self.0.apply(|core, effects| core.queue_purge(queue, effects))
    }

    /// Deletes a queue; tells how many messages were ready. Errors: 403, 405.
    pub fn queue_delete(&self, queue: &str) -> Result<usize> {
        self.queue_delete_with(&QueueDelete::new(queue))
    }

    /// As [`Channel::queue_delete`], on conditions. Errors: 403, 405, 406 if one does not hold, 540
    /// for a quorum queue, which knows none.
    pub fn queue_delete_with(&self, delete: &QueueDelete) -> Result<usize> {
        let &QueueDelete { ref queue, if_unused, if_empty } = delete;
        if_there!(self.0, there => there.queue_delete(queue, if_unused, if_empty));
        self.0.apply(|core, effects| core.queue_delete(queue, if_unused, if_empty, effects))
    }

    /// Declares an exchange of a type such as `topic`, neither durable nor auto-delete.
    /// Errors: 403, 406.
    pub fn exchange_declare(&self, exchange: &str, kind: &str) -> Result<()> {
        self.exchange_declare_with(&ExchangeDeclare::new(exchange, kind))
    }

    /// Declares an exchange `[amqp 0-9-1 exchange.declare]`. Errors: 403, 404 if passive and
    /// missing, 406.
    pub fn exchange_declare_with(&self, declare: &ExchangeDeclare) -> Result<()> {
        if_there!(self.0, there => there.exchange_declare(declare));
        self.0.apply(|core, effects| core.exchange_declare(declare, effects))
    }

    /// Deletes an exchange with its bindings. One that does not exist counts as deleted. Errors:
    /// 403.
    pub fn exchange_delete(&self, exchange: &str) -> Result<()> {
        self.exchange_delete_with(&ExchangeDelete::new(exchange))
    }

    /// As [`Channel::exchange_delete`], on a condition. Errors: 403, 406 if it does not hold.
    pub fn exchange_delete_with(&self, delete: &ExchangeDelete) -> Result<()> {
        let &ExchangeDelete { ref exchange, if_unused } = delete;
        if_there!(self.0, there => there.exchange_delete(exchange, if_unused));
        self.0.apply(|core, effects| core.exchange_delete(exchange, if_unused, effects))
    }

    /// Binds an exchange to another one, from which it gets messages
    /// `[rabbitmq exchange-to-exchange]`. Errors: 403, 404.
    pub fn exchange_bind(&self, destination: &str, source: &str, routing_key: &str) -> Result<()> {
        self.exchange_bind_with(destination, &Binding::new(source, routing_key))
    }

    /// As [`Channel::exchange_bind`], with arguments. Errors: 403, 404, 406 if the exchange
    /// refuses the arguments.
    pub fn exchange_bind_with(&self, destination: &str, binding: &Binding) -> Result<()> {
        if_there!(self.0, there => there.bind(binding.to_exchange(destination)));
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0
            .apply(|core, effects| core.exchange_bind(destination, source, key, arguments, effects))
    }

    /// Removes a binding between exchanges. One that does not exist counts as removed. Errors:
    /// 403.
    pub fn exchange_unbind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
    ) -> Result<()> {
        self.exchange_unbind_with(destination, &Binding::new(source, routing_key))
    }

    /// As [`Channel::exchange_unbind`], of the binding with these arguments. Errors: 403.
    pub fn exchange_unbind_with(&self, destination: &str, binding: &Binding) -> Result<()> {
        if_there!(self.0, there => there.unbind(binding.to_exchange(destination)));
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0.apply(|core, effects| {
            core.exchange_unbind(destination, source, key, arguments, effects)
        })
    }

    /// Name of the queue that was declared last on this channel, if any: what an empty queue name
    /// stands for.
    pub fn last_queue(&self) -> Option<QueueName> {
        self.0.last_queue()
    }
}
