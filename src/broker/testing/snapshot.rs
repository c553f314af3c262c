//! The whole broker at one moment, and making it so again: for tests that begin where others
//! have been before.

use crate::broker::Broker;
use crate::error::Result;
use crate::node::snapshot::Snapshot;

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
        self.node().snapshot()
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
        self.node().restore(snapshot)
    }

    /// Deletes all queues with their messages, all exchanges that clients declared, and all
    /// bindings, and clears the journal. Consumers are cancelled. Users, permissions, virtual
    /// hosts, policies, connections and the time stay. Errors: 541 if the disk fails.
    pub fn reset(&self) -> Result<()> {
        self.node().reset()
    }
}
