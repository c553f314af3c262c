//! Bringing definitions into a broker `[rabbitmq definitions]`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::access::{Actor, Permissions, ResourceKind};
use crate::definitions::arguments::to_field_table;
use crate::definitions::{
    ArgumentError, Definitions, DefinitionsError, DestinationType, JsonObject, ParameterDefinition,
    PolicyDefinition, VirtualHostDefinition, apply_users,
};
use crate::error::Error;
use crate::names::{RESERVED_PREFIX, UserName};
use crate::node::Node;
use crate::queue::effects::Effects;
use crate::vhost::{
    ApplyTo, Bind, ExchangeDeclare, HostLimits, HostMetadata, Policy, PolicyError, QueueDeclare,
    VirtualHost,
};

/// An object of the definitions that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Users or permissions are bad.
    #[error(transparent)]
    Users(#[from] DefinitionsError),
    /// The object names a virtual host that is not among the definitions.
    #[error("{object}: there is no virtual host '{virtual_host}'")]
    VirtualHost {
        /// What was to be created.
        object: String,
        /// Where.
        virtual_host: String,
    },
    /// An argument is not of a type that AMQP has.
    #[error("{object}: {reason}")]
    Argument {
        /// What was to be created.
        object: String,
        /// What is wrong.
        reason: ArgumentError,
    },
    /// A policy is refused.
    #[error("{object}: {reason}")]
    Policy {
        /// What was to be created.
        object: String,
        /// What is wrong.
        reason: PolicyError,
    },
    /// The broker refuses the object, for the reason that a client would get.
    #[error("{object}: {reason}")]
    Refused {
        /// What was to be created.
        object: String,
        /// Why not.
        reason: Error,
    },
    /// What was created does not survive a restart.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// How definitions are brought in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Importing {
    /// Who does it, and gets all permissions in the virtual hosts that are created; `None` for the
    /// broker itself.
    pub user: Option<UserName>,
    /// A queue or an exchange that exists stays as it is, even if the definitions have it
    /// otherwise; else that is an error.
    pub existing_stay: bool,
}

/// Creates everything that the definitions hold.
pub(crate) fn import(
    definitions: &Definitions,
    node: &Node,
    importing: &Importing,
) -> Result<(), ImportError> {
    let importer = Importer { node, importing };
    importer.virtual_hosts(definitions);
    apply_users(definitions, &node.access)?;
    importer.parameters(definitions)?;
    importer.policies(definitions)?;
    importer.exchanges(definitions)?;
    importer.queues(definitions)?;
    importer.bindings(definitions)
}

/// What the definitions say of a virtual host besides its name; `None` if that is nothing.
fn metadata(host: &VirtualHostDefinition) -> Option<HostMetadata> {
    let in_metadata = |name: &str| host.metadata.get(name);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let description =
        host.description.clone().or_else(|| in_metadata("description").and_then(text));
    let listed = || in_metadata("tags").and_then(Value::as_array).into_iter().flatten();
    let tags =
        if host.tags.is_empty() { listed().filter_map(text).collect() } else { host.tags.clone() };
    let protected = in_metadata("protected_from_deletion").and_then(Value::as_bool);
    let metadata = HostMetadata {
        description: description.unwrap_or_default(),
        tags,
        default_queue_type: host.default_queue_type().map(str::to_owned),
        protected_from_deletion: protected.unwrap_or(false),
        created_by: String::new(),
    };
    (metadata != HostMetadata::default()).then_some(metadata)
}

/// The component of parameters that are operator policies.
const OPERATOR_POLICY: &str = "operator_policy";

/// The component of parameters that are limits of virtual hosts.
const VHOST_LIMITS: &str = "vhost-limits";

/// The value of such a parameter.
#[derive(Deserialize)]
struct OperatorPolicy {
    pattern: String,
    #[serde(default, rename = "apply-to")]
    apply_to: String,
    #[serde(default)]
    priority: i64,
    definition: JsonObject,
}

impl OperatorPolicy {
    fn into_definition(self) -> PolicyDefinition {
        let Self { pattern, apply_to, priority, definition } = self;
        PolicyDefinition {
            vhost: None,
            name: String::new(),
            pattern,
            apply_to,
            definition,
            priority,
        }
    }
}

fn parse_policy(object: &str, policy: &PolicyDefinition) -> Result<Policy, ImportError> {
    let apply_to = ApplyTo::from_name(&policy.apply_to).ok_or_else(|| {
        let reason = PolicyError::Value(format!("apply-to '{}' is not known", policy.apply_to));
        ImportError::Policy { object: object.to_owned(), reason }
    })?;
    let definition = to_field_table(&policy.definition)
        .map_err(|reason| ImportError::Argument { object: object.to_owned(), reason })?;
    Ok(Policy { pattern: policy.pattern.clone(), apply_to, priority: policy.priority, definition })
}

struct Importer<'a> {
    node: &'a Node,
    importing: &'a Importing,
}

impl Importer<'_> {
    fn virtual_hosts(&self, definitions: &Definitions) {
        for definition in &definitions.vhosts {
            let described = metadata(definition);
            let user = self.importing.user.as_ref();
            let metadata = HostMetadata {
                created_by: user.map(ToString::to_string).unwrap_or_default(),
                ..described.clone().unwrap_or_default()
            };
            let (host, is_new) =
                self.node.put_virtual_host(definition.name.as_str().into(), metadata);
            match (is_new, described, user) {
                (true, _, Some(user)) => {
                    let full = Permissions::full();
                    self.node.access.permissions.set(user.clone(), host.name().clone(), full);
                }
                (false, Some(described), _) => {
                    let created_by = host.metadata().created_by.clone();
                    self.node
                        .describe_virtual_host(&host, HostMetadata { created_by, ..described });
                }
                _ => {}
            }
        }
    }

    fn parameters(&self, definitions: &Definitions) -> Result<(), ImportError> {
        for parameter in &definitions.global_parameters {
            self.node.set_global_parameter(&parameter.name, parameter.value.clone());
        }
        let of_limits = |parameter: &&ParameterDefinition| parameter.component == VHOST_LIMITS;
        for parameter in definitions.parameters.iter().filter(of_limits) {
            let object = "limits of a virtual host".to_owned();
            let host = self.host(&object, parameter.vhost.as_deref())?;
            let limits = HostLimits::deserialize(&parameter.value).map_err(|error| {
                let name = host.name().to_string();
                ImportError::Argument {
                    object,
                    reason: ArgumentError { name, reason: error.to_string() },
                }
            })?;
            self.node.set_host_limits(&host, limits);
        }
        let known = [OPERATOR_POLICY, VHOST_LIMITS];
        let left_out = definitions.parameters.iter();
        let left_out = left_out.filter(|p| !known.contains(&p.component.as_str())).count();
        if left_out > 0 {
            tracing::warn!(
                "{left_out} parameters of the definitions have no effect in this version"
            );
        }
        Ok(())
    }

    fn policies(&self, definitions: &Definitions) -> Result<(), ImportError> {
        for policy in &definitions.policies {
            let object = format!("policy '{}'", policy.name);
            let host = self.host(&object, policy.vhost.as_deref())?;
            let parsed = parse_policy(&object, policy)?;
            let set = host.set_policy(&policy.name, parsed);
            set.map_err(|reason| ImportError::Policy { object, reason })?;
        }
        // Operator policies are kept among the parameters.
        for parameter in definitions.parameters.iter().filter(|p| p.component == OPERATOR_POLICY) {
            let object = format!("operator policy '{}'", parameter.name);
            let host = self.host(&object, parameter.vhost.as_deref())?;
            let policy = OperatorPolicy::deserialize(&parameter.value).map_err(|error| {
                let reason = PolicyError::Value(error.to_string());
                ImportError::Policy { object: object.clone(), reason }
            })?;
            let parsed = parse_policy(&object, &policy.into_definition())?;
            let set = host.set_operator_policy(&parameter.name, parsed);
            set.map_err(|reason| ImportError::Policy { object, reason })?;
        }
        Ok(())
    }

    fn exchanges(&self, definitions: &Definitions) -> Result<(), ImportError> {
        // Those that the broker has from the start are part of every export.
        let own = |name: &str| name.is_empty() || name.starts_with(RESERVED_PREFIX);
        for exchange in definitions.exchanges.iter().filter(|exchange| !own(&exchange.name)) {
            let object = format!("exchange '{}'", exchange.name);
            let host = self.host(&object, exchange.vhost.as_deref())?;
            if self.importing.existing_stay && host.exchange(&exchange.name).is_ok() {
                continue;
            }
            let actor = self.actor(&host);
            let arguments = to_field_table(&exchange.arguments)
                .map_err(|reason| ImportError::Argument { object: object.clone(), reason })?;
            let declare = ExchangeDeclare {
                exchange: exchange.name.clone(),
                kind: exchange.exchange_type.clone(),
                passive: false,
                durable: exchange.durable,
                auto_delete: exchange.auto_delete,
                internal: exchange.internal,
                arguments,
            };
            let mut effects = Effects::new();
            let declared = host.exchange_declare(&actor, &declare, &mut effects);
            host.run(&mut effects);
            declared.map_err(|reason| ImportError::Refused { object, reason })?;
        }
        Ok(())
    }

    fn queues(&self, definitions: &Definitions) -> Result<(), ImportError> {
        for queue in &definitions.queues {
            let object = format!("queue '{}'", queue.name);
            let host = self.host(&object, queue.vhost.as_deref())?;
            if self.importing.existing_stay && host.queue(&queue.name).is_ok() {
                continue;
            }
            if queue.name.starts_with("amq.") {
                tracing::warn!("{object} of the definitions is left out: such names are made up");
                continue;
            }
            let actor = self.actor(&host);
            let arguments = to_field_table(&queue.arguments)
                .map_err(|reason| ImportError::Argument { object: object.clone(), reason })?;
            let declare = QueueDeclare {
                queue: queue.name.clone(),
                passive: false,
                durable: queue.durable,
                exclusive: false,
                auto_delete: queue.auto_delete,
                arguments,
            };
            let mut effects = Effects::new();
            let declared = host.queue_declare(&actor, &declare, &mut effects);
            host.run(&mut effects);
            declared.map_err(|reason| ImportError::Refused { object, reason })?;
        }
        Ok(())
    }

    fn bindings(&self, definitions: &Definitions) -> Result<(), ImportError> {
        for binding in definitions.bindings.iter().filter(|binding| !binding.source.is_empty()) {
            let object = format!("binding of '{}' to '{}'", binding.destination, binding.source);
            let host = self.host(&object, binding.vhost.as_deref())?;
            let actor = self.actor(&host);
            let arguments = to_field_table(&binding.arguments)
                .map_err(|reason| ImportError::Argument { object: object.clone(), reason })?;
            let bind = Bind {
                kind: match binding.destination_type {
                    DestinationType::Queue => ResourceKind::Queue,
                    DestinationType::Exchange => ResourceKind::Exchange,
                },
                destination: &binding.destination,
                source: &binding.source,
                routing_key: binding.routing_key.as_bytes(),
                arguments: &arguments,
            };
            let mut effects = Effects::new();
            let bound = host.bind(&actor, &bind, &mut effects);
            host.run(&mut effects);
            bound.map_err(|reason| ImportError::Refused { object, reason })?;
        }
        Ok(())
    }

    fn host(
        &self,
        object: &str,
        virtual_host: Option<&str>,
    ) -> Result<Arc<VirtualHost>, ImportError> {
        let name = virtual_host.unwrap_or("/");
        self.node.virtual_host(name).ok_or_else(|| ImportError::VirtualHost {
            object: object.to_owned(),
            virtual_host: name.to_owned(),
        })
    }

    /// Who acts in a virtual host: the broker itself, whatever the user may.
    fn actor(&self, host: &VirtualHost) -> Actor {
        let access = Arc::clone(&self.node.access);
        Actor::trusted(self.importing.user.as_ref(), host.name().clone(), access)
    }
}
