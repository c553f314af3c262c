//! Deleting and purging queues and exchanges `[amqp 0-9-1 queue.delete, exchange.delete]`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::Actor;
use crate::access::{Access, ResourceKind};
use crate::base::blocking::{pause_here, pause_if_long};
use crate::base::lock::MutexGuard;
use crate::base::names::{ExchangeName, RESERVED_PREFIX};
use crate::error::{Error, NotImplemented, Resource, Result};
use crate::exchange::Router;
use crate::insight::journal::EventKind;
use crate::limits::STEP;
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
        let Some(ended) = ended else { return Ok(0) };
        self.queues.remove_if(queue.name().as_str(), |_, found| Arc::ptr_eq(found, queue));
        gone.add_queue(queue.attributes().arguments.queue_type, ended.tally());
        drop(gone);
        self.statistics.churn.queue_deleted.add_shared(1);
        self.forget_queue(queue, &mut topology, effects);
        let name = queue.name().as_str();
        let has_remains = topology.has_remains(ResourceKind::Queue, name);
        self.drop_log(queue, effects);
        let destination = Destination::Queue(Arc::clone(queue));
        let sources = topology.forget_all(&destination);
        drop(topology);
        let ready = ended.tally().totals.messages_ready;
        effects.ended.push(ended);
        self.tell_unbound(&destination, &sources);
        self.unbind_all(vec![(destination, sources)], effects);
        if has_remains {
            let forget = |effects: &mut _| {
                let mut topology = self.topology.lock();
                self.forget_remains(&mut topology, ResourceKind::Queue, name, effects)
            };
            pause_here(|| while forget(&mut *effects) {});
        }
        self.shared.timers.cancel(queue);
        self.note(None, || EventKind::QueueDeleted { queue: queue.name().clone() });
        self.tell("queue.deleted", |told| told.text("name", queue.name().as_str()));
        self.changed();
        Ok(usize::try_from(ready).unwrap_or(usize::MAX))
    }

    /// Deletes the queues that end with a connection.
    pub(crate) fn delete_owned(self: &Arc<Self>, actor: &Actor, effects: &mut Effects) {
        in_steps(&actor.take_owned(), |some| {
            for name in some {
                let queue = self.find_queue(name.as_str());
                let is_own = |q: &Arc<Queue>| q.attributes().owner == Some(actor.connection);
                if let Some(queue) = queue.filter(is_own) {
                    // Without a condition there is nothing to fail.
                    let _ = self.delete_queue(&queue, |_| Ok(()), effects);
                }
            }
        });
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
        let left = self.remove_exchange(&mut topology, &exchange, effects);
        drop(topology);
        self.remove_remains(left, effects);
        self.changed();
        Ok(())
    }

    /// Takes an exchange out of the host; its bindings are left to be removed.
    pub(in crate::vhost) fn remove_exchange(
        &self,
        topology: &mut MutexGuard<'_, Topology>,
        exchange: &Arc<Exchange>,
        effects: &mut Effects,
    ) -> ExchangeRemains {
        self.exchanges.remove(exchange.name());
        self.tell_bindings_gone(exchange, |_| true);
        let destination = Destination::Exchange(Arc::clone(exchange));
        let sources = topology.forget_all(&destination);
        self.tell_unbound(&destination, &sources);
        let name = exchange.name().clone();
        let bindings = exchange.take_bindings().map(Arc::new);
        self.forget_exchange(exchange, bindings.as_ref(), topology, effects);
        self.shared.timers.cancel(exchange);
        self.note(None, || EventKind::ExchangeDeleted { exchange: exchange.name().clone() });
        self.tell("exchange.deleted", |told| told.text("name", exchange.name().as_str()));
        self.shared.memory.add(-(exchange.drop_messages() as isize));
        ExchangeRemains { name, bindings, destination, sources }
    }

    /// All bindings to a destination that is gone are about to go.
    fn tell_unbound(&self, destination: &Destination, sources: &Sources) {
        for source in sources.keys().filter_map(|name| self.find_exchange(name.as_str())) {
            self.tell_bindings_gone(&source, |to| to == destination);
        }
    }

    /// Removes the bindings of an exchange that is gone: those that started from it, and those that
    /// led to it.
    pub(in crate::vhost) fn remove_remains(&self, left: ExchangeRemains, effects: &mut Effects) {
        let ExchangeRemains { name, bindings, destination, sources } = left;
        if let Some(bindings) = &bindings {
            let all: Vec<_> = bindings.bindings().collect();
            in_steps(&all, |some| {
                let mut topology = self.topology.lock();
                some.iter().for_each(|binding| topology.forget(binding.destination, &name, 1));
                if topology.is_leaving(bindings, &name) {
                    self.forget_bindings_from(name.as_str(), some, effects);
                }
            });
            self.topology.lock().has_left(bindings, &name);
            let forget = |effects: &mut _| {
                let (mut topology, name) = (self.topology.lock(), name.as_str());
                self.forget_remains(&mut topology, ResourceKind::Exchange, name, effects)
            };
            while forget(&mut *effects) {}
        }
        self.unbind_all(vec![(destination, sources)], effects);
    }

    /// Removes every binding to destinations that are gone, of which it is known where they come
    /// from. Auto-delete exchanges that lose their last binding go as well, and so on. Nothing is
    /// locked for longer than a step takes.
    fn unbind_all(&self, mut gone: Vec<(Destination, Sources)>, effects: &mut Effects) {
        while let Some((destination, sources)) = gone.pop() {
            for (name, count) in sources {
                let Some(source) = self.find_exchange(name.as_str()) else { continue };
                let unbind = || source.router.write().unbind_some(&destination);
                let is_bound = unbind() > 0;
                pause_if_long(count, || while unbind() > 0 {});
                if is_bound && let Some(left) = self.delete_if_unbound(&source, effects) {
                    gone.push((left.destination, left.sources));
                }
            }
        }
    }

    /// Deletes an auto-delete exchange that lost its last binding; what is left to be unbound.
    fn delete_if_unbound(
        &self,
        exchange: &Arc<Exchange>,
        effects: &mut Effects,
    ) -> Option<ExchangeRemains> {
        if !exchange.attributes().auto_delete {
            return None;
        }
        let mut topology = self.topology.lock();
        let known = self.find_exchange(exchange.name().as_str());
        let is_it = known.is_some_and(|known| Arc::ptr_eq(&known, exchange));
        (is_it && exchange.binding_count() == 0)
            .then(|| self.remove_exchange(&mut topology, exchange, effects))
    }

    /// An exchange has lost a binding.
    pub(in crate::vhost) fn note_unbound(&self, exchange: &Arc<Exchange>, effects: &mut Effects) {
        if let Some(left) = self.delete_if_unbound(exchange, effects) {
            self.remove_remains(left, effects);
        }
    }
}

/// Where bindings come from, and how many of them.
type Sources = HashMap<ExchangeName, usize>;

/// What is left of an exchange that is gone.
#[must_use]
pub(in crate::vhost) struct ExchangeRemains {
    name: ExchangeName,
    /// Those that started from it.
    bindings: Option<Arc<Router<Destination>>>,
    destination: Destination,
    /// Where those come from that led to it.
    sources: Sources,
}

/// Does something with all of them, some at a time. Others work meanwhile if they are many.
fn in_steps<T>(all: &[T], step: impl FnMut(&[T])) {
    pause_if_long(all.len(), || all.chunks(STEP).for_each(step));
}
