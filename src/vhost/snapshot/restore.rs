//! Making a virtual host what it was.
//!
//! It changes no more than has to be: an exchange or a queue that is declared as it was stays the
//! same one, with its consumers, and only what it holds is replaced.

use std::sync::Arc;

use super::{Bindings, ExchangeSnapshot, HostSnapshot, QueueSnapshot};
use crate::access::Actor;
use crate::access::ResourceKind;
use crate::base::names::{ExchangeName, QueueName};
use crate::error::{Precondition, Result};
use crate::persist::records::BindingRecord;
use crate::queue::effects::Effects;
use crate::queue::{Contents, Queue};
use crate::time::clock::Timestamp;
use crate::vhost::flow::extension::KeptThings;
use crate::vhost::topology::bind::Bind;
use crate::vhost::topology::declaration::{ExchangeDeclare, QueueDeclare};
use crate::vhost::topology::exchange::{Destination, Exchange};
use crate::vhost::topology::policy::Policy;
use crate::vhost::{PREDECLARED, VirtualHost};

/// The queues of a virtual host that hold what they held, and whether they stay held.
pub(crate) struct Restored {
    host: Arc<VirtualHost>,
    queues: Vec<(Arc<Queue>, bool)>,
}

impl VirtualHost {
    /// Policies, exchanges, queues and bindings are as they were, and no others. Queues that were
    /// exclusive are there only if they still are. Errors: 541 if the disk fails, and what the
    /// linter denies.
    pub(crate) fn restore_definitions(
        self: &Arc<Self>,
        actor: &Actor,
        snapshot: &HostSnapshot,
    ) -> Result<()> {
        let mut effects = Effects::new();
        let result = self.make_definitions(actor, snapshot, &mut effects);
        self.run(&mut effects);
        result
    }

    fn make_definitions(
        self: &Arc<Self>,
        actor: &Actor,
        snapshot: &HostSnapshot,
        effects: &mut Effects,
    ) -> Result<()> {
        self.restore_policies(&snapshot.policies)?;
        self.remove_what_is_not_in(snapshot, effects);
        for (name, exchange) in &snapshot.exchanges {
            if self.find_exchange(name.as_str()).is_none() {
                self.exchange_declare(actor, &exchange.declare(name), effects)?;
            }
        }
        for (name, queue) in &snapshot.queues {
            if self.find_queue(name.as_str()).is_none() && queue.attributes.owner.is_none() {
                let declare = queue.declare(name);
                self.create_queue(actor, name.clone(), false, &declare, effects)?;
            }
        }
        self.restore_bindings(actor, &snapshot.bindings, effects)
    }

    fn restore_policies(self: &Arc<Self>, wanted: &[(bool, String, Policy)]) -> Result<()> {
        let present = self.policies.read().list();
        for (is_operator, name, _) in present.iter().filter(|policy| !wanted.contains(policy)) {
            if *is_operator {
                self.remove_operator_policy(name);
            } else {
                self.remove_policy(name);
            }
        }
        for (is_operator, name, policy) in wanted.iter().filter(|wanted| !present.contains(wanted))
        {
            let set = if *is_operator {
                self.set_operator_policy(name, policy.clone())
            } else {
                self.set_policy(name, policy.clone())
            };
            set.map_err(|error| Precondition::Snapshot(error.to_string()))?;
        }
        Ok(())
    }

    fn remove_what_is_not_in(self: &Arc<Self>, snapshot: &HostSnapshot, effects: &mut Effects) {
        for queue in self.queues().iter().filter(|queue| !snapshot.has_queue(queue)) {
            // Without a condition there is nothing to fail.
            let _ = self.delete_queue(queue, |_| Ok(()), effects);
        }
        let is_own = |exchange: &Exchange| {
            PREDECLARED.iter().any(|(name, _)| *name == exchange.name().as_str())
        };
        for exchange in &self.exchanges() {
            if !is_own(exchange) && !snapshot.has_exchange(exchange) {
                let mut topology = self.topology.lock();
                let left = self.remove_exchange(&mut topology, exchange, effects);
                drop(topology);
                self.remove_remains(left, effects);
            }
        }
        self.changed();
    }

    /// Adds bindings that are missing, then removes those that are too many: an exchange that goes
    /// with its last binding stays.
    fn restore_bindings(
        self: &Arc<Self>,
        actor: &Actor,
        wanted: &Bindings,
        effects: &mut Effects,
    ) -> Result<()> {
        let present = self.all_bindings();
        let missing = wanted.iter().filter(|(key, _)| !present.contains_key(*key));
        for (_, record) in missing {
            // Not to an exclusive queue that is gone.
            if !record.to_queue || self.find_queue(&record.destination).is_some() {
                // What the source remembers is no news: queues get what they held.
                self.add_binding(actor, &bind(record), effects)?;
            }
        }
        let surplus = present.iter().filter(|(key, _)| !wanted.contains_key(*key));
        for (_, record) in surplus {
            self.take_apart(record, effects);
        }
        Ok(())
    }

    /// Removes a binding and nothing else.
    fn take_apart(&self, record: &BindingRecord, effects: &mut Effects) {
        let mut topology = self.topology.lock();
        let destination = if record.to_queue {
            self.find_queue(&record.destination).map(Destination::Queue)
        } else {
            self.find_exchange(&record.destination).map(Destination::Exchange)
        };
        let (Some(source), Some(destination)) = (self.find_exchange(&record.source), destination)
        else {
            return;
        };
        let bind = bind(record);
        if source.router.write().unbind(&destination, bind.routing_key, bind.arguments) {
            topology.forget(&destination, source.name(), 1);
            self.forget_binding(&source, &destination, &bind, effects);
            self.changed();
        }
    }

    /// Queues and exchanges hold what they held; what has a time to live has as much left as it
    /// had at `taken_at`. The queues give nothing out before they are [let go](Restored::let_go).
    pub(crate) fn restore_contents(
        self: &Arc<Self>,
        snapshot: &HostSnapshot,
        taken_at: Timestamp,
    ) -> Restored {
        let (now, effects) = (self.now(), &mut Effects::new());
        let restored: Vec<_> = snapshot
            .queues
            .iter()
            .filter_map(|(name, wanted)| Some((self.find_queue(name.as_str())?, wanted)))
            .collect();
        restored.iter().for_each(|(queue, _)| queue.set_held(true, now, effects));
        for (name, exchange) in &snapshot.exchanges {
            let found = self.find_exchange(name.as_str());
            if let (Some(found), Some(kept)) = (found, &exchange.kept) {
                self.restore_kept(&found, kept.clone(), taken_at, effects);
            }
        }
        for (queue, wanted) in &restored {
            if let (Some(stream), Some(log)) = (queue.stream(), &wanted.log) {
                if let Err(error) = stream.log().restore(log) {
                    tracing::error!("{} is not as it was: {error}", queue.resource());
                }
                effects.note_read(queue);
                continue;
            }
            let contents = self.renewed(queue, wanted.contents.clone(), taken_at);
            queue.replace(contents, now, effects);
        }
        self.run(effects);
        let queues = restored.into_iter().map(|(queue, wanted)| (queue, wanted.is_held));
        Restored { host: Arc::clone(self), queues: queues.collect() }
    }

    /// Gives messages new sequences and deadlines, and stores those that have to be.
    fn renewed(&self, queue: &Queue, mut contents: Contents, taken_at: Timestamp) -> Contents {
        let now = self.now();
        let Contents { returned, messages, discards, .. } = &mut contents;
        let mut sequence = queue.reserve(returned.len() + messages.len() + discards.len());
        let mut to_store = Vec::new();
        for entry in returned.iter_mut().chain(messages) {
            entry.sequence = sequence;
            entry.expires_at = entry.expires_at.moved(taken_at, now);
            entry.stored = queue.must_store(&entry.message);
            if entry.stored {
                to_store.push((sequence, entry.message.clone(), entry.expires_at));
            }
            sequence += 1;
        }
        for letter in discards {
            letter.stored = queue.must_store(&letter.message).then_some(sequence);
            if letter.stored.is_some() {
                to_store.push((sequence, letter.message.clone(), Timestamp::NEVER));
            }
            sequence += 1;
        }
        if let Some(store) = self.persistence().filter(|_| !to_store.is_empty()) {
            store.put(queue.storage().id, &to_store, &[], false);
        }
        contents
    }

    fn restore_kept(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        mut kept: KeptThings,
        taken_at: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(extension) = &exchange.extension else { return };
        let now = self.now();
        kept.duplicates.iter_mut().for_each(|(_, until)| *until = until.moved(taken_at, now));
        for (due, message) in &mut kept.delayed {
            *due = due.moved(taken_at, now);
            if let Some(delays) = extension.delays().filter(|_| exchange.store_id != 0) {
                let number = delays.next_number();
                let keys = message.other_keys();
                self.store_delayed(exchange, number, message.message(), *due, keys);
                message.set_stored(number);
            }
        }
        let (grown, gone) = extension.replace(kept);
        effects.footprint += grown;
        gone.into_iter().for_each(|number| effects.note_gone(exchange.store_id, number));
        if let Some(deadline) = extension.delays().and_then(|delays| delays.new_deadline()) {
            self.shared.timers.schedule(deadline, self, exchange);
        }
    }
}

impl Restored {
    /// Consumers get what is in the queues, unless these were held.
    pub(crate) fn let_go(self) {
        let (now, effects) = (self.host.now(), &mut Effects::new());
        for (queue, is_held) in self.queues {
            queue.set_held(is_held, now, effects);
        }
        self.host.run(effects);
    }
}

impl ExchangeSnapshot {
    fn declare(&self, name: &ExchangeName) -> ExchangeDeclare {
        ExchangeDeclare {
            exchange: name.to_string(),
            kind: self.attributes.kind.as_str().to_owned(),
            passive: false,
            durable: self.attributes.durable,
            auto_delete: self.attributes.auto_delete,
            internal: self.attributes.internal,
            arguments: self.attributes.table.clone(),
        }
    }
}

impl QueueSnapshot {
    fn declare(&self, name: &QueueName) -> QueueDeclare {
        QueueDeclare {
            queue: name.to_string(),
            passive: false,
            durable: self.attributes.durable,
            exclusive: false,
            auto_delete: self.attributes.auto_delete,
            arguments: self.attributes.table.clone(),
        }
    }
}

fn bind(record: &BindingRecord) -> Bind<'_> {
    Bind {
        kind: if record.to_queue { ResourceKind::Queue } else { ResourceKind::Exchange },
        destination: &record.destination,
        source: &record.source,
        routing_key: &record.binding_key,
        arguments: &record.arguments,
    }
}
