//! Makes the links of a federation `[rabbitmq federation]`: each is a task with two connections,
//! one to this broker and one upstream. One more task looks which links there ought to be, whenever
//! anything has come, gone or changed.

mod exchange;
mod line;
mod linking;
mod queue;
mod way;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::linking::{Linking, Order};
use super::connect::Connector;
use super::threads::Threads;
use crate::access::ResourceKind;
use crate::base::argument::INTERNAL_PURPOSE;
use crate::base::field_value;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wake;
use crate::gateway::InMemory;
use crate::link::federation::upstream::Upstream;
use crate::link::federation::{Link, LinkKey, Linker};
use crate::node::Node;
use crate::vhost::VirtualHost;
use crate::vhost::insight::policies::AppliedPolicies;

/// Makes the links of one broker.
pub(crate) struct Federator {
    node: Weak<Node>,
    here: Weak<InMemory>,
    tasks: Mutex<Tasks, rank::FederationTasks>,
    /// Rings when there may be others to be made.
    bell: Arc<Bell>,
    /// Rises when links have something to look at.
    changes: watch::Sender<u64>,
    itself: Weak<Self>,
}

#[derive(Default)]
struct Tasks {
    threads: Threads,
    running: HashMap<LinkKey, Task>,
    /// The task that looks, once there was an upstream.
    looking: Option<JoinHandle<()>>,
    is_closed: bool,
}

struct Task {
    link: Arc<Link>,
    order: watch::Sender<Order>,
    ended: JoinHandle<()>,
}

#[derive(Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

impl Federator {
    /// For the federation of this broker; nothing is started before there is an upstream.
    pub(crate) fn serving(node: &Arc<Node>, here: &Arc<InMemory>) -> Arc<Self> {
        let federator = Arc::new_cyclic(|itself| Self {
            node: Arc::downgrade(node),
            here: Arc::downgrade(here),
            tasks: Mutex::default(),
            bell: Arc::default(),
            changes: watch::Sender::new(0),
            itself: Weak::clone(itself),
        });
        node.federation.linked_by(Arc::clone(&federator) as _);
        federator.look();
        federator
    }

    /// Ends all links, which give back what they have taken and not brought. What they have
    /// declared upstream stays, and gathers messages.
    pub(crate) fn close(&self) {
        let mut tasks = self.tasks.lock();
        tasks.is_closed = true;
        let running: Vec<_> = std::mem::take(&mut tasks.running).into_values().collect();
        let looking = tasks.looking.take();
        let mut threads = std::mem::take(&mut tasks.threads);
        drop(tasks);
        looking.iter().for_each(JoinHandle::abort);
        running.iter().for_each(|task| {
            task.order.send_replace(Order::Stop);
        });
        threads.end(running.into_iter().map(|task| task.ended).collect());
    }

    /// Starts looking, with the first upstream.
    fn begin(&self, node: &Arc<Node>) {
        let mut tasks = self.tasks.lock();
        if tasks.is_closed || tasks.looking.is_some() {
            return;
        }
        let threads = match tasks.threads.started() {
            Ok(threads) => threads,
            Err(error) => {
                return tracing::error!("there is no federation: no threads: {error}");
            }
        };
        let (federator, bell) = (Weak::clone(&self.itself), Arc::clone(&self.bell));
        let looking = threads.spawn(async move {
            loop {
                bell.0.notified().await;
                let Some(federator) = federator.upgrade() else { return };
                federator.make_links();
            }
        });
        tasks.looking = Some(looking);
        drop(tasks);
        node.herald().watched_by(Arc::clone(&self.bell) as _);
    }

    /// Makes the links that are missing, and ends those that are not wanted.
    fn make_links(&self) {
        let Some(node) = self.node.upgrade() else { return };
        // What is about to change has changed when nobody is changing anything.
        node.all_virtual_hosts().iter().for_each(|host| host.wait_for_change());
        let wanted = wanted(&node);
        let mut tasks = self.tasks.lock();
        if tasks.is_closed {
            return;
        }
        let keys: Vec<_> = tasks.running.keys().cloned().collect();
        for key in keys.iter().filter(|key| !wanted.contains_key(key)) {
            if let Some(task) = tasks.running.remove(key) {
                let leaves = task.link.upstream.leaves_resources;
                task.order.send_replace(if leaves { Order::Stop } else { Order::CleanUp });
                node.federation.remove_link(key);
            }
        }
        for (key, (upstream, policy)) in wanted {
            let is_as_before =
                |task: &Task| task.link.upstream == upstream && task.link.policy == policy;
            if !tasks.running.get(&key).is_some_and(is_as_before) {
                let now = node.clock().now();
                let link = Link::new(key, upstream, policy, node.herald(), now);
                self.start(&mut tasks, &node, Arc::new(link));
            }
        }
        drop(tasks);
        self.changes.send_modify(|count| *count += 1);
    }

    fn start(&self, tasks: &mut Tasks, node: &Arc<Node>, link: Arc<Link>) {
        let before = tasks.running.remove(&link.key);
        let threads = match tasks.threads.started() {
            Ok(threads) => threads,
            Err(error) => return tracing::error!("no threads for federation: {error}"),
        };
        let connector = Connector { threads: threads.handle().clone(), here: self.here.clone() };
        let (order, orders) = watch::channel(Order::Go);
        let linking = Linking::new(Arc::clone(&link), node, connector, self.changes.subscribe());
        let next = Arc::clone(&link);
        let ended = threads.spawn(async move {
            if let Some(Task { link, order, ended }) = before {
                let stays = link.upstream.shares_resources_with(&next.upstream);
                order.send_replace(if stays { Order::Stop } else { Order::CleanUp });
                // What it had taken is to be in its place again before the next one takes it.
                let _ = ended.await;
            }
            linking.run(orders).await;
        });
        node.federation.add_link(&link);
        tasks.running.insert(link.key.clone(), Task { link, order, ended });
    }
}

impl Linker for Federator {
    fn look(&self) {
        if let Some(node) = self.node.upgrade()
            && node.federation.is_used()
        {
            self.begin(&node);
        }
        self.bell.wake();
    }

    fn restart(&self, key: &LinkKey) {
        let Some(node) = self.node.upgrade() else { return };
        let mut tasks = self.tasks.lock();
        let Some(task) = tasks.running.get(key).filter(|_| !tasks.is_closed) else { return };
        let link = Arc::clone(&task.link);
        let now = node.clock().now();
        let (upstream, policy) = (link.upstream.clone(), link.policy.clone());
        let again = Link::new(key.clone(), upstream, policy, node.herald(), now);
        self.start(&mut tasks, &node, Arc::new(again));
    }
}

/// The links that there ought to be, with their upstreams and policies.
fn wanted(node: &Node) -> HashMap<LinkKey, (Upstream, String)> {
    let hosts = node.all_virtual_hosts();
    hosts.iter().flat_map(|host| wanted_in(node, host)).collect()
}

fn wanted_in(node: &Node, host: &VirtualHost) -> Vec<(LinkKey, (Upstream, String))> {
    let mut wanted = Vec::new();
    let mut add = |kind, name: &str, applied: AppliedPolicies| {
        let host = host.name().as_str();
        for upstream in node.federation.upstreams_of(host, name, &applied.definition) {
            let key = LinkKey::new(host, kind, name, &upstream);
            wanted.push((key, (upstream, applied.policy.clone().unwrap_or_default())));
        }
    };
    for exchange in host.exchanges() {
        if !exchange.is_default() && !exchange.attributes().internal {
            let applied = host.policies_of_exchange(&exchange);
            let name = exchange.name().as_str();
            add(ResourceKind::Exchange, name, applied);
        }
    }
    for queue in host.queues() {
        let attributes = queue.attributes();
        let is_own = field_value::get(&attributes.table, INTERNAL_PURPOSE).is_some();
        if !is_own && !queue.kind().is_stream && attributes.owner.is_none() {
            let applied = host.policies_of_queue(&queue);
            let name = queue.name().as_str();
            add(ResourceKind::Queue, name, applied);
        }
    }
    wanted
}
