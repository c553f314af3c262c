//! Which policies there are, and which apply to what.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::field_value::integer;
use crate::queue::Queue;
use crate::vhost::VirtualHost;
use crate::vhost::topology::exchange::Exchange;
use crate::vhost::topology::policy::{Parsed, Policy, best};

/// The policies that apply to a queue or an exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AppliedPolicies {
    /// Name of the policy, if there is one.
    pub policy: Option<String>,
    /// Name of the operator policy.
    pub operator_policy: Option<String>,
    /// What both of them set: of numbers the smaller one, of the rest what the operator says.
    pub definition: FieldTable,
}

impl AppliedPolicies {
    fn new(policy: Option<(&String, &Parsed)>, operator: Option<(&String, &Parsed)>) -> Self {
        let mut definition = FieldTable::default();
        for (_, parsed) in policy.iter().chain(&operator) {
            for (key, value) in parsed.policy.definition.inner() {
                let merged = match definition.inner().get(key.as_str()) {
                    Some(other) => smaller(other, value),
                    None => value,
                };
                let merged = merged.clone();
                definition.insert(key.clone(), merged);
            }
        }
        Self {
            policy: policy.map(|(name, _)| name.clone()),
            operator_policy: operator.map(|(name, _)| name.clone()),
            definition,
        }
    }
}

/// Of two numbers the smaller one, else what the operator says.
fn smaller<'a>(value: &'a AMQPValue, of_operator: &'a AMQPValue) -> &'a AMQPValue {
    match (integer(value), integer(of_operator)) {
        (Some(number), Some(limit)) if number < limit => value,
        _ => of_operator,
    }
}

impl VirtualHost {
    /// All policies: whether it is an operator policy, its name, and what it was set to.
    pub(crate) fn list_policies(&self) -> Vec<(bool, String, Policy)> {
        self.policies.read().list()
    }

    /// The policy of that name.
    pub(crate) fn find_policy(&self, is_operator: bool, name: &str) -> Option<Policy> {
        let policies = self.policies.read();
        let kind = if is_operator { &policies.operator } else { &policies.user };
        kind.get(name).map(|parsed| parsed.policy.clone())
    }

    /// The policies that apply to a queue.
    pub(crate) fn policies_of_queue(&self, queue: &Queue) -> AppliedPolicies {
        self.applied(|parsed| parsed.covers_queue(queue))
    }

    /// The policies that apply to an exchange.
    pub(crate) fn policies_of_exchange(&self, exchange: &Exchange) -> AppliedPolicies {
        self.applied(|parsed| parsed.covers_exchange(exchange))
    }

    fn applied(&self, covers: impl Fn(&Parsed) -> bool) -> AppliedPolicies {
        let policies = self.policies.read();
        let (user, operator) = (best(&policies.user, &covers), best(&policies.operator, &covers));
        AppliedPolicies::new(user, operator)
    }
}
