//! Records of what is durable in a virtual host: each change of exchanges, queues, bindings and
//! policies is recorded while the topology is locked, so that records and virtual host agree.

use std::sync::Arc;

use leveret_storage::{Batch, DefinitionKind, Prefix};

use crate::base::ids::StoreId;
use crate::base::names::QueueName;
use crate::error::Result;
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
        if self.forget_bindings_to(store, true, queue.name().as_str(), STEP, &mut batch) {
            topology.remains.insert(queue.name().clone());
        }
        store.note_deleted(queue.storage().id, &mut batch);
        effects.must_sync = true;
        forget(store, batch);
    }

    /// Forgets some of the bindings that are left of a queue; tells whether there may be more.
    /// Whoever declares a queue of this name has to see to all of them before.
    pub(in crate::vhost) fn forget_remains(
        &self,
        topology: &mut Topology,
        name: &QueueName,
        effects: &mut Effects,
    ) -> bool {
        let Some(store) = self.persistence().filter(|_| topology.remains.contains(name)) else {
            return false;
        };
        let mut batch = Batch::new();
        let more = self.forget_bindings_to(store, true, name.as_str(), STEP, &mut batch);
        if !more {
            topology.remains.remove(name);
        }
        effects.must_sync = true;
        forget(store, batch);
        more
    }

    pub(in crate::vhost) fn record_exchange(
        &self,
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
        store.commit(batch)
    }

    /// Forgets an exchange with its bindings, those that start from it too, and the messages that
    /// it keeps.
    pub(in crate::vhost) fn forget_exchange(&self, exchange: &Exchange, effects: &mut Effects) {
        let durable = exchange.attributes().durable;
        let Some(store) = self.persistence().filter(|_| durable) else { return };
        let mut batch = Batch::new();
        batch.delete(ExchangeRecord::key(self.name.as_str(), exchange.name().as_str()));
        self.forget_bindings_to(store, false, exchange.name().as_str(), usize::MAX, &mut batch);
        for binding in exchange.router.read().bindings() {
            let arguments = binding.arguments.cloned().unwrap_or_default();
            let record =
                binding_record(exchange, binding.destination, binding.binding_key, arguments);
            if let Some(record) = record {
                batch.delete(record.key(self.name.as_str()));
            }
        }
        if exchange.store_id != 0 {
            store.note_deleted(exchange.store_id, &mut batch);
            effects.gone.push(Gone { queue: exchange.store_id, first: 0, last: u64::MAX });
        }
        effects.must_sync = true;
        forget(store, batch);
    }

    /// Forgets up to `max` bindings; tells whether there may be more.
    fn forget_bindings_to(
        &self,
        store: &Persistence,
        to_queue: bool,
        name: &str,
        max: usize,
        batch: &mut Batch,
    ) -> bool {
        let parts = BindingRecord::to(self.name.as_str(), to_queue, name);
        let prefix = Prefix::definitions_in(DefinitionKind::Binding, parts);
        let keys = store.first_keys(prefix, max).unwrap_or_default();
        let more = keys.len() == max;
        keys.into_iter().for_each(|key| batch.delete(key));
        more
    }

    pub(in crate::vhost) fn record_binding(
        &self,
        source: &Exchange,
        target: &Destination,
        bind: &Bind<'_>,
        effects: &mut Effects,
    ) -> Result<()> {
        let Some(store) = self.persistence() else { return Ok(()) };
        let record = binding_record(source, target, bind.routing_key, bind.arguments.clone());
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
        let Some(store) = self.persistence() else { return };
        let record = binding_record(source, target, bind.routing_key, bind.arguments.clone());
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

/// The record of a binding; `None` if it does not survive a restart, because one of its ends does
/// not.
fn binding_record(
    source: &Exchange,
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
    (durable && source.attributes().durable).then(|| BindingRecord {
        to_queue,
        destination: name,
        source: source.name().to_string(),
        binding_key: binding_key.to_vec(),
        arguments,
    })
}

/// Commits deletions. What is deleted is deleted, even if the disk fails; then it is there again
/// after a restart, as the log says.
fn forget(store: &Arc<Persistence>, batch: Batch) {
    let _ = store.commit(batch);
}
