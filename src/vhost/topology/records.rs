//! Records of what is durable in a virtual host: each change of exchanges, queues, bindings and
//! policies is recorded while the topology is locked, so that records and virtual host agree.

use std::sync::Arc;

use leveret_storage::{Batch, DefinitionKind, Prefix};

use crate::access::ResourceKind;
use crate::base::ids::StoreId;
use crate::base::names::ExchangeName;
use crate::error::Result;
use crate::exchange::{Binding, Router};
use crate::limits::STEP;
use crate::message::stored::Gone;
use crate::persist::Persistence;
use crate::persist::records::{BindingRecord, ExchangeRecord, PolicyRecord, QueueRecord};
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::vhost::topology::bind::Bind;
use crate::vhost::topology::exchange::{Destination, Exchange, ExchangeAttributes};
use crate::vhost::topology::policy::Policy;
use crate::vhost::{Topology, VirtualHost};

impl VirtualHost {
    /// A number for a queue, or for an exchange that keeps messages; 0 without a store.
    pub(in crate::vhost) fn new_store_id(&self) -> Result<StoreId> {
        self.persistence().map_or(Ok(0), |store| store.new_id())
    }

    pub(in crate::vhost) fn record_queue(
        &self,
        queue: &Queue,
        effects: &mut Effects,
    ) -> Result<()> {
        let Some(store) = self.persistence().filter(|_| queue.is_recorded()) else { return Ok(()) };
        let attributes = queue.attributes();
        let record = QueueRecord {
            id: queue.storage().id,
            auto_delete: attributes.auto_delete,
            arguments: attributes.table.clone(),
        };
        let mut batch = Batch::new();
        let key = QueueRecord::key(self.name.as_str(), queue.name().as_str());
        batch.put(key, record.encode());
        effects.must_sync = true;
        store.commit(batch)
    }

    /// Forgets a queue, its bindings and what was counted for it. Of many bindings some are left,
    /// which count for nothing without the queue: `topology` notes that they are to be
    /// [forgotten](Self::forget_remains), and the next start does so if that is cut off.
    pub(in crate::vhost) fn forget_queue(
        &self,
        queue: &Queue,
        topology: &mut Topology,
        effects: &mut Effects,
    ) {
        let Some(store) = self.persistence().filter(|_| queue.is_recorded()) else { return };
        let mut batch = Batch::new();
        batch.delete(QueueRecord::key(self.name.as_str(), queue.name().as_str()));
        let name = queue.name().as_str();
        if self.forget_bindings_to(store, ResourceKind::Queue, name, &mut batch) {
            topology.remains.insert((ResourceKind::Queue, name.to_owned()));
        }
        store.note_deleted(queue.storage().id, &mut batch);
        effects.must_sync = true;
        forget(store, batch);
    }

    /// Forgets some of the bindings that are left to a queue or an exchange; tells whether there
    /// may be more, and they can be forgotten. Whoever declares one of this name has to see to all
    /// of them before.
    pub(in crate::vhost) fn forget_remains(
        &self,
        topology: &mut Topology,
        kind: ResourceKind,
        name: &str,
        effects: &mut Effects,
    ) -> bool {
        let has_remains = topology.has_remains(kind, name);
        let Some(store) = self.persistence().filter(|_| has_remains) else { return false };
        let mut batch = Batch::new();
        let more = self.forget_bindings_to(store, kind, name, &mut batch);
        if !more {
            topology.remains.remove(&(kind, name.to_owned()));
        }
        effects.must_sync = true;
        // What could not be forgotten is not tried again and again.
        forget(store, batch) && more
    }

    /// Records an exchange, once nothing is left of an earlier one of its name.
    pub(in crate::vhost) fn record_exchange(
        &self,
        topology: &mut Topology,
        name: &str,
        attributes: &ExchangeAttributes,
        id: StoreId,
        effects: &mut Effects,
    ) -> Result<()> {
        let Some(store) = self.persistence().filter(|_| attributes.durable) else { return Ok(()) };
        let record = ExchangeRecord {
            id,
            kind: attributes.kind.as_str().to_owned(),
            auto_delete: attributes.auto_delete,
            internal: attributes.internal,
            arguments: attributes.table.clone(),
            declared_by: attributes.declared_by.to_string(),
        };
        let mut batch = Batch::new();
        batch.put(ExchangeRecord::key(self.name.as_str(), name), record.encode());
        effects.must_sync = true;
        while self.forget_remains(topology, ResourceKind::Exchange, name, effects) {}
        if let Some(bindings) = topology.leaving.remove(name) {
            self.forget_bindings_from(name, &bindings.bindings().collect::<Vec<_>>(), effects);
        }
        store.commit(batch)
    }

    /// Forgets an exchange with its bindings, those that start from it too, and the messages that
    /// it keeps. Of many bindings some are left, as [of a queue](Self::forget_queue).
    pub(in crate::vhost) fn forget_exchange(
        &self,
        exchange: &Exchange,
        bindings: Option<&Arc<Router<Destination>>>,
        topology: &mut Topology,
        effects: &mut Effects,
    ) {
        let durable = exchange.attributes().durable;
        let Some(store) = self.persistence().filter(|_| durable) else { return };
        let mut batch = Batch::new();
        batch.delete(ExchangeRecord::key(self.name.as_str(), exchange.name().as_str()));
        let name = exchange.name();
        if self.forget_bindings_to(store, ResourceKind::Exchange, name.as_str(), &mut batch) {
            topology.remains.insert((ResourceKind::Exchange, name.to_string()));
        }
        if let Some(bindings) = bindings.filter(|bindings| !bindings.is_empty()) {
            topology.leaving.insert(name.clone(), Arc::clone(bindings));
        }
        if exchange.store_id != 0 {
            store.note_deleted(exchange.store_id, &mut batch);
            effects.gone.push(Gone { queue: exchange.store_id, first: 0, last: u64::MAX });
        }
        effects.must_sync = true;
        forget(store, batch);
    }

    /// Forgets some bindings to a queue or an exchange; tells whether there may be more.
    fn forget_bindings_to(
        &self,
        store: &Persistence,
        kind: ResourceKind,
        name: &str,
        batch: &mut Batch,
    ) -> bool {
        let to_queue = kind == ResourceKind::Queue;
        let parts = BindingRecord::to(self.name.as_str(), to_queue, name);
        let prefix = Prefix::definitions_in(DefinitionKind::Binding, parts);
        let keys = store.first_keys(prefix, STEP).unwrap_or_default();
        let more = keys.len() == STEP;
        keys.into_iter().for_each(|key| batch.delete(key));
        more
    }

    /// Forgets these bindings of a durable exchange that is gone.
    pub(in crate::vhost) fn forget_bindings_from(
        &self,
        source: &str,
        bindings: &[Binding<'_, Destination>],
        effects: &mut Effects,
    ) {
        let Some(store) = self.persistence() else { return };
        let mut batch = Batch::new();
        for binding in bindings {
            let arguments = binding.arguments.cloned().unwrap_or_default();
            let (to, key) = (binding.destination, binding.binding_key);
            if let Some(record) = binding_record(source, to, key, arguments) {
                batch.delete(record.key(self.name.as_str()));
            }
        }
        effects.must_sync = true;
        forget(store, batch);
    }

    pub(in crate::vhost) fn record_binding(
        &self,
        source: &Exchange,
        target: &Destination,
        bind: &Bind<'_>,
        effects: &mut Effects,
    ) -> Result<()> {
        let durable = source.attributes().durable;
        let Some(store) = self.persistence().filter(|_| durable) else { return Ok(()) };
        let (name, arguments) = (source.name().as_str(), bind.arguments.clone());
        let record = binding_record(name, target, bind.routing_key, arguments);
        let Some(record) = record else { return Ok(()) };
        let mut batch = Batch::new();
        batch.put(record.key(self.name.as_str()), Vec::new());
        effects.must_sync = true;
        store.commit(batch)
    }

    pub(in crate::vhost) fn forget_binding(
        &self,
        source: &Exchange,
        target: &Destination,
        bind: &Bind<'_>,
        effects: &mut Effects,
    ) {
        let durable = source.attributes().durable;
        let Some(store) = self.persistence().filter(|_| durable) else { return };
        let (name, arguments) = (source.name().as_str(), bind.arguments.clone());
        let record = binding_record(name, target, bind.routing_key, arguments);
        let Some(record) = record else { return };
        let mut batch = Batch::new();
        batch.delete(record.key(self.name.as_str()));
        effects.must_sync = true;
        forget(store, batch);
    }

    pub(in crate::vhost) fn record_policy(
        &self,
        is_operator: bool,
        name: &str,
        policy: Option<&Policy>,
    ) {
        let Some(store) = self.persistence() else { return };
        let key = PolicyRecord::key(self.name.as_str(), is_operator, name);
        let mut batch = Batch::new();
        match policy {
            None => batch.delete(key),
            Some(policy) => {
                let record = PolicyRecord {
                    priority: policy.priority,
                    apply_to: policy.apply_to.as_str().to_owned(),
                    pattern: policy.pattern.clone(),
                    definition: policy.definition.clone(),
                };
                batch.put(key, record.encode());
            }
        }
        forget(store, batch);
        store.sync_soon();
    }
}

impl Topology {
    /// Whether there are records of bindings to one that was deleted.
    pub(in crate::vhost) fn has_remains(&self, kind: ResourceKind, name: &str) -> bool {
        self.remains.contains(&(kind, name.to_owned()))
    }

    /// Whether there still may be records of these bindings of an exchange that was deleted.
    pub(in crate::vhost) fn is_leaving(
        &self,
        bindings: &Arc<Router<Destination>>,
        name: &ExchangeName,
    ) -> bool {
        self.leaving.get(name).is_some_and(|leaving| Arc::ptr_eq(leaving, bindings))
    }

    /// There are no more.
    pub(in crate::vhost) fn has_left(
        &mut self,
        bindings: &Arc<Router<Destination>>,
        name: &ExchangeName,
    ) {
        if self.is_leaving(bindings, name) {
            self.leaving.remove(name);
        }
    }
}

/// The record of a binding of a durable exchange; `None` if it does not survive a restart, because
/// its destination does not.
fn binding_record(
    source: &str,
    destination: &Destination,
    binding_key: &[u8],
    arguments: amq_protocol::types::FieldTable,
) -> Option<BindingRecord> {
    let (to_queue, durable, name) = match destination {
        Destination::Queue(queue) => (true, queue.is_recorded(), queue.name().to_string()),
        Destination::Exchange(exchange) => {
            (false, exchange.attributes().durable, exchange.name().to_string())
        }
    };
    durable.then(|| BindingRecord {
        to_queue,
        destination: name,
        source: source.to_owned(),
        binding_key: binding_key.to_vec(),
        arguments,
    })
}

/// Commits deletions. What is deleted is deleted, even if the disk fails; then it is there again
/// after a restart, as the log says.
fn forget(store: &Arc<Persistence>, batch: Batch) -> bool {
    store.commit(batch).is_ok()
}
