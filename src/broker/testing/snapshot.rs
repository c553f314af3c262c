//! The whole broker at one moment, and making it so again: for tests that begin where others
//! have been before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::access::Actor;
use crate::broker::Broker;
use crate::definitions::{Definitions, export_users, replace_users};
use crate::error::{Precondition, Result};
use crate::names::VirtualHostName;
use crate::node::Node;
use crate::time::clock::Timestamp;
use crate::vhost::{HostSnapshot, Restored, VirtualHost};

/// A broker at one moment: see [`Broker::snapshot`]. Messages are shared with the broker, not
/// copied.
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

impl Broker {
    /// The broker as it is: users and permissions, virtual hosts, policies, exchanges with what
    /// they keep (delays, history, keys of duplicates), bindings, and queues with their messages
    /// in order: how long each has still to live, how often it was returned, where it died before.
    ///
    /// Connections are not part of it. A message that waits for an acknowledgement is in the
    /// snapshot as if it had been given back: in its place, redelivered. A message on its way
    /// from one queue to another may be in both or in none: take it when the broker is
    /// [idle](Broker::wait_until_idle).
    ///
    /// Errors: 541 if what is on disk cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut users = Definitions::default();
        export_users(self.access(), &mut users);
        let hosts = self.node().all_virtual_hosts();
        let hosts = hosts.into_iter().map(|host| Ok((host.name().clone(), host.snapshot()?)));
        let hosts = hosts.collect::<Result<_>>()?;
        let origin = Arc::downgrade(self.node());
        Ok(Snapshot { taken_at: self.now(), origin, users, hosts })
    }

    /// Makes the broker what it was when the snapshot was taken, of this broker or of another.
    ///
    /// Connections stay. So do queues and exchanges that are declared as they were, with their
    /// consumers, who get what is in the queues once everything is in its place. What was delivered
    /// to them before belongs to nobody any more: its acknowledgement does nothing. Other
    /// queues are deleted, their consumers cancelled. Exclusive queues are filled again if they
    /// are still there, and else left out, because their connection alone could use them.
    ///
    /// The time stays: what had 30 s to live then has 30 s from now. Virtual hosts that came since
    /// are emptied, and permissions in them taken back. The journal is cleared; faults, alarms and
    /// found lints stay.
    ///
    /// A power cut in the middle of it may leave both what was and what was to be.
    ///
    /// Errors: 541 if the disk fails; 406 and 541 for what
    /// [`LintLevel::Deny`](crate::insight::lint::LintLevel::Deny) and
    /// [`deny_deprecated`](crate::BrokerBuilder::deny_deprecated) refuse in a snapshot of another
    /// broker.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        replace_users(&snapshot.users, self.access())
            .map_err(|error| Precondition::Snapshot(error.to_string()))?;
        for name in snapshot.hosts.keys() {
            self.node().add_virtual_host(name.clone());
        }
        let is_own = Weak::ptr_eq(&snapshot.origin, &Arc::downgrade(self.node()));
        self.restore_hosts(snapshot.taken_at, |host| {
            let wanted = snapshot.hosts.get(host.name()).cloned().unwrap_or_default();
            if is_own { wanted } else { wanted.without_exclusive_queues() }
        })
    }

    /// Deletes all queues with their messages, all exchanges that clients declared, and all
    /// bindings, and clears the journal. Consumers are cancelled. Users, permissions, virtual
    /// hosts, policies, connections and the time stay. Errors: 541 if the disk fails.
    pub fn reset(&self) -> Result<()> {
        self.node().shared.set_consumed(false);
        self.restore_hosts(self.now(), HostSnapshot::policies_of)
    }

    fn restore_hosts(
        &self,
        taken_at: Timestamp,
        wanted: impl Fn(&VirtualHost) -> HostSnapshot,
    ) -> Result<()> {
        let mut restored = Vec::new();
        let mut restore = |host: Arc<VirtualHost>| {
            let wanted = wanted(&host);
            let access = Arc::clone(&self.node().access);
            let actor = Actor::trusted(None, host.name().clone(), access);
            host.restore_definitions(&actor, &wanted)?;
            restored.push(host.restore_contents(&wanted, taken_at));
            Ok(())
        };
        let result = self.node().all_virtual_hosts().into_iter().try_for_each(&mut restore);
        let store = self.node().persistence();
        let result = result.and_then(|()| store.map_or(Ok(()), |store| store.wait_until_durable()));
        if result.is_ok() {
            // What is delivered from now on belongs to what comes after.
            self.journal().clear();
        }
        restored.into_iter().for_each(Restored::let_go);
        result
    }
}
