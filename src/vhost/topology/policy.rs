//! Policies: settings for all queues and exchanges whose names match a pattern, to be changed at
//! any time `[rabbitmq parameters#policies]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::access::{Pattern, PatternError};
use crate::base::argument;
use crate::base::erlang_term;
use crate::base::field_value::{get, string};
use crate::base::names::ExchangeName;
use crate::error::ArgumentError;
use crate::queue::{Queue, QueueArguments, QueueType};
use crate::vhost::VirtualHost;
use crate::vhost::topology::exchange::Exchange;
use crate::vhost::topology::policy_values;

/// Keys that RabbitMQ once knew, for mirrored queues. They are taken and do nothing, unless what is
/// deprecated is denied.
const MIRRORING: &[&str] = &[
    "ha-mode",
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
];

/// The same, of another feature.
const MASTER_LOCATOR: &str = "queue-master-locator";

/// Keys for what needs several nodes.
const WITHOUT_EFFECT: &[&str] = &[MASTER_LOCATOR, "initial-cluster-size"];

/// Keys that choose upstreams, one of them at most `[rabbitmq federation-reference#policies]`.
const FEDERATION: &[&str] =
    &["federation-upstream", "federation-upstream-set", "federation-upstream-pattern"];

/// The same, in RabbitMQ's sentence.
const TOGETHER: &str =
    "federation-upstream, federation-upstream-set or federation-upstream-pattern";

const ALTERNATE_EXCHANGE: &str = argument::ALTERNATE_EXCHANGE;

/// What an operator policy may set: limits.
const OPERATOR_KEYS: &[&str] =
    &["expires", "message-ttl", "max-length", "max-length-bytes", "delivery-limit", "overflow"];

/// What a policy is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApplyTo {
    /// `all`: queues and exchanges.
    #[default]
    All,
    /// `queues` of every type.
    Queues,
    /// `classic_queues`.
    ClassicQueues,
    /// `quorum_queues`.
    QuorumQueues,
    /// `streams`.
    Streams,
    /// `exchanges`.
    Exchanges,
}

impl ApplyTo {
    /// The value that RabbitMQ's API calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "all" | "" => Self::All,
            "queues" => Self::Queues,
            "classic_queues" => Self::ClassicQueues,
            "quorum_queues" => Self::QuorumQueues,
            "streams" => Self::Streams,
            "exchanges" => Self::Exchanges,
            _ => return None,
        })
    }

    /// What RabbitMQ's API calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Queues => "queues",
            Self::ClassicQueues => "classic_queues",
            Self::QuorumQueues => "quorum_queues",
            Self::Streams => "streams",
            Self::Exchanges => "exchanges",
        }
    }

    fn covers_queues(self, queue_type: QueueType) -> bool {
        match self {
            Self::All | Self::Queues => true,
            Self::ClassicQueues => queue_type == QueueType::Classic,
            Self::QuorumQueues => queue_type == QueueType::Quorum,
            Self::Streams => queue_type == QueueType::Stream,
            Self::Exchanges => false,
        }
    }

    fn covers_exchanges(self) -> bool {
        matches!(self, Self::All | Self::Exchanges)
    }
}

/// A policy to set.
///
/// ```
/// use leveret::{AMQPValue, Broker, Policy};
///
/// let broker = Broker::new();
/// let host = broker.virtual_host("/").expect("the default virtual host");
/// let policy = Policy::new("^cache\\.").with("max-length", AMQPValue::LongInt(100));
/// host.set_policy("caches", policy)?;
/// # Ok::<(), leveret::PolicyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Regular expression that names have to match somewhere.
    pub pattern: String,
    /// What it is for.
    pub apply_to: ApplyTo,
    /// Of several policies that match, the one with the highest priority counts, alone.
    pub priority: i64,
    /// Settings: arguments of queues without `x-`, and `alternate-exchange`.
    pub definition: FieldTable,
}

impl Policy {
    /// A policy without settings for everything that matches.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), ..Self::default() }
    }

    /// With a setting.
    #[must_use]
    pub fn with(mut self, key: &str, value: amq_protocol::types::AMQPValue) -> Self {
        self.definition.insert(key.into(), value);
        self
    }
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// The pattern is not a regular expression.
    #[error("Validation failed\n\npattern: {0}\n")]
    Pattern(#[from] PatternError),
    /// There are no settings.
    #[error("Validation failed\n\nno policy provided\n")]
    Empty,
    /// Keys that nobody knows, with their values, as RabbitMQ prints them.
    #[error("Validation failed\n\n[{0}] are not recognised policy settings\n")]
    UnknownKeys(String),
    /// A value that the key cannot have.
    #[error("Validation failed\n\n{0}\n")]
    Value(String),
}

/// A policy that is in force.
pub(in crate::vhost) struct Parsed {
    pub(in crate::vhost) policy: Policy,
    pattern: Pattern,
    /// What it means for each type of queue.
    queues: Vec<QueueArguments>,
    alternate: Option<ExchangeName>,
}

/// The policies of a virtual host.
#[derive(Default)]
pub(in crate::vhost) struct Policies {
    /// By name.
    pub(in crate::vhost) user: ByName,
    pub(in crate::vhost) operator: ByName,
}

/// Policies by name.
pub(in crate::vhost) type ByName = BTreeMap<String, Arc<Parsed>>;

/// Of several policies the one that counts, with its name.
pub(in crate::vhost) fn best(
    policies: &ByName,
    covers: impl Fn(&Parsed) -> bool,
) -> Option<(&String, &Parsed)> {
    let policies = policies.iter().map(|(name, parsed)| (name, &**parsed));
    let covering = policies.filter(|(_, parsed)| covers(parsed));
    covering.max_by_key(|(_, parsed)| parsed.policy.priority)
}

impl Parsed {
    /// Whether it is for this queue.
    pub(in crate::vhost) fn covers_queue(&self, queue: &Queue) -> bool {
        self.policy.apply_to.covers_queues(queue.attributes().arguments.queue_type)
            && self.pattern.matches(queue.name().as_str())
    }

    /// Whether it is for this exchange.
    pub(in crate::vhost) fn covers_exchange(&self, exchange: &Exchange) -> bool {
        self.policy.apply_to.covers_exchanges() && self.pattern.matches(exchange.name().as_str())
    }
}

impl Policies {
    pub(in crate::vhost) fn of_kind(&mut self, is_operator: bool) -> &mut ByName {
        if is_operator { &mut self.operator } else { &mut self.user }
    }

    /// All of them: whether it is an operator policy, its name, and what it was set to.
    pub(in crate::vhost) fn list(&self) -> Vec<(bool, String, Policy)> {
        let of = |kind: &ByName, is_operator| {
            let policies = kind.iter();
            let named = policies.map(|(name, parsed)| (is_operator, name.clone(), &parsed.policy));
            named.map(|(is, name, policy)| (is, name, policy.clone())).collect::<Vec<_>>()
        };
        [of(&self.user, false), of(&self.operator, true)].concat()
    }

    pub(in crate::vhost) fn is_empty(&self) -> bool {
        self.user.is_empty() && self.operator.is_empty()
    }

    /// What policies say of a queue: the policy that counts, then the operator policy.
    pub(in crate::vhost) fn for_queue(&self, queue: &Queue) -> Vec<&QueueArguments> {
        let queue_type = queue.attributes().arguments.queue_type;
        let covers = |parsed: &Parsed| parsed.covers_queue(queue);
        [best(&self.user, covers), best(&self.operator, covers)]
            .into_iter()
            .flatten()
            .filter_map(|(_, policy)| {
                policy.queues.iter().find(|arguments| arguments.queue_type == queue_type)
            })
            .collect()
    }

    pub(in crate::vhost) fn alternate_for(&self, exchange: &Exchange) -> Option<ExchangeName> {
        let (_, policy) = best(&self.user, |parsed| parsed.covers_exchange(exchange))?;
        policy.alternate.clone()
    }
}

impl Policy {
    /// All keys have to be known.
    fn check_keys(&self, is_known: impl Fn(&str) -> bool) -> Result<(), PolicyError> {
        let settings = self.definition.inner().iter();
        let unknown = settings.filter(|(key, _)| !is_known(key.as_str())).map(|(key, value)| {
            let key = erlang_term::binary(key.as_str().as_bytes());
            format!("{{{key},{}}}", erlang_term::value(value))
        });
        let unknown: Vec<_> = unknown.collect();
        if unknown.is_empty() { Ok(()) } else { Err(PolicyError::UnknownKeys(unknown.join(","))) }
    }

    /// Mirrored queues are gone from RabbitMQ 4.0. Definitions of earlier versions have settings
    /// for them; who sets a policy by itself is told.
    pub(crate) fn refuse_mirroring(&self) -> Result<(), PolicyError> {
        self.check_keys(|key| !MIRRORING.contains(&key))
    }

    /// What RabbitMQ 4.3 does not permit.
    fn check_deprecated(&self) -> Result<(), PolicyError> {
        self.refuse_mirroring()?;
        if get(&self.definition, MASTER_LOCATOR).is_some() {
            let text = "use of deprecated queue-master-locator argument is not permitted";
            return Err(PolicyError::Value(text.into()));
        }
        Ok(())
    }

    pub(in crate::vhost) fn parse(&self) -> Result<Parsed, PolicyError> {
        if self.definition.inner().is_empty() {
            return Err(PolicyError::Empty);
        }
        policy_values::check(&self.definition).map_err(PolicyError::Value)?;
        let keys = self.definition.inner().keys().map(|key| key.as_str());
        let has_no_effect = |key: &str| WITHOUT_EFFECT.contains(&key) || MIRRORING.contains(&key);
        self.check_keys(|key| {
            QueueArguments::is_policy_key(key)
                || key == ALTERNATE_EXCHANGE
                || FEDERATION.contains(&key)
                || has_no_effect(key)
        })?;
        if keys.clone().filter(|key| FEDERATION.contains(key)).count() > 1 {
            return Err(PolicyError::Value(format!("cannot specify {TOGETHER} together")));
        }
        for key in keys.filter(|key| has_no_effect(key)) {
            tracing::warn!("policy setting {key} has no effect: there is one node");
        }
        let invalid = |error: ArgumentError| {
            // The text names an argument of a queue; here it is a setting of the policy.
            PolicyError::Value(error.explain("policy").replace("arg 'x-", "setting '"))
        };
        let parse = |kind| QueueArguments::from_policy(&self.definition, kind).map_err(invalid);
        let alternate = match get(&self.definition, ALTERNATE_EXCHANGE) {
            None => None,
            Some(value) => Some(ExchangeName::from(string(value).ok_or_else(|| {
                PolicyError::Value(format!("{ALTERNATE_EXCHANGE} is not a string"))
            })?)),
        };
        Ok(Parsed {
            // As a permission an empty pattern grants nothing; as a policy it matches everything.
            pattern: match self.pattern.as_str() {
                "" => Pattern::anything(),
                pattern => Pattern::new(pattern)?,
            },
            policy: self.clone(),
            queues: QueueType::ALL.into_iter().map(parse).collect::<Result<_, _>>()?,
            alternate,
        })
    }
}

impl VirtualHost {
    /// Sets a policy, in place of one of that name, with effect on existing queues and exchanges
    /// at once. A shorter time to live applies to messages that come from now on.
    ///
    /// # Errors
    /// If the pattern, a key or a value cannot be used; nothing changes then.
    pub(crate) fn set_policy(
        self: &Arc<Self>,
        name: &str,
        policy: Policy,
    ) -> Result<(), PolicyError> {
        if self.denies_deprecated() {
            policy.check_deprecated()?;
        }
        let parsed = policy.parse()?;
        self.change_policy(false, name, Some(parsed));
        Ok(())
    }

    /// Removes a policy; tells whether there was one.
    pub(crate) fn remove_policy(self: &Arc<Self>, name: &str) -> bool {
        self.change_policy(false, name, None)
    }

    /// Sets an operator policy: limits that no other policy and no argument exceeds
    /// `[rabbitmq parameters#operator-policies]`.
    ///
    /// # Errors
    /// As [`VirtualHost::set_policy`]; only limits can be set.
    pub(crate) fn set_operator_policy(
        self: &Arc<Self>,
        name: &str,
        policy: Policy,
    ) -> Result<(), PolicyError> {
        policy.check_keys(|key| OPERATOR_KEYS.contains(&key))?;
        let parsed = policy.parse()?;
        self.change_policy(true, name, Some(parsed));
        Ok(())
    }

    /// Removes an operator policy; tells whether there was one.
    pub(crate) fn remove_operator_policy(self: &Arc<Self>, name: &str) -> bool {
        self.change_policy(true, name, None)
    }
}
