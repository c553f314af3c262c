//! A virtual host as it was before a restart.

use std::sync::Arc;

use leveret_storage::Target;

use crate::base::argument;
use crate::base::field_value::{get, string};
use crate::base::names::{ExchangeName, QueueName};
use crate::error::{Error, ExchangeArgumentError};
use crate::exchange::{ExchangeType, Router};
use crate::message::Message;
use crate::message::stored::Gone;
use crate::persist::messages::Decoded;
use crate::persist::records::{BindingRecord, ExchangeRecord, PolicyRecord, QueueRecord};
use crate::persist::recovery::QueueContents;
use crate::persist::{Moved, Staged, nothing};
use crate::queue::effects::Effects;
use crate::queue::stream::StreamQueue;
use crate::queue::{Queue, QueueArguments, QueueAttributes, QueueStorage};
use crate::vhost::flow::extension::Extension;
use crate::vhost::flow::kept::Kept;
use crate::vhost::topology::exchange::{Destination, ExchangeAttributes};
use crate::vhost::topology::policy::{ApplyTo, Policy};
use crate::vhost::{Origin, VirtualHost};

impl VirtualHost {
    /// A policy of an earlier life.
    ///
    /// # Errors
    /// Why this version does not take it.
    pub(crate) fn restore_policy(
        &self,
        is_operator: bool,
        name: &str,
        record: PolicyRecord,
    ) -> Result<(), String> {
        let PolicyRecord { priority, apply_to, pattern, definition } = record;
        let apply_to = ApplyTo::from_name(&apply_to).ok_or("it applies to nothing known")?;
        let policy = Policy { pattern, apply_to, priority, definition };
        self.insert_policy(is_operator, name, &policy).map_err(|error| error.to_string())
    }

    /// The policies are there: they apply to exchanges that are always there as well.
    pub(crate) fn apply_restored_policies(&self) {
        let _topology = self.topology.lock();
        self.exchanges().iter().for_each(|exchange| self.apply_policies_to_exchange(exchange));
    }

    /// An exchange of an earlier life, without its bindings.
    ///
    /// # Errors
    /// Why this version does not take it.
    pub(crate) fn restore_exchange(
        &self,
        name: &str,
        record: ExchangeRecord,
    ) -> Result<(), String> {
        let kind = ExchangeType::from_name(&record.kind).ok_or("its type is not known")?;
        let refused = |error: ExchangeArgumentError| error.to_string();
        let router = Router::new(kind, &record.arguments).map_err(refused)?;
        let extension = Extension::new(kind, router.kind(), &record.arguments).map_err(refused)?;
        let alternate = get(&record.arguments, argument::ALTERNATE_EXCHANGE).and_then(string);
        let attributes = ExchangeAttributes {
            kind,
            durable: true,
            auto_delete: record.auto_delete,
            internal: record.internal,
            alternate: alternate.map(ExchangeName::from),
            declared_by: record.declared_by.as_str().into(),
            table: record.arguments,
        };
        self.insert_exchange(name.into(), attributes, router, extension, record.id);
        Ok(())
    }

    /// A queue of an earlier life, with its messages: the first ones are in memory when this
    /// returns. What has expired meanwhile is left in `effects`, until there is everything that it
    /// may go to.
    ///
    /// # Errors
    /// Why this version does not take it.
    pub(crate) fn restore_queue(
        self: &Arc<Self>,
        name: &str,
        record: QueueRecord,
        contents: &QueueContents,
        effects: &mut Effects,
    ) -> Result<(), String> {
        let name = QueueName::from(name);
        let arguments =
            QueueArguments::parse(&record.arguments).map_err(|error| error.explain("it"))?;
        let attributes = QueueAttributes {
            durable: true,
            auto_delete: record.auto_delete,
            owner: None,
            table: record.arguments,
            arguments,
        };
        let storage = QueueStorage {
            id: record.id,
            memory_bytes_max: self.shared.queue_memory_bytes_max,
            consumer_timeout_ms: Some(self.shared.consumer_timeout_ms),
            next_sequence: contents.next_sequence,
        };
        let queue = Queue::new(name.clone(), self.name.clone(), attributes, storage, self.now());
        let queue = self.with_log(queue).map_err(|error| error.to_string())?;
        let queue = queue.with_journal(self.shared.journal.clone()).with_tap(self.tap.clone());
        let queue = queue.with_herald(&self.shared.herald);
        let queue = Arc::new(queue);
        queue.recover(&contents.found, contents, effects);
        let topology = self.topology.lock();
        self.queues.insert(name, Arc::clone(&queue));
        queue.count_as_memory(self.memory());
        self.watch_log(&queue);
        // First of all, since they may say where dead letters go.
        self.apply_policies_to_new_queue(&queue, effects);
        drop(topology);
        if let Some(stream) = queue.stream() {
            let restored = self.restore_staged(&queue, stream, &contents.staged, effects);
            if let Err(error) = restored {
                self.shared.streams.note_failure(stream.log().id(), &error);
            }
            // Something may have become too old meanwhile.
            effects.note_read(&queue);
            return Ok(());
        }
        self.page_in(&queue, effects);
        if queue.keeps_keys() {
            // Whether a message is a duplicate is told by those that are there.
            while self.page_in(&queue, effects) {}
        }
        Ok(())
    }

    /// The messages that were on their way to a stream. Those are there whose offsets it has given
    /// to what it kept; the others come now, before anything else, in their order.
    fn restore_staged(
        &self,
        queue: &Arc<Queue>,
        stream: &StreamQueue,
        staged: &[Staged],
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let (id, next_offset) = (queue.storage().id, stream.log().next_offset());
        let queues = [Arc::clone(queue)];
        for &Staged { offset, sequence } in staged {
            if offset < next_offset {
                effects.note_gone(id, sequence);
                continue;
            }
            self.read_stored(id, &[sequence], |_, stored| {
                let Some(Decoded { message, .. }) = stored else { return };
                let (now, left) = (self.now(), [Gone::one(id, sequence)]);
                let (moved, origin, nobody) =
                    (Moved::from(&left[..]), Origin::Broker, |_, _, _| {});
                let messages = &mut vec![message];
                self.enqueue_from(now, &moved, origin, &queues, messages, effects, nothing, nobody);
            })?;
        }
        Ok(())
    }

    /// A binding of an earlier life.
    ///
    /// # Errors
    /// Why it is left out.
    pub(crate) fn restore_binding(&self, record: &BindingRecord) -> Result<(), String> {
        let exchange = self.exchange(&record.source).map_err(|error| error.to_string())?;
        let target = if record.to_queue {
            self.queue(&record.destination).map(Destination::Queue)
        } else {
            self.exchange(&record.destination).map(Destination::Exchange)
        };
        let target = target.map_err(|error| error.to_string())?;
        let mut topology = self.topology.lock();
        let mut router = exchange.router.write();
        let added = router
            .bind(target.clone(), &record.binding_key, &record.arguments)
            .map_err(|error| error.to_string())?;
        drop(router);
        if added {
            topology.remember(&target, exchange.name());
            self.changed();
        }
        Ok(())
    }

    /// The messages that an exchange has kept over the restart. Those that are due are sent.
    ///
    /// # Errors
    /// If it does not keep messages, or the store cannot be read.
    pub(crate) fn restore_delayed(
        self: &Arc<Self>,
        name: &str,
        contents: &QueueContents,
    ) -> Result<(), String> {
        let exchange = self.exchange(name).map_err(|error| error.to_string())?;
        let delays = exchange.delays().ok_or("it keeps no messages")?;
        delays.continue_from(contents.next_sequence);
        let sequences: Vec<u64> = contents.found.iter().map(|found| found.sequence).collect();
        let read = self.read_stored(exchange.store_id, &sequences, |sequence, stored| {
            let Some(stored) = stored else { return };
            let kept = Kept::stored(stored.message, stored.routing_keys, sequence);
            self.shared.memory.add(kept.footprint() as isize);
            if let (_, Some(deadline)) = delays.push(stored.deadline, kept) {
                self.shared.timers.schedule(deadline, self, &exchange);
            }
        });
        read.map_err(|error| error.to_string())
    }

    /// Remembers over a stop in order what is to be known of the messages of durable queues. The
    /// connections are closed by now.
    pub(crate) fn remember_histories(&self) {
        let Some(store) = self.persistence() else { return };
        for queue in self.queues().iter().filter(|queue| queue.is_recorded()) {
            let redelivered: Vec<u64> =
                queue.histories().into_iter().map(|(sequence, _)| sequence).collect();
            let id = queue.storage().id;
            // The error is in the log already.
            if !redelivered.is_empty() && store.put_redelivered(id, &redelivered).is_err() {
                return;
            }
        }
    }

    /// Stores a message that an exchange keeps, and tells its number.
    pub(in crate::vhost) fn store_delayed(
        &self,
        exchange: &crate::vhost::Exchange,
        sequence: u64,
        message: &Message,
        due: crate::time::clock::Timestamp,
        routing_keys: Option<&[Vec<u8>]>,
    ) {
        if let Some(store) = self.persistence() {
            let target = Target { queue: exchange.store_id, sequence };
            store.store_delayed(target, message, due, routing_keys);
        }
    }
}
