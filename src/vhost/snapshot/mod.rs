//! A virtual host at one moment; [`restore`] makes it so again.

mod restore;

pub(crate) use self::restore::Restored;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use leveret_storage::{Key, StreamImage};

use crate::base::names::{ExchangeName, QueueName};
use crate::error::{Error, Result};
use crate::persist::messages::Decoded;
use crate::persist::records::BindingRecord;
use crate::queue::fifo::entry::Entry;
use crate::queue::{Contents, Queue, QueueAttributes};
use crate::vhost::VirtualHost;
use crate::vhost::flow::extension::KeptThings;
use crate::vhost::topology::exchange::{Destination, Exchange, ExchangeAttributes};
use crate::vhost::topology::policy::Policy;

/// A virtual host at one moment.
#[derive(Clone, Default)]
pub(crate) struct HostSnapshot {
    /// Policies: whether it is an operator policy, and its name.
    policies: Vec<(bool, String, Policy)>,
    exchanges: BTreeMap<ExchangeName, ExchangeSnapshot>,
    queues: BTreeMap<QueueName, QueueSnapshot>,
    bindings: Bindings,
}

/// Bindings by what makes them different.
type Bindings = HashMap<Key, BindingRecord>;

#[derive(Clone)]
struct ExchangeSnapshot {
    attributes: ExchangeAttributes,
    kept: Option<KeptThings>,
}

#[derive(Clone)]
struct QueueSnapshot {
    attributes: QueueAttributes,
    is_held: bool,
    contents: Contents,
    /// What the log of a stream holds.
    log: Option<Arc<StreamImage>>,
}

impl HostSnapshot {
    /// Messages in queues, and kept by exchanges until they are due.
    pub(crate) fn message_count(&self) -> usize {
        let delayed = |exchange: &ExchangeSnapshot| {
            exchange.kept.as_ref().map_or(0, |kept| kept.delayed.len())
        };
        let log = |queue: &QueueSnapshot| queue.log.as_ref().map_or(0, |log| log.messages());
        let in_logs = usize::try_from(self.queues.values().map(log).sum::<u64>());
        let contents = self.queues.values().map(|queue| &queue.contents);
        contents
            .map(|found| found.returned.len() + found.messages.len())
            .sum::<usize>()
            .saturating_add(in_logs.unwrap_or(usize::MAX))
            + self.exchanges.values().map(delayed).sum::<usize>()
    }

    /// Queues.
    pub(crate) fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// The same without exchanges, queues, bindings: nothing but policies.
    pub(crate) fn policies_of(host: &VirtualHost) -> Self {
        Self { policies: host.policies.read().list(), ..Self::default() }
    }

    /// The same without queues whose owners are connections of another broker.
    pub(crate) fn without_exclusive_queues(mut self) -> Self {
        self.queues.retain(|_, queue| queue.attributes.owner.is_none());
        self
    }

    /// Whether the queue is declared as it was, and can hold what it held. A stream cannot, since
    /// nothing is taken from it: another one takes its place.
    fn has_queue(&self, queue: &Queue) -> bool {
        !queue.kind().is_stream
            && self.queues.get(queue.name()).is_some_and(|wanted| {
                let (one, other) = (&wanted.attributes, queue.attributes());
                (one.durable, one.auto_delete, one.owner)
                    == (other.durable, other.auto_delete, other.owner)
                    && one.table == other.table
            })
    }

    /// Whether the exchange is declared as it was.
    fn has_exchange(&self, exchange: &Exchange) -> bool {
        self.exchanges.get(exchange.name()).is_some_and(|wanted| {
            let (one, other) = (&wanted.attributes, exchange.attributes());
            (one.kind, one.durable, one.auto_delete, one.internal)
                == (other.kind, other.durable, other.auto_delete, other.internal)
                && one.table == other.table
        })
    }
}

impl VirtualHost {
    /// The virtual host as it is. Each queue is taken at a moment of its own. Errors: 541.
    pub(crate) fn snapshot(&self) -> Result<HostSnapshot> {
        let topology = self.topology.lock();
        let exchanges = self.exchanges().into_iter().map(|exchange| {
            let kept = exchange.extension.as_ref().map(|extension| extension.kept());
            let attributes = exchange.attributes().clone();
            (exchange.name().clone(), ExchangeSnapshot { attributes, kept })
        });
        let queues = self.queues().into_iter().map(|queue| {
            let snapshot = QueueSnapshot {
                attributes: queue.attributes().clone(),
                is_held: queue.is_held(),
                contents: queue.contents(),
                log: None,
            };
            (queue.name().clone(), snapshot)
        });
        let mut snapshot = HostSnapshot {
            policies: self.policies.read().list(),
            exchanges: exchanges.collect(),
            queues: queues.collect(),
            bindings: self.all_bindings(),
        };
        drop(topology);
        for (name, queue) in &mut snapshot.queues {
            self.add_paged(name, &mut queue.contents)?;
            if let Some(found) = self.find_queue(name.as_str())
                && let Some(stream) = found.stream()
            {
                let image = stream.log().image();
                queue.log =
                    Some(Arc::new(image.map_err(|error| Error::Storage(error.to_string()))?));
            }
        }
        Ok(snapshot)
    }

    /// Adds what is in the store alone to the messages of a queue.
    fn add_paged(&self, queue: &QueueName, contents: &mut Contents) -> Result<()> {
        let Some(queue) = self.find_queue(queue.as_str()) else { return Ok(()) };
        let paged = std::mem::take(&mut contents.paged);
        let sequences: Vec<u64> = paged.iter().map(|(sequence, _)| *sequence).collect();
        let mut histories = paged.into_iter();
        let messages = &mut contents.messages;
        self.read_stored(queue.storage().id, &sequences, |sequence, stored| {
            let history = histories.next().map(|(_, history)| history).unwrap_or_default();
            messages.extend(stored.map(|Decoded { message, deadline, .. }| {
                Entry::stored(message, sequence, deadline, history)
            }));
        })?;
        messages.sort_by_key(|entry| entry.sequence);
        Ok(())
    }

    fn all_bindings(&self) -> Bindings {
        let mut bindings = Bindings::new();
        for exchange in self.exchanges() {
            for binding in exchange.router.read().bindings() {
                let record = BindingRecord {
                    to_queue: matches!(binding.destination, Destination::Queue(_)),
                    destination: binding.destination.name().to_owned(),
                    source: exchange.name().to_string(),
                    binding_key: binding.binding_key.to_vec(),
                    arguments: binding.arguments.cloned().unwrap_or_default(),
                };
                bindings.insert(record.key(self.name.as_str()), record);
            }
        }
        bindings
    }
}
