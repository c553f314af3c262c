//! Declaring queues and exchanges `[amqp 0-9-1 queue.declare, exchange.declare]`.

use std::sync::Arc;

use crate::access::Actor;
use crate::access::{Access, ResourceKind};
use crate::base::argument;
use crate::base::field_value::{get, string, type_name};
use crate::base::names::{ExchangeName, QueueName, RESERVED_PREFIX, random_name};
use crate::error::{ArgumentError, Error, ExchangeArgumentError, Precondition, Resource, Result};
use crate::exchange::{DELAYED_TYPE, ExchangeType, Router};
use crate::insight::journal::EventKind;
use crate::queue::effects::Effects;
use crate::queue::{Queue, QueueArguments, QueueAttributes, QueueStorage, QueueType};
use crate::vhost::VirtualHost;
use crate::vhost::flow::extension::Extension;
use crate::vhost::flow::reply_to;
use crate::vhost::topology::declaration::{ExchangeDeclare, QueueDeclare, QueueDeclareOk};
use crate::vhost::topology::equivalence;
use crate::vhost::topology::exchange::ExchangeAttributes;
use amq_protocol::types::FieldTable;

impl VirtualHost {
    /// Declares a queue. Errors: 403, 404 (passive), 405, 406, 540.
    pub(crate) fn queue_declare(
        self: &Arc<Self>,
        actor: &Actor,
        declare: &QueueDeclare,
        effects: &mut Effects,
    ) -> Result<QueueDeclareOk> {
        let _acting = self.acting(actor);
        let name = without_line_ends(&declare.queue);
        if name.starts_with(reply_to::REPLY_TO) {
            return self.declare_reply_to(&name);
        }
        if declare.passive {
            let queue = self.queue(&name)?;
            queue.check_owner(actor.connection)?;
            return Ok(self.describe(&queue, effects));
        }
        if name.starts_with(RESERVED_PREFIX) {
            return Err(Error::ReservedName { kind: "queue", name });
        }
        let typed = self.with_default_type(declare);
        let declare = typed.as_ref().unwrap_or(declare);
        let generated = name.is_empty();
        let name = QueueName::from(if generated { random_name("amq.gen") } else { name });
        actor.check(Access::Configure, ResourceKind::Queue, name.as_str())?;
        let owner = declare.exclusive.then_some(actor.connection);
        if let Some(queue) = self.find_queue(name.as_str()) {
            equivalence::check_queue(&queue, declare, owner)?;
            self.statistics.churn.queue_declared.add_shared(1);
            return Ok(self.describe(&queue, effects));
        }
        let queue = self.create_queue(actor, name, generated, declare, effects)?;
        self.statistics.churn.queue_declared.add_shared(1);
        Ok(self.describe(&queue, effects))
    }

    /// The declaration with the virtual host's default type, if it names none and a queue of that
    /// type can be as it says; else it is a classic queue.
    fn with_default_type(&self, declare: &QueueDeclare) -> Option<QueueDeclare> {
        const ARGUMENT: &str = argument::QUEUE_TYPE;
        if get(&declare.arguments, ARGUMENT).is_some() {
            return None;
        }
        let queue_type = self.metadata().queue_type();
        let can_be = declare.durable && !declare.exclusive && !declare.auto_delete;
        let applies = queue_type != QueueType::default() && can_be;
        applies.then(|| declare.clone().argument(ARGUMENT, queue_type.as_str()))
    }

    fn describe(self: &Arc<Self>, queue: &Arc<Queue>, effects: &mut Effects) -> QueueDeclareOk {
        let counts = queue.touch(self.now(), effects);
        QueueDeclareOk {
            queue: queue.name().clone(),
            message_count: counts.ready,
            // RabbitMQ counts no consumers of streams.
            consumer_count: if queue.kind().is_stream { 0 } else { counts.declared_consumers },
        }
    }

    pub(in crate::vhost) fn create_queue(
        self: &Arc<Self>,
        actor: &Actor,
        name: QueueName,
        generated: bool,
        declare: &QueueDeclare,
        effects: &mut Effects,
    ) -> Result<Arc<Queue>> {
        self.check_queue_limit(&name)?;
        let arguments = self.queue_arguments(actor, &name, generated, declare)?;
        self.check_deprecated(&name, declare, &arguments)?;
        self.lint_queue(&name, &declare.arguments, &arguments)?;
        let attributes = QueueAttributes {
            durable: declare.is_durable(),
            auto_delete: declare.auto_delete,
            owner: declare.exclusive.then_some(actor.connection),
            table: declare.arguments.clone(),
            arguments,
        };
        let storage = QueueStorage {
            id: self.new_store_id()?,
            memory_bytes_max: self.shared.queue_memory_bytes_max,
            consumer_timeout_ms: Some(self.shared.consumer_timeout_ms),
            next_sequence: 0,
        };
        let (host, now) = (self.name.clone(), self.now());
        let queue = Queue::new(name.clone(), host, attributes, storage, now);
        let queue = self.with_log(queue)?.with_journal(self.shared.journal.clone());
        let queue = queue.with_tap(self.tap.clone()).with_herald(&self.shared.herald);
        let queue = Arc::new(queue);
        let mut topology = self.topology.lock();
        self.check_open()?;
        if let Some(existing) = self.find_queue(name.as_str()) {
            // Somebody else was faster.
            self.drop_log(&queue, effects);
            let owner = declare.exclusive.then_some(actor.connection);
            equivalence::check_queue(&existing, declare, owner)?;
            return Ok(existing);
        }
        self.check_queue_limit(&name)?; // again: now no other comes between
        while self.forget_remains(&mut topology, ResourceKind::Queue, name.as_str(), effects) {}
        self.record_queue(&queue, effects)?;
        self.note(None, || EventKind::QueueDeclared { queue: name.clone() });
        self.tell("queue.created", |told| queue.told(told));
        self.queues.insert(name.clone(), Arc::clone(&queue));
        queue.count_as_memory(self.memory());
        self.watch_log(&queue);
        self.statistics.churn.queue_created.add_shared(1);
        self.apply_policies_to_new_queue(&queue, effects);
        drop(topology);
        self.changed();
        if declare.exclusive {
            actor.own(name.clone(), |name| self.find_queue(name.as_str()).is_some());
            if actor.is_gone() {
                self.delete_owned(actor, effects);
            }
        }
        Ok(queue)
    }

    /// Fails with 406 if there may be no further queue.
    fn check_queue_limit(&self, name: &QueueName) -> Result<()> {
        let reached = |limit: &u64| self.queues.len() as u64 >= *limit;
        match self.limits().queues().filter(reached) {
            Some(limit) => {
                let (name, virtual_host) = (name.clone(), self.name.clone());
                Err(Error::QueueLimit { name, virtual_host, limit })
            }
            None => Ok(()),
        }
    }

    /// The arguments of a queue to be declared, if the user may have such a queue.
    fn queue_arguments(
        &self,
        actor: &Actor,
        name: &QueueName,
        generated: bool,
        declare: &QueueDeclare,
    ) -> Result<QueueArguments> {
        let resource = Resource::queue(name, &self.name);
        if let Some(value) = get(&declare.arguments, argument::DEAD_LETTER_EXCHANGE) {
            let Some(exchange) = string(value) else {
                let (argument, received) = (argument::DEAD_LETTER_EXCHANGE, type_name(value));
                let error = ArgumentError::Type { argument, received };
                return Err(Precondition::Argument(error, resource).into());
            };
            actor.check(Access::Read, ResourceKind::Queue, name.as_str())?;
            actor.check(Access::Write, ResourceKind::Exchange, exchange)?;
        }
        let mut arguments = QueueArguments::parse(&declare.arguments)
            .map_err(|error| Precondition::Argument(error, resource.clone()))?;
        arguments.message_deduplication &= !self.shared.without_plugins;
        if arguments.queue_type.kind().is_replicated {
            check_replicated(declare, generated, arguments.queue_type, &resource)?;
        }
        Ok(arguments)
    }

    /// Declares an exchange. Errors: 403, 404 (passive), 406.
    pub(crate) fn exchange_declare(
        self: &Arc<Self>,
        actor: &Actor,
        declare: &ExchangeDeclare,
        effects: &mut Effects,
    ) -> Result<()> {
        let _acting = self.acting(actor);
        let name = without_line_ends(&declare.exchange);
        if declare.passive {
            if name.is_empty() {
                return Err(Error::DefaultExchange);
            }
            return self.exchange(&name).map(drop);
        }
        let is_known = |kind: &ExchangeType| !self.shared.without_plugins || !kind.needs_plugin();
        let kind = ExchangeType::from_name(&declare.kind).filter(is_known).ok_or_else(|| {
            Precondition::Exchange(ExchangeArgumentError::unknown_type(&declare.kind))
        })?;
        if name.is_empty() {
            return Err(Error::DefaultExchange);
        }
        actor.check(Access::Configure, ResourceKind::Exchange, &name)?;
        let mut topology = self.topology.lock();
        self.check_open()?;
        if let Some(exchange) = self.find_exchange(&name) {
            return equivalence::check_exchange(&exchange, declare, kind);
        }
        if name.starts_with(RESERVED_PREFIX) {
            return Err(Error::ReservedName { kind: "exchange", name });
        }
        let alternate = self.alternate(actor, &name, &declare.arguments)?;
        let router = Router::new(kind, &declare.arguments).map_err(Precondition::Exchange)?;
        let extension = Extension::new(kind, router.kind(), &declare.arguments)
            .map_err(Precondition::Exchange)?;
        if self.lints().is_none()
            && kind != ExchangeType::DelayedMessage
            && get(&declare.arguments, DELAYED_TYPE).is_some()
        {
            tracing::warn!(
                "argument {DELAYED_TYPE} has no effect on exchange type '{kind}'; did you mean \
                 {}?",
                ExchangeType::DelayedMessage
            );
        }
        self.lint_exchange(&name, kind, &declare.arguments)?;
        let attributes = ExchangeAttributes {
            kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            table: declare.arguments.clone(),
            alternate,
            declared_by: actor.user.name.clone(),
        };
        let keeps = extension.as_ref().is_some_and(|extension| extension.delays().is_some());
        let store_id = if keeps && declare.durable { self.new_store_id()? } else { 0 };
        self.record_exchange(&mut topology, &name, &attributes, store_id, effects)?;
        let name = ExchangeName::from(name);
        self.insert_exchange(name.clone(), attributes, router, extension, store_id);
        self.note(None, || EventKind::ExchangeDeclared { exchange: name });
        Ok(())
    }

    /// `alternate-exchange`, if it is set and the user may read from here and write there.
    fn alternate(
        &self,
        actor: &Actor,
        exchange: &str,
        arguments: &FieldTable,
    ) -> Result<Option<ExchangeName>> {
        let Some(value) = get(arguments, argument::ALTERNATE_EXCHANGE) else { return Ok(None) };
        let Some(alternate) = string(value) else {
            let resource = Resource::exchange(&ExchangeName::from(exchange), &self.name);
            let (argument, received) = (argument::ALTERNATE_EXCHANGE, type_name(value));
            let error = ArgumentError::Type { argument, received };
            return Err(Precondition::Argument(error, resource).into());
        };
        actor.check(Access::Read, ResourceKind::Exchange, exchange)?;
        actor.check(Access::Write, ResourceKind::Exchange, alternate)?;
        Ok(Some(ExchangeName::from(alternate)))
    }
}

/// What quorum queues and streams cannot be `[rabbitmq quorum-queues#feature-matrix]`.
fn check_replicated(
    declare: &QueueDeclare,
    generated: bool,
    queue_type: QueueType,
    resource: &Resource,
) -> Result<()> {
    if generated {
        let module = queue_type.module();
        return Err(Precondition::ServerNamed(module).into());
    }
    let property = if declare.auto_delete {
        "auto-delete"
    } else if declare.exclusive {
        "exclusive-owner"
    } else if !declare.durable {
        "non-durable"
    } else {
        return Ok(());
    };
    Err(Precondition::Property(property, resource.clone()).into())
}

/// Names lose their line ends, silently, where something is declared, bound or deleted, and nowhere
/// else, as in RabbitMQ.
pub(in crate::vhost) fn without_line_ends(name: &str) -> String {
    name.replace(['\r', '\n'], "")
}
