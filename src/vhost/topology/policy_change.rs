//! Policies come and go, and apply to what there is `[rabbitmq parameters#policies]`.

use std::sync::Arc;

use crate::queue::effects::Effects;
use crate::queue::{Queue, QueueArguments};
use crate::vhost::VirtualHost;
use crate::vhost::topology::exchange::Exchange;
use crate::vhost::topology::policy::{Parsed, Policy, PolicyError};

/// Queues or exchanges that get a new policy while nothing else can be declared.
const POLICY_STEP: usize = 128;

impl VirtualHost {
    /// Sets a policy without applying it yet.
    pub(in crate::vhost) fn insert_policy(
        &self,
        is_operator: bool,
        name: &str,
        policy: &Policy,
    ) -> Result<(), PolicyError> {
        let parsed = policy.parse()?;
        self.policies.write().of_kind(is_operator).insert(name.into(), parsed);
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
        let told = parsed.as_ref().map(|parsed| parsed.policy.clone());
        let mut policies = self.policies.write();
        let kind = policies.of_kind(is_operator);
        let before = match parsed {
            Some(parsed) => kind.insert(name.into(), parsed),
            None => kind.remove(name),
        };
        drop(policies);
        if told.is_some() || before.is_some() {
            self.tell_policy(is_operator, name, told.as_ref());
        }
        drop(topology);
        self.apply_policies();
        before.is_some()
    }

    fn apply_policies(self: &Arc<Self>) {
        let mut effects = Effects::new();
        for queues in self.queues().chunks(POLICY_STEP) {
            let topology = self.topology.lock();
            for queue in queues {
                let layers = self.policies_for(queue);
                queue.change_policies(&layers.iter().collect::<Vec<_>>(), self.now(), &mut effects);
            }
            drop(topology);
            self.run(&mut effects);
        }
        for exchanges in self.exchanges().chunks(POLICY_STEP) {
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
