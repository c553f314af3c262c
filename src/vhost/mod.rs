//! Virtual hosts: the only place where exchanges and queues meet.
//!
//! A file for each thing that is done with both: `declare`, `bind`, `delete`, `route`,
//! `publish`, `dead_letter`, `delayed`, `reply_to`.

pub(crate) mod flow;
pub(crate) mod insight;
mod limits;
mod metadata;
mod settings;
mod shared;
mod snapshot;
pub(crate) mod topology;
mod tracer;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use amq_protocol::types::FieldTable;
use crossbeam::utils::CachePadded;
use dashmap::DashMap;

pub(crate) use self::flow::enqueue::Origin;
pub(crate) use self::flow::publish::Publish;
pub(crate) use self::flow::reply_to::{REPLY_TO, ReplyTarget};
pub(crate) use self::flow::route::Route;
pub(crate) use self::flow::route::{Deferred, Pass};
pub(crate) use self::insight::noting::Noter;
pub(crate) use self::insight::statistics::{Gone, HostStatistics};
pub(crate) use self::limits::HostLimits;
pub(crate) use self::metadata::HostMetadata;
pub(crate) use self::shared::Shared;
pub(crate) use self::snapshot::{HostSnapshot, Restored};
pub(crate) use self::topology::bind::Bind;
pub use self::topology::declaration::{ExchangeDeclare, QueueDeclare, QueueDeclareOk};
pub(crate) use self::topology::exchange::{Destination, Exchange, ExchangeAttributes};
pub use self::topology::policy::{ApplyTo, Policy, PolicyError};
pub use self::topology::super_stream::{SuperStreamDeclare, SuperStreamError};
pub(crate) use self::tracer::Tracer;

use self::topology::exchange::ExchangeCounted;
use self::topology::policy::Policies;
use crate::access::ResourceKind;
use crate::base::ids::StoreId;
use crate::base::lock::{Mutex, RwLock};
use crate::base::memory_alarm::Share;
use crate::base::names::{ExchangeName, QueueName, UserName, VirtualHostName};
use crate::base::rank;
use crate::base::wake::Wakeups;
use crate::error::{Error, Resource, Result};
use crate::exchange::{ExchangeType, Router};
use crate::faults::Registry;
use crate::limits::EXCHANGE_BYTES;
use crate::queue::effects::{Effects, Left};
use crate::queue::tap::Tap;
use crate::queue::{Queue, Settlement};
use crate::time::clock::{Clock, Timestamp};
use crate::time::timers::Sleeper;
use crate::vhost::flow::extension::Extension;
use crate::vhost::tracer::TRACE;

/// Exchanges that every virtual host has from the start.
const PREDECLARED: &[(&str, ExchangeType)] = &[
    ("", ExchangeType::Direct),
    ("amq.direct", ExchangeType::Direct),
    ("amq.fanout", ExchangeType::Fanout),
    ("amq.topic", ExchangeType::Topic),
    ("amq.headers", ExchangeType::Headers),
    ("amq.match", ExchangeType::Headers),
    (TRACE, ExchangeType::Topic),
];

/// Which exchanges lead to a destination, and by how many bindings: what has to be visited when
/// the destination is deleted. Its lock serializes all changes to exchanges, queues and bindings.
struct Topology {
    sources: HashMap<Destination, HashMap<ExchangeName, usize>>,
    /// What the bindings take.
    share: Share,
    /// Queues and exchanges that were deleted, and that still have records of bindings to them.
    remains: HashSet<(ResourceKind, String)>,
    /// Exchanges that were deleted, with their bindings of which there still are records.
    leaving: HashMap<ExchangeName, Arc<Router<Destination>>>,
}

/// A virtual host.
pub(crate) struct VirtualHost {
    name: VirtualHostName,
    exchanges: DashMap<ExchangeName, Arc<Exchange>>,
    queues: DashMap<QueueName, Arc<Queue>>,
    reply_targets: DashMap<Vec<u8>, ReplyTarget>,
    topology: Mutex<Topology, rank::Topology>,
    policies: RwLock<Policies, rank::Policies>,
    /// Read by every publish, hardly ever written: apart from what is.
    generation: CachePadded<AtomicU64>,
    closed: AtomicBool,
    metadata: RwLock<Arc<HostMetadata>, rank::HostMetadata>,
    limits: RwLock<HostLimits, rank::HostLimits>,
    pub(crate) statistics: HostStatistics,
    /// Open while it is traced.
    tap: Tap,
    tracer: RwLock<Option<Arc<dyn Tracer>>, rank::Tracer>,
    /// It has the exchange of events.
    is_heard: AtomicBool,
    shared: Shared,
}

impl VirtualHost {
    /// A virtual host with the predeclared exchanges, which its creator counts as having declared.
    pub(crate) fn new(name: VirtualHostName, metadata: HostMetadata, shared: Shared) -> Arc<Self> {
        let creator = UserName::from(metadata.created_by.as_str());
        let host = Self {
            exchanges: DashMap::with_shard_amount(4),
            queues: DashMap::with_shard_amount(16),
            reply_targets: DashMap::with_shard_amount(4),
            topology: Mutex::new(Topology::new(&shared.memory)),
            policies: RwLock::default(),
            generation: CachePadded::new(AtomicU64::new(1)),
            closed: AtomicBool::new(false),
            metadata: RwLock::new(Arc::new(metadata)),
            limits: RwLock::default(),
            statistics: HostStatistics::default(),
            tap: Tap::default(),
            tracer: RwLock::default(),
            is_heard: AtomicBool::new(false),
            name,
            shared,
        };
        for &(exchange, kind) in PREDECLARED {
            let attributes = ExchangeAttributes {
                kind,
                durable: true,
                auto_delete: false,
                internal: exchange == TRACE,
                table: FieldTable::default(),
                alternate: None,
                declared_by: creator.clone(),
            };
            if let Ok(router) = Router::new(kind, &attributes.table) {
                host.insert_exchange(exchange.into(), attributes, router, None, 0);
            }
        }
        Arc::new(host)
    }

    fn insert_exchange(
        &self,
        name: ExchangeName,
        attributes: ExchangeAttributes,
        router: Router<Destination>,
        extension: Option<Box<Extension>>,
        store_id: StoreId,
    ) {
        let router = match self.shared.rabbitmq_faults {
            true => router.with_rabbitmq_faults(),
            false => router,
        };
        let exchange = Exchange {
            name: name.clone(),
            virtual_host: self.name.clone(),
            attributes,
            router: RwLock::new(router),
            policy_alternate: RwLock::default(),
            extension,
            store_id,
            counted: ExchangeCounted::default(),
            _share: Share::new(&self.shared.memory, EXCHANGE_BYTES),
        };
        self.apply_policies_to_exchange(&exchange);
        self.tell_exchange_created(&exchange);
        self.exchanges.insert(name, Arc::new(exchange));
        self.changed();
    }

    /// Name.
    pub(crate) fn name(&self) -> &VirtualHostName {
        &self.name
    }

    /// The present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Where the present time comes from.
    pub(crate) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Faults that tests declare.
    pub(crate) fn faults(&self) -> &Arc<Registry> {
        &self.shared.faults
    }

    /// Wakes a part of the host at this time.
    pub(crate) fn wake_at<S: Sleeper<Host = Self>>(
        self: &Arc<Self>,
        deadline: Timestamp,
        sleeper: &Arc<S>,
    ) {
        self.shared.timers.schedule(deadline, self, sleeper);
    }

    /// A number that changes whenever an exchange, a queue or a binding does: whoever remembers a
    /// route compares it.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
        if self.is_heard.load(Ordering::Relaxed) {
            self.look_who_listens();
        }
    }

    /// The exchange of that name, or 404.
    pub(crate) fn exchange(&self, name: &str) -> Result<Arc<Exchange>> {
        self.find_exchange(name).ok_or_else(|| {
            Error::NotFound(Resource::exchange(&ExchangeName::from(name), &self.name))
        })
    }

    fn find_exchange(&self, name: &str) -> Option<Arc<Exchange>> {
        self.exchanges.get(name).map(|exchange| Arc::clone(&exchange))
    }

    /// The queue of that name, or 404.
    pub(crate) fn queue(&self, name: &str) -> Result<Arc<Queue>> {
        self.find_queue(name)
            .ok_or_else(|| Error::NotFound(Resource::queue(&QueueName::from(name), &self.name)))
    }

    fn find_queue(&self, name: &str) -> Option<Arc<Queue>> {
        self.queues.get(name).map(|queue| Arc::clone(&queue))
    }

    /// All queues.
    pub(crate) fn queues(&self) -> Vec<Arc<Queue>> {
        self.queues.iter().map(|queue| Arc::clone(&queue)).collect()
    }

    /// All exchanges.
    pub(crate) fn exchanges(&self) -> Vec<Arc<Exchange>> {
        self.exchanges.iter().map(|exchange| Arc::clone(&exchange)).collect()
    }

    /// Number of exchanges.
    pub(crate) fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }

    /// Waits until a change of exchanges, queues or bindings is done that somebody is about.
    pub(crate) fn wait_for_change(&self) {
        drop(self.topology.lock());
    }

    /// Somebody consumes, or asks for a message.
    pub(crate) fn note_consumer(&self) {
        self.shared.set_consumed(true);
    }

    /// Does the work that commands on queues have left behind, and what follows from it, until
    /// nothing is left; then wakes whom it concerns.
    #[inline]
    pub(crate) fn run(self: &Arc<Self>, effects: &mut Effects) {
        self.run_without_waking(effects);
        self.hand_to_store(effects);
        self.wake(&mut effects.wakeups);
    }

    /// Wakes whom it concerns that something has happened.
    #[inline]
    pub(crate) fn wake(&self, wakeups: &mut Wakeups) {
        wakeups.wake_all();
        if self.shared.memory.is_alarmed() {
            // Something of what was closed or deleted may have been what was too much.
            self.shared.memory.follow();
        }
        self.shared.changes.note();
    }

    /// Tells the store what queues need not keep any more. Everything that was to be stored has
    /// been handed in by now. What is stored after it is not durable before it: so this comes
    /// before the next publish, whose confirm says that what was acknowledged is gone for good.
    #[inline]
    pub(crate) fn hand_to_store(&self, effects: &mut Effects) {
        let Some(store) = self.persistence() else { return };
        if !effects.gone.is_empty() {
            store.forget(&mut effects.gone);
        }
        if !effects.moved.is_empty() {
            store.forget_moved(&mut effects.moved);
        }
        if !effects.returned.is_empty() {
            store.count_returns(&mut effects.returned);
        }
        if !effects.handed_out.is_empty() {
            store.note_handed_out(&mut effects.handed_out);
        }
    }

    /// As [`VirtualHost::run`], but leaves waking for later.
    #[inline]
    pub(crate) fn run_without_waking(self: &Arc<Self>, effects: &mut Effects) {
        if effects.has_work() {
            self.work_off(effects);
        }
        if effects.footprint != 0 {
            self.count_memory(effects);
        }
    }

    /// The same, but memory is counted later. For what is done many times before
    /// [`VirtualHost::run`].
    #[inline]
    pub(crate) fn run_uncounted(self: &Arc<Self>, effects: &mut Effects) {
        if effects.has_work() {
            self.work_off(effects);
        }
    }

    /// Tells queues of the [acknowledgements](crate::queue::acked) that were gathered.
    #[inline]
    pub(crate) fn settle_acked(self: &Arc<Self>, effects: &mut Effects) {
        if effects.acked.is_empty() {
            return;
        }
        let mut acked = std::mem::take(&mut effects.acked);
        acked.drain(|queue, ids, now| {
            match queue.acknowledge_directly(ids, now, &mut effects.wakeups) {
                Some(left) => effects.add_left(queue, left),
                None => queue.settle(ids.iter().copied(), Settlement::Ack, now, effects),
            }
        });
        effects.acked = acked;
        self.run_uncounted(effects);
    }

    /// Does what a queue has left that was taken the short way to.
    #[inline]
    pub(crate) fn do_left(self: &Arc<Self>, queue: &Arc<Queue>, left: Left) {
        if let Some(deadline) = left.deadline {
            self.shared.timers.schedule(deadline, self, queue);
        }
        self.shared.memory.add(left.footprint);
    }

    /// Counts what queues hold more or less, and has them page out if that is too much.
    fn count_memory(self: &Arc<Self>, effects: &mut Effects) {
        self.shared.memory.add(std::mem::take(&mut effects.footprint));
        if self.shared.persistence.is_some() && self.shared.memory.take_scarce() {
            self.page_out_all(effects);
            self.shared.memory.add(std::mem::take(&mut effects.footprint));
        }
    }

    fn work_off(self: &Arc<Self>, effects: &mut Effects) {
        loop {
            for (deadline, queue) in effects.timers.drain(..) {
                self.shared.timers.schedule(deadline, self, &queue);
            }
            for (outlet, timeout_ms) in effects.timeouts.drain(..) {
                outlet.acknowledgement_timed_out(timeout_ms);
            }
            for ended in std::mem::take(&mut effects.ended) {
                ended.clear(&mut effects.wakeups);
            }
            if let Some(queue) = effects.deletions.pop() {
                self.delete_unused(&queue, effects);
            } else if !effects.dead_letters.is_empty() {
                for (queue, letter) in std::mem::take(&mut effects.dead_letters) {
                    self.dead_letter(&queue, letter, effects);
                }
            } else if let Some((queue, entries)) = effects.anew_in.pop() {
                self.enqueue_anew(&queue, entries, effects);
            } else if !effects.page_outs.is_empty() || !effects.page_ins.is_empty() {
                self.page(effects);
            } else if let Some(stream) = effects.reads.pop() {
                self.read_stream(&stream, effects);
            } else if !effects.tapped.is_empty() {
                for tapped in std::mem::take(&mut effects.tapped) {
                    self.trace_delivery(&tapped, effects);
                }
            } else if effects.timers.is_empty() {
                break;
            }
        }
    }

    /// The broker is about to end all connections, one after the other: what the first ones give
    /// back does not go to those that are next.
    pub(crate) fn stop_serving(self: &Arc<Self>) {
        let mut effects = Effects::new();
        for queue in self.queues() {
            queue.set_held(true, self.now(), &mut effects);
        }
        self.run(&mut effects);
    }

    /// Lets go of everything, so that exchanges bound in a circle do not keep each other alive.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.trace(None);
        self.topology.lock().clear();
        for exchange in self.exchanges() {
            exchange.drop_bindings();
            exchange.drop_messages();
        }
        self.exchanges.clear();
        self.queues.clear();
        self.reply_targets.clear();
        self.changed();
    }
}
