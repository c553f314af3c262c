//! Policies come and go, and apply to what there is `[rabbitmq parameters#policies]`.

use std::sync::Arc;

use crate::queue::effects::Effects;
use crate::queue::{Queue, QueueArguments};
use crate::vhost::VirtualHost;
use crate::vhost::topology::exchange::Exchange;
use crate::vhost::topology::policy::{Parsed, Policies, Policy, PolicyError, best};

/// Queues or exchanges that get a new policy while nothing else can be declared.
const POLICY_STEP: usize = 128;

/// A policy that is set or removed.
struct Change<'a> {
    is_operator: bool,
    name: &'a str,
    before: Option<Arc<Parsed>>,
    /// What it is set to.
    after: Option<Arc<Parsed>>,
}

impl Change<'_> {
    /// What it was, and what it is, for as much as there is.
    fn versions(&self) -> impl Iterator<Item = &Parsed> {
        [&self.before, &self.after].into_iter().flatten().map(|parsed| &**parsed)
    }

    /// What it is set to.
    fn policy(&self) -> Option<&Policy> {
        self.after.as_ref().map(|after| &after.policy)
    }

    /// Whether it changes what counts for a queue: it is the policy for it, or was.
    fn is_for(&self, queue: &Queue, policies: &Policies) -> bool {
        let before = self.before.as_deref();
        if before.map(|before| &before.policy) == self.policy() {
            return false;
        }
        let kind = if self.is_operator { &policies.operator } else { &policies.user };
        let now = best(kind, |parsed| parsed.covers_queue(queue));
        let is_first = |before: &Parsed| {
            now.is_none_or(|(_, now)| before.policy.priority >= now.policy.priority)
        };
        now.is_some_and(|(name, _)| name == self.name)
            || before.is_some_and(|before| before.covers_queue(queue) && is_first(before))
    }
}

impl VirtualHost {
    /// Sets a policy without applying it yet.
    pub(in crate::vhost) fn insert_policy(
        &self,
        is_operator: bool,
        name: &str,
        policy: &Policy,
    ) -> Result<(), PolicyError> {
        let parsed = policy.parse()?;
        self.policies.write().of_kind(is_operator).insert(name.into(), Arc::new(parsed));
        Ok(())
    }

    /// Sets or removes a policy, records that, and applies what is in force then; tells whether
    /// there was one. It is set with the lock on changes: of several threads the last one here is
    /// the last one in the records, too, and what is declared later has the same policies. It is
    /// applied in steps, each with that lock, so that a step knows all policies that are set by
    /// then, whoever has set them.
    pub(in crate::vhost) fn change_policy(
        self: &Arc<Self>,
        is_operator: bool,
        name: &str,
        parsed: Option<Parsed>,
    ) -> bool {
        let topology = self.topology.lock();
        if !self.is_closed() {
            self.record_policy(is_operator, name, parsed.as_ref().map(|parsed| &parsed.policy));
        }
        let after = parsed.map(Arc::new);
        let mut policies = self.policies.write();
        let kind = policies.of_kind(is_operator);
        let before = match after.clone() {
            Some(parsed) => kind.insert(name.into(), parsed),
            None => kind.remove(name),
        };
        drop(policies);
        let change = Change { is_operator, name, before, after };
        if change.versions().next().is_some() {
            self.tell_policy(is_operator, name, change.policy());
        }
        drop(topology);
        self.apply_policies(&change);
        change.before.is_some()
    }

    /// Applies what is in force to those for which the policy is, or was: with the others it has
    /// nothing to do.
    fn apply_policies(self: &Arc<Self>, change: &Change<'_>) {
        let mut effects = Effects::new();
        let mut queues = self.queues();
        queues.retain(|queue| change.versions().any(|parsed| parsed.covers_queue(queue)));
        for queues in queues.chunks(POLICY_STEP) {
            let topology = self.topology.lock();
            for queue in queues {
                let layers = self.policies_for(queue);
                queue.change_policies(&layers.iter().collect::<Vec<_>>(), self.now(), &mut effects);
                if self.shared.herald.is_heard() && change.is_for(queue, &self.policies.read()) {
                    self.tell_queue_policy(queue, change.policy());
                }
            }
            drop(topology);
            self.run(&mut effects);
        }
        let mut exchanges = self.exchanges();
        exchanges.retain(|one| change.versions().any(|parsed| parsed.covers_exchange(one)));
        for exchanges in exchanges.chunks(POLICY_STEP) {
            let _topology = self.topology.lock();
            exchanges.iter().for_each(|exchange| self.apply_policies_to_exchange(exchange));
        }
        self.changed();
        self.run(&mut effects);
    }

    fn policies_for(&self, queue: &Queue) -> Vec<QueueArguments> {
        self.policies.read().for_queue(queue).into_iter().cloned().collect()
    }

    /// A queue is declared, with the lock on changes: policies apply to it as well.
    pub(in crate::vhost) fn apply_policies_to_new_queue(
        &self,
        queue: &Arc<Queue>,
        effects: &mut Effects,
    ) {
        if !self.policies.read().is_empty() {
            let layers = self.policies_for(queue);
            queue.set_policies(&layers.iter().collect::<Vec<_>>(), self.now(), effects);
        }
    }

    /// The same for an exchange.
    pub(in crate::vhost) fn apply_policies_to_exchange(&self, exchange: &Exchange) {
        let alternate = self.policies.read().alternate_for(exchange);
        *exchange.policy_alternate.write() = alternate;
    }
}
