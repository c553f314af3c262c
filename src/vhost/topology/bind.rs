//! Binding queues and exchanges to exchanges `[amqp 0-9-1 queue.bind]` `[rabbitmq e2e]`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::access::Actor;
use crate::access::{Access, ResourceKind};
use crate::base::memory_alarm::{MemoryAlarm, Share};
use crate::base::names::ExchangeName;
use crate::error::{Error, Precondition, Result};
use crate::exchange::ExchangeType;
use crate::insight::journal::{EventKind, UsedBinding};
use crate::limits::BINDING_BYTES;
use crate::queue::effects::Effects;
use crate::vhost::flow::kept::Kept;
use crate::vhost::topology::declare::without_line_ends;
use crate::vhost::topology::exchange::Destination;
use crate::vhost::{Topology, VirtualHost};

/// What is asked of queue.bind, exchange.bind and their opposites.
#[derive(Clone, Debug)]
pub(crate) struct Bind<'a> {
    /// What the binding leads to.
    pub kind: ResourceKind,
    /// Name of the queue or exchange that the binding leads to.
    pub destination: &'a str,
    /// Exchange that the binding starts from.
    pub source: &'a str,
    /// Binding key.
    pub routing_key: &'a [u8],
    /// Arguments: they are part of the binding's identity.
    pub arguments: &'a FieldTable,
}

impl VirtualHost {
    /// What its messages and clients take of the memory.
    pub(crate) fn memory(&self) -> &Arc<MemoryAlarm> {
        &self.shared.memory
    }

    /// Consumers that one channel may have.
    pub(crate) fn consumers_per_channel_max(&self) -> usize {
        self.shared.consumers_per_channel_max
    }

    /// Binds. A binding that exists stays as it is. Errors: 403, 404, 405, 406.
    pub(crate) fn bind(
        self: &Arc<Self>,
        actor: &Actor,
        bind: &Bind<'_>,
        effects: &mut Effects,
    ) -> Result<()> {
        if let Some((target, recent)) = self.add_binding(actor, bind, effects)? {
            self.replay(&target, recent, effects);
        }
        Ok(())
    }

    /// Adds a binding. If there was none, tells what the source remembers and the destination did
    /// not get yet.
    pub(in crate::vhost) fn add_binding(
        &self,
        actor: &Actor,
        bind: &Bind<'_>,
        effects: &mut Effects,
    ) -> Result<Option<(Destination, Vec<Kept>)>> {
        let (source, destination) = self.check_bind(actor, bind)?;
        let _acting = self.acting(actor);
        let mut topology = self.topology.lock();
        self.check_open()?;
        let exchange = self.exchange(&source)?;
        let target = self.destination(bind.kind, &destination)?;
        check_owner(actor, &target)?;
        let history = exchange.extension.as_ref().and_then(|extension| extension.history());
        let mut router = exchange.router.write();
        let added = router
            .bind(target.clone(), bind.routing_key, bind.arguments)
            .map_err(Precondition::Binding)?;
        drop(router);
        if !added {
            return Ok(None);
        }
        self.record_binding(&exchange, &target, bind, effects)?;
        let arguments = (!bind.arguments.inner().is_empty()).then_some(bind.arguments);
        self.tell_binding("binding.created", &exchange, &target, bind.routing_key, arguments);
        self.note(None, || {
            EventKind::Bound(UsedBinding {
                source: exchange.name().clone(),
                destination: destination.clone(),
                binding_key: bind.routing_key.to_vec(),
            })
        });
        let recent = history.as_ref().and_then(|history| history.as_ref());
        let recent = recent.map_or_else(Vec::new, |recent| recent.iter().cloned().collect());
        drop(history);
        topology.remember(&target, exchange.name());
        self.changed();
        Ok(Some((target, recent)))
    }

    /// Unbinds. A binding that does not exist counts as removed, whoever owns the queue.
    /// Errors: 403, 405.
    pub(crate) fn unbind(
        self: &Arc<Self>,
        actor: &Actor,
        bind: &Bind<'_>,
        effects: &mut Effects,
    ) -> Result<()> {
        let (source, destination) = self.check_bind(actor, bind)?;
        let _acting = self.acting(actor);
        let mut topology = self.topology.lock();
        let Ok(exchange) = self.exchange(&source) else { return Ok(()) };
        let Ok(target) = self.destination(bind.kind, &destination) else { return Ok(()) };
        if !exchange.router.read().has(&target, bind.routing_key, bind.arguments) {
            return Ok(());
        }
        check_owner(actor, &target)?;
        // Still there: changes go one after the other, for as long as the topology is locked.
        exchange.router.write().unbind(&target, bind.routing_key, bind.arguments);
        topology.forget(&target, exchange.name(), 1);
        self.forget_binding(&exchange, &target, bind, effects);
        let arguments = (!bind.arguments.inner().is_empty()).then_some(bind.arguments);
        self.tell_binding("binding.deleted", &exchange, &target, bind.routing_key, arguments);
        drop(topology);
        self.note_unbound(&exchange, effects);
        self.changed();
        Ok(())
    }

    /// Checks names and permissions; returns the names of source and destination.
    fn check_bind(&self, actor: &Actor, bind: &Bind<'_>) -> Result<(String, String)> {
        let source = without_line_ends(bind.source);
        let destination = without_line_ends(bind.destination);
        actor.check(Access::Write, bind.kind, &destination)?;
        let to_default = bind.kind == ResourceKind::Exchange && destination.is_empty();
        if source.is_empty() || to_default {
            return Err(Error::DefaultExchange);
        }
        actor.check(Access::Read, ResourceKind::Exchange, &source)?;
        if let Some(exchange) = self.find_exchange(&source)
            && exchange.attributes().kind == ExchangeType::Topic
        {
            actor.check_topic(Access::Read, &source, bind.routing_key)?;
        }
        Ok((source, destination))
    }

    fn destination(&self, kind: ResourceKind, name: &str) -> Result<Destination> {
        Ok(match kind {
            ResourceKind::Queue => Destination::Queue(self.queue(name)?),
            ResourceKind::Exchange => Destination::Exchange(self.exchange(name)?),
        })
    }
}

/// An exclusive queue is bound by its owner alone. Errors: 405.
fn check_owner(actor: &Actor, target: &Destination) -> Result<()> {
    match target {
        Destination::Queue(queue) if !actor.is_trusted() => queue.check_owner(actor.connection),
        _ => Ok(()),
    }
}

impl Topology {
    /// Nothing, and what is bound later counts as memory.
    pub(in crate::vhost) fn new(memory: &Arc<MemoryAlarm>) -> Self {
        Self {
            sources: HashMap::new(),
            share: Share::new(memory, 0),
            remains: HashSet::new(),
            leaving: HashMap::new(),
        }
    }

    /// All bindings to a destination are gone: what they came from.
    pub(in crate::vhost) fn forget_all(
        &mut self,
        destination: &Destination,
    ) -> HashMap<ExchangeName, usize> {
        let sources = self.sources.remove(destination).unwrap_or_default();
        self.share.shrink(sources.values().sum::<usize>() * BINDING_BYTES);
        sources
    }

    /// Nothing is bound any more.
    pub(in crate::vhost) fn clear(&mut self) {
        self.sources.clear();
        self.share.set(0);
    }

    pub(in crate::vhost) fn remember(&mut self, destination: &Destination, source: &ExchangeName) {
        let sources = self.sources.entry(destination.clone()).or_default();
        *sources.entry(source.clone()).or_default() += 1;
        self.share.grow(BINDING_BYTES);
    }

    /// `count` bindings from `source` are gone.
    pub(in crate::vhost) fn forget(
        &mut self,
        destination: &Destination,
        source: &ExchangeName,
        count: usize,
    ) {
        let Some(sources) = self.sources.get_mut(destination) else { return };
        if let Some(left) = sources.get_mut(source) {
            self.share.shrink(count.min(*left) * BINDING_BYTES);
            *left = left.saturating_sub(count);
            if *left == 0 {
                sources.remove(source);
            }
        }
        if sources.is_empty() {
            self.sources.remove(destination);
        }
    }
}
