//! Deleting and purging queues and exchanges `[amqp 0-9-1 queue.delete, exchange.delete]`.

use std::sync::Arc;

use crate::access::Actor;
use crate::access::{Access, ResourceKind};
use crate::base::lock::MutexGuard;
use crate::error::{Error, NotImplemented, Resource, Result};
use crate::insight::journal::EventKind;
use crate::names::{ExchangeName, RESERVED_PREFIX};
use crate::queue::effects::Effects;
use crate::queue::{Counts, Queue};
use crate::vhost::topology::declare::without_line_ends;
use crate::vhost::topology::exchange::{Destination, Exchange};
use crate::vhost::{Topology, VirtualHost};

impl VirtualHost {
    /// Deletes a queue; tells how many messages were ready. One that does not exist counts as
    /// deleted. Errors: 403, 405, 406, 540 for conditions on a quorum queue.
    pub(crate) fn queue_delete(
        self: &Arc<Self>,
        actor: &Actor,
        name: &str,
        if_unused: bool,
        if_empty: bool,
        effects: &mut Effects,
    ) -> Result<usize> {
        let _acting = self.acting(actor);
        let name = without_line_ends(name);
        actor.check(Access::Configure, ResourceKind::Queue, &name)?;
        let Some(queue) = self.find_queue(&name) else { return Ok(0) };
        queue.check_owner(actor.connection)?;
        let conditions = [("if-unused", if_unused), ("if-empty", if_empty)];
        if let Some((flag, _)) = conditions.iter().find(|(_, is_set)| *is_set && queue.is_quorum())
        {
            return Err(NotImplemented::ConditionalDelete(queue.resource(), flag).into());
        }
        let condition = |counts: Counts| {
            if if_empty && counts.ready > 0 {
                return Err(Error::NotEmpty(queue.resource()));
            }
            if if_unused && counts.consumers > 0 {
                return Err(Error::InUse(queue.resource()));
            }
            Ok(())
        };
        self.delete_queue(&queue, condition, effects)
    }

    /// Deletes a queue that lost its last consumer or its lease, unless it is in use again.
    pub(in crate::vhost) fn delete_unused(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        effects: &mut Effects,
    ) {
        let unused = |counts: Counts| match counts.declared_consumers {
            0 => Ok(()),
            _ => Err(Error::InUse(queue.resource())),
        };
        if self.delete_queue(queue, unused, effects).is_ok() {
            tracing::debug!("{} deleted: nobody uses it any more", queue.resource());
        }
    }

    pub(in crate::vhost) fn delete_queue(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        condition: impl FnOnce(Counts) -> Result<()>,
        effects: &mut Effects,
    ) -> Result<usize> {
        let mut topology = self.topology.lock();
        let mut gone = self.statistics.gone.lock();
        let ended = queue.delete(condition, self.now(), effects)?;
        let Some(tally) = ended else { return Ok(0) };
        self.queues.remove_if(queue.name().as_str(), |_, found| Arc::ptr_eq(found, queue));
        gone.add_queue(queue.attributes().arguments.queue_type, &tally);
        drop(gone);
        self.statistics.churn.queue_deleted.add_shared(1);
        self.forget_queue(queue, effects);
        self.drop_log(queue, effects);
        self.unbind_all(&mut topology, &Destination::Queue(Arc::clone(queue)), effects);
        self.shared.timers.cancel(queue);
        self.note(None, || EventKind::QueueDeleted { queue: queue.name().clone() });
        self.tell("queue.deleted", |told| told.text("name", queue.name().as_str()));
        self.changed();
        Ok(usize::try_from(tally.totals.messages_ready).unwrap_or(usize::MAX))
    }

    /// Deletes the queues that end with a connection.
    pub(crate) fn delete_owned(self: &Arc<Self>, actor: &Actor, effects: &mut Effects) {
        for name in actor.take_owned() {
            let queue = self.find_queue(name.as_str());
            if let Some(queue) = queue.filter(|q| q.attributes().owner == Some(actor.connection)) {
                // Without a condition there is nothing to fail.
                let _ = self.delete_queue(&queue, |_| Ok(()), effects);
            }
        }
    }

    /// Drops the ready messages of a queue; tells how many. Errors: 403, 404, 405.
    pub(crate) fn queue_purge(
        self: &Arc<Self>,
        actor: &Actor,
        name: &str,
        effects: &mut Effects,
    ) -> Result<usize> {
        actor.check(Access::Read, ResourceKind::Queue, name)?;
        let queue = self.queue(name)?;
        queue.check_owner(actor.connection)?;
        effects.must_sync |= queue.is_recorded() && !queue.kind().is_stream;
        queue.purge(self.now(), effects)
    }

    /// Deletes an exchange. One that does not exist counts as deleted. Errors: 403, 406.
    pub(crate) fn exchange_delete(
        self: &Arc<Self>,
        actor: &Actor,
        name: &str,
        if_unused: bool,
        effects: &mut Effects,
    ) -> Result<()> {
        let name = without_line_ends(name);
        if name.is_empty() {
            return Err(Error::DefaultExchange);
        }
        if name.starts_with(RESERVED_PREFIX) {
            let exchange = Resource::exchange(&ExchangeName::from(name), &self.name);
            return Err(Error::SystemExchange(exchange));
        }
        actor.check(Access::Configure, ResourceKind::Exchange, &name)?;
        let _acting = self.acting(actor);
        let mut topology = self.topology.lock();
        let Some(exchange) = self.find_exchange(&name) else { return Ok(()) };
        if if_unused && exchange.binding_count() > 0 {
            return Err(Error::InUse(exchange.resource()));
        }
        self.remove_exchange(&mut topology, &exchange, effects);
        self.changed();
        Ok(())
    }

    pub(in crate::vhost) fn remove_exchange(
        &self,
        topology: &mut MutexGuard<'_, Topology>,
        exchange: &Arc<Exchange>,
        effects: &mut Effects,
    ) {
        self.forget_exchange(exchange, effects);
        self.exchanges.remove(exchange.name());
        self.tell_bindings_gone(exchange, |_| true);
        let destinations: Vec<_> =
            exchange.router.read().bindings().map(|binding| binding.destination.clone()).collect();
        for destination in destinations {
            topology.forget(&destination, exchange.name(), 1);
        }
        self.unbind_all(topology, &Destination::Exchange(Arc::clone(exchange)), effects);
        exchange.drop_bindings();
        self.shared.timers.cancel(exchange);
        self.note(None, || EventKind::ExchangeDeleted { exchange: exchange.name().clone() });
        self.tell("exchange.deleted", |told| told.text("name", exchange.name().as_str()));
        self.shared.memory.add(-(exchange.drop_messages() as isize));
    }

    /// Removes every binding to a destination. Auto-delete exchanges that lose their last binding
    /// go as well, and so on.
    fn unbind_all(
        &self,
        topology: &mut MutexGuard<'_, Topology>,
        destination: &Destination,
        effects: &mut Effects,
    ) {
        for name in topology.forget_all(destination).into_keys() {
            let Some(source) = self.find_exchange(name.as_str()) else { continue };
            self.tell_bindings_gone(&source, |to| to == destination);
            source.router.write().unbind_destination(destination);
            self.delete_if_unbound(topology, &source, effects);
        }
    }

    /// Deletes an auto-delete exchange that lost its last binding.
    pub(in crate::vhost) fn delete_if_unbound(
        &self,
        topology: &mut MutexGuard<'_, Topology>,
        exchange: &Arc<Exchange>,
        effects: &mut Effects,
    ) {
        if exchange.attributes().auto_delete && exchange.binding_count() == 0 {
            self.remove_exchange(topology, exchange, effects);
        }
    }
}
