//! A virtual host, for the embedding program.

use std::fmt;
use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::exchange::ExchangeHandle;
use crate::broker::testing::queue::QueueHandle;
use crate::error::Result;
use crate::node::Node;
use crate::vhost::{Policy, PolicyError, VirtualHost};

/// A virtual host of a [`Broker`]: the queues and exchanges in it, and its policies.
///
/// ```
/// use leveret::{AMQPValue, Broker, Policy, Publish};
///
/// let broker = Broker::new();
/// let channel = broker.connect()?.open_channel()?;
/// channel.queue_declare("jobs")?;
/// let host = broker.virtual_host("/").expect("it is always there");
/// let policy = Policy::new("^jobs").with("max-length", AMQPValue::LongInt(1));
/// host.set_policy("short", policy).expect("a good policy");
/// for job in ["a", "b"] {
///     channel.publish(Publish::to_queue("jobs").body(job)).wait()?;
/// }
/// assert_eq!(host.queue("jobs")?.counts().ready, 1);
/// # Ok::<(), leveret::Error>(())
/// ```
#[derive(Clone)]
pub struct VirtualHostHandle {
    pub(super) node: Arc<Node>,
    pub(super) host: Arc<VirtualHost>,
}

impl Broker {
    /// The virtual host of that name.
    pub fn virtual_host(&self, name: &str) -> Option<VirtualHostHandle> {
        let host = self.node().virtual_host(name)?;
        Some(VirtualHostHandle { node: Arc::clone(self.node()), host })
    }

    /// All virtual hosts, in no order.
    pub fn virtual_hosts(&self) -> Vec<VirtualHostHandle> {
        let hosts = self.node().all_virtual_hosts().into_iter();
        hosts.map(|host| VirtualHostHandle { node: Arc::clone(self.node()), host }).collect()
    }
}

impl VirtualHostHandle {
    /// Name.
    pub fn name(&self) -> &str {
        self.host.name().as_str()
    }

    /// The queue of this name. Errors: 404.
    pub fn queue(&self, name: &str) -> Result<QueueHandle> {
        Ok(QueueHandle::new(&self.node, &self.host, self.host.queue(name)?))
    }

    /// All queues, in no order.
    pub fn queues(&self) -> Vec<QueueHandle> {
        let queues = self.host.queues().into_iter();
        queues.map(|queue| QueueHandle::new(&self.node, &self.host, queue)).collect()
    }

    /// The exchange of this name. Errors: 404.
    pub fn exchange(&self, name: &str) -> Result<ExchangeHandle> {
        self.host.exchange(name).map(ExchangeHandle)
    }

    /// All exchanges, in no order.
    pub fn exchanges(&self) -> Vec<ExchangeHandle> {
        self.host.exchanges().into_iter().map(ExchangeHandle).collect()
    }

    /// Sets a policy: what it defines applies to all queues or exchanges whose names match, those
    /// that are there and those to come; of several the one with the highest priority
    /// `[rabbitmq policies]`. Waits until that survives a restart if anything does; if the disk
    /// fails, the log says so.
    ///
    /// # Errors
    /// If it defines what nothing has, or the pattern is none.
    pub fn set_policy(&self, name: &str, policy: Policy) -> Result<(), PolicyError> {
        let set = self.host.set_policy(name, policy);
        self.wait_until_durable();
        set
    }

    /// Removes a policy, and waits as [`VirtualHostHandle::set_policy`]; tells whether it was
    /// there.
    pub fn remove_policy(&self, name: &str) -> bool {
        let removed = self.host.remove_policy(name);
        self.wait_until_durable();
        removed
    }

    /// Sets an operator policy, which applies together with a user's: of two limits the smaller
    /// `[rabbitmq operator-policies]`. Waits as [`VirtualHostHandle::set_policy`].
    ///
    /// # Errors
    /// As for [`VirtualHostHandle::set_policy`].
    pub fn set_operator_policy(&self, name: &str, policy: Policy) -> Result<(), PolicyError> {
        let set = self.host.set_operator_policy(name, policy);
        self.wait_until_durable();
        set
    }

    /// Removes an operator policy, and waits as [`VirtualHostHandle::set_policy`]; tells whether it
    /// was there.
    pub fn remove_operator_policy(&self, name: &str) -> bool {
        let removed = self.host.remove_operator_policy(name);
        self.wait_until_durable();
        removed
    }

    pub(super) fn wait_until_durable(&self) {
        if let Some(store) = self.node.persistence() {
            // The store has logged the error.
            let _ = store.wait_until_durable();
        }
    }
}

impl fmt::Debug for VirtualHostHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualHostHandle").field("name", self.host.name()).finish_non_exhaustive()
    }
}
