//! The whole broker at one moment, and making it so again: for tests that begin where others
//! have been before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::access::Actor;
use crate::base::names::VirtualHostName;
use crate::definitions::{Definitions, export_users, replace_users};
use crate::error::{Precondition, Result};
use crate::node::Node;
use crate::time::clock::Timestamp;
use crate::vhost::{HostSnapshot, Restored, VirtualHost};

/// A broker at one moment: see [`Broker::snapshot`](crate::Broker::snapshot). Messages are shared
/// with the broker, not copied.
#[derive(Clone)]
pub struct Snapshot {
    taken_at: Timestamp,
    /// The broker that it was taken of; others number their connections anew.
    origin: Weak<Node>,
    users: Definitions,
    hosts: BTreeMap<VirtualHostName, HostSnapshot>,
}

impl Snapshot {
    /// When it was taken, by the broker's clock.
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// Queues, of all virtual hosts.
    pub fn queue_count(&self) -> usize {
        self.hosts.values().map(HostSnapshot::queue_count).sum()
    }

    /// Messages in queues, and kept by exchanges until they are due.
    pub fn message_count(&self) -> usize {
        self.hosts.values().map(HostSnapshot::message_count).sum()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("taken_at", &self.taken_at)
            .field("queues", &self.queue_count())
            .field("messages", &self.message_count())
            .finish_non_exhaustive()
    }
}

impl Node {
    /// See [`Broker::snapshot`](crate::Broker::snapshot). Errors: 541.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Result<Snapshot> {
        let mut users = Definitions::default();
        export_users(&self.access, &mut users);
        let hosts = self.all_virtual_hosts();
        let hosts = hosts.into_iter().map(|host| Ok((host.name().clone(), host.snapshot()?)));
        let hosts = hosts.collect::<Result<_>>()?;
        let origin = Arc::downgrade(self);
        Ok(Snapshot { taken_at: self.clock().now(), origin, users, hosts })
    }

    /// See [`Broker::restore`](crate::Broker::restore). Errors: 406, 541.
    pub(crate) fn restore(self: &Arc<Self>, snapshot: &Snapshot) -> Result<()> {
        replace_users(&snapshot.users, &self.access)
            .map_err(|error| Precondition::Snapshot(error.to_string()))?;
        for name in snapshot.hosts.keys() {
            self.add_virtual_host(name.clone());
        }
        let is_own = Weak::ptr_eq(&snapshot.origin, &Arc::downgrade(self));
        self.restore_hosts(snapshot.taken_at, |host| {
            let wanted = snapshot.hosts.get(host.name()).cloned().unwrap_or_default();
            if is_own { wanted } else { wanted.without_exclusive_queues() }
        })
    }

    /// See [`Broker::reset`](crate::Broker::reset). Errors: 541.
    pub(crate) fn reset(&self) -> Result<()> {
        self.shared.set_consumed(false);
        self.restore_hosts(self.clock().now(), HostSnapshot::policies_of)
    }

    fn restore_hosts(
        &self,
        taken_at: Timestamp,
        wanted: impl Fn(&VirtualHost) -> HostSnapshot,
    ) -> Result<()> {
        let mut restored = Vec::new();
        let mut restore = |host: Arc<VirtualHost>| {
            let wanted = wanted(&host);
            let access = Arc::clone(&self.access);
            let actor = Actor::trusted(None, host.name().clone(), access);
            host.restore_definitions(&actor, &wanted)?;
            restored.push(host.restore_contents(&wanted, taken_at));
            Ok(())
        };
        let result = self.all_virtual_hosts().into_iter().try_for_each(&mut restore);
        let store = self.persistence();
        let result = result.and_then(|()| store.map_or(Ok(()), |store| store.wait_until_durable()));
        if result.is_ok() {
            // What is delivered from now on belongs to what comes after.
            self.shared.journal.iter().for_each(|journal| journal.clear());
        }
        restored.into_iter().for_each(Restored::let_go);
        result
    }
}
