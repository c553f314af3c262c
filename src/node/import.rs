//! Bringing definitions into a broker `[rabbitmq definitions]`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::access::{Actor, Permissions, ResourceKind};
use crate::base::names::{RESERVED_PREFIX, UserName};
use crate::definitions::json::object_or_pairs;
use crate::definitions::{
    BindingDefinition, Definitions, DestinationType, ExchangeDefinition, JsonObject,
    ParameterDefinition, PolicyDefinition, QueueDefinition, RefusedObject, VirtualHostDefinition,
    apply_good_users, to_field_table,
};
use crate::error::Error;
use crate::node::Node;
use crate::queue::QueueType;
use crate::queue::effects::Effects;
use crate::vhost::{
    ApplyTo, Bind, ExchangeDeclare, HostLimits, HostMetadata, Policy, QueueDeclare, VirtualHost,
};

/// Why not all that definitions hold is there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// These objects cannot be had. All others are there.
    #[error("{}", list(.0))]
    Refused(Vec<RefusedObject>),
    /// What was created does not survive a restart.
    #[error(transparent)]
    Storage(#[from] Error),
}

fn list(refused: &[RefusedObject]) -> String {
    let each: Vec<_> = refused.iter().map(ToString::to_string).collect();
    each.join("; ")
}

/// How definitions are brought in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Importing {
    /// Who does it, and gets all permissions in the virtual hosts that are created; `None` for the
    /// broker itself.
    pub user: Option<UserName>,
    /// As RabbitMQ does it: a queue or an exchange that exists stays as it is, even if the
    /// definitions have it otherwise, and a binding that cannot be had is left out; else these are
    /// errors.
    pub as_rabbitmq: bool,
}

/// Creates everything that the definitions hold; tells what cannot be had.
pub(crate) fn import(
    definitions: &Definitions,
    node: &Node,
    importing: &Importing,
) -> Vec<RefusedObject> {
    let mut importer = Importer { node, importing, refused: Vec::new() };
    importer.virtual_hosts(definitions);
    importer.users(definitions);
    for parameter in &definitions.global_parameters {
        node.set_global_parameter(&parameter.name, parameter.value.clone());
    }
    importer.policies(definitions);
    importer.exchanges(definitions);
    // Limits that let more queues in come first, and others last: there may be more queues than a
    // limit allows that was set when they were there.
    importer.host_limits(definitions, true);
    importer.queues(definitions);
    importer.bindings(definitions);
    importer.host_limits(definitions, false);
    importer.components(definitions);
    importer.refused
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
    // `rabbitmqctl export_definitions` has it as a list of pairs.
    #[serde(deserialize_with = "object_or_pairs")]
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

fn parse_policy(policy: &PolicyDefinition) -> Result<Policy, Reason> {
    let apply_to = ApplyTo::from_name(&policy.apply_to)
        .ok_or_else(|| format!("apply-to '{}' is not known", policy.apply_to))?;
    let definition = to_field_table(&policy.definition)?;
    Ok(Policy { pattern: policy.pattern.clone(), apply_to, priority: policy.priority, definition })
}

/// Why an object cannot be had.
type Reason = Box<dyn std::error::Error>;

struct Importer<'a> {
    node: &'a Node,
    importing: &'a Importing,
    refused: Vec<RefusedObject>,
}

impl Importer<'_> {
    /// Goes on whatever becomes of the object.
    fn note(&mut self, object: String, made: Result<(), Reason>) {
        if let Err(reason) = made {
            self.refused.push(RefusedObject { object, reason: reason.to_string() });
        }
    }

    fn virtual_hosts(&mut self, definitions: &Definitions) {
        for definition in &definitions.vhosts {
            let made = self.virtual_host(definition);
            self.note(format!("virtual host '{}'", definition.name), made);
        }
    }

    /// One whose default queue type is not known is there all the same: what is in it would be
    /// lost otherwise.
    fn virtual_host(&self, definition: &VirtualHostDefinition) -> Result<(), Reason> {
        check_length(&definition.name)?;
        let mut described = metadata(definition);
        let named = described.as_mut().and_then(|metadata| {
            metadata.default_queue_type.take_if(|name| QueueType::from_name(name).is_none())
        });
        let user = self.importing.user.as_ref();
        let metadata = HostMetadata {
            created_by: user.map(ToString::to_string).unwrap_or_default(),
            ..described.clone().unwrap_or_default()
        };
        let (host, is_new) = self.node.put_virtual_host(definition.name.as_str().into(), metadata);
        match (is_new, described, user) {
            (true, _, Some(user)) => {
                let full = Permissions::full();
                self.node.access.permissions.set(user.clone(), host.name().clone(), full);
            }
            (false, Some(described), _) => {
                let created_by = host.metadata().created_by.clone();
                self.node.describe_virtual_host(&host, HostMetadata { created_by, ..described });
            }
            _ => {}
        }
        match named {
            Some(name) => Err(format!("the default queue type '{name}' is not known").into()),
            None => Ok(()),
        }
    }

    fn users(&mut self, definitions: &Definitions) {
        let has_host = |name: &str| self.node.virtual_host(name).is_some();
        let refused = apply_good_users(definitions, &self.node.access, &has_host);
        self.refused.extend(refused);
    }

    fn host_limits(&mut self, definitions: &Definitions, are_raised: bool) {
        let of_limits = |parameter: &&ParameterDefinition| parameter.component == VHOST_LIMITS;
        for parameter in definitions.parameters.iter().filter(of_limits) {
            let name = parameter.vhost.as_deref().unwrap_or("/");
            let made = self.limits(parameter, are_raised);
            if !are_raised {
                self.note(format!("limits of virtual host '{name}'"), made);
            }
        }
    }

    /// What makes use of all the rest comes last.
    fn components(&mut self, definitions: &Definitions) {
        let known = [OPERATOR_POLICY, VHOST_LIMITS];
        let rest = definitions.parameters.iter();
        let rest = rest.filter(|parameter| !known.contains(&parameter.component.as_str()));
        let (components, left_out): (Vec<_>, Vec<_>) =
            rest.partition(|parameter| self.node.has_component(&parameter.component));
        for parameter in components {
            let made = self.component(parameter);
            self.note(format!("{} '{}'", parameter.component, parameter.name), made);
        }
        if !left_out.is_empty() {
            let left_out = left_out.len();
            tracing::warn!(
                "{left_out} parameters of the definitions have no effect in this version"
            );
        }
    }

    fn component(&self, parameter: &ParameterDefinition) -> Result<(), Reason> {
        let host = self.host(parameter.vhost.as_deref())?;
        let by_name = (parameter.component.as_str(), parameter.name.as_str());
        let set = self.node.set_host_parameter(&host, by_name, parameter.value.clone(), None);
        set.map(drop).map_err(|wrong| wrong.join("; ").into())
    }

    /// Sets limits if they let more queues in, or if they do not.
    fn limits(&self, parameter: &ParameterDefinition, are_raised: bool) -> Result<(), Reason> {
        let host = self.host(parameter.vhost.as_deref())?;
        let mut limits = HostLimits::deserialize(&parameter.value)?;
        let mut names = parameter.value.as_object().into_iter().flat_map(JsonObject::keys);
        if let Some(unknown) = names.find(|name| limits.named(name).is_none()) {
            return Err(format!("there is no limit '{unknown}'").into());
        }
        let lets_more_in = host
            .limits()
            .queues()
            .is_some_and(|known| limits.queues().is_none_or(|limit| limit > known));
        if lets_more_in == are_raised {
            self.node.set_host_limits(&host, limits);
        }
        Ok(())
    }

    fn policies(&mut self, definitions: &Definitions) {
        for policy in &definitions.policies {
            let made = self.policy(policy);
            self.note(format!("policy '{}'", policy.name), made);
        }
        // Operator policies are kept among the parameters.
        for parameter in definitions.parameters.iter().filter(|p| p.component == OPERATOR_POLICY) {
            let made = self.operator_policy(parameter);
            self.note(format!("operator policy '{}'", parameter.name), made);
        }
    }

    fn policy(&self, policy: &PolicyDefinition) -> Result<(), Reason> {
        let host = self.host(policy.vhost.as_deref())?;
        Ok(host.set_policy(&policy.name, parse_policy(policy)?)?)
    }

    fn operator_policy(&self, parameter: &ParameterDefinition) -> Result<(), Reason> {
        let host = self.host(parameter.vhost.as_deref())?;
        let policy = OperatorPolicy::deserialize(&parameter.value)?.into_definition();
        Ok(host.set_operator_policy(&parameter.name, parse_policy(&policy)?)?)
    }

    fn exchanges(&mut self, definitions: &Definitions) {
        // Those that the broker has from the start are part of every export.
        let own = |name: &str| name.is_empty() || name.starts_with(RESERVED_PREFIX);
        for exchange in definitions.exchanges.iter().filter(|exchange| !own(&exchange.name)) {
            let made = self.exchange(exchange);
            self.note(format!("exchange '{}'", exchange.name), made);
        }
    }

    fn exchange(&self, exchange: &ExchangeDefinition) -> Result<(), Reason> {
        check_length(&exchange.name)?;
        let host = self.host(exchange.vhost.as_deref())?;
        if self.importing.as_rabbitmq && host.exchange(&exchange.name).is_ok() {
            return Ok(());
        }
        let declare = ExchangeDeclare {
            exchange: exchange.name.clone(),
            kind: exchange.exchange_type.clone(),
            passive: false,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: to_field_table(&exchange.arguments)?,
        };
        let mut effects = Effects::new();
        let declared = host.exchange_declare(&self.actor(&host), &declare, &mut effects);
        host.run(&mut effects);
        Ok(declared?)
    }

    fn queues(&mut self, definitions: &Definitions) {
        for queue in &definitions.queues {
            if queue.name.starts_with(RESERVED_PREFIX) {
                let name = &queue.name;
                tracing::warn!(
                    "queue '{name}' of the definitions is left out: its name was made up"
                );
                continue;
            }
            let made = self.queue(queue);
            self.note(format!("queue '{}'", queue.name), made);
        }
    }

    fn queue(&self, queue: &QueueDefinition) -> Result<(), Reason> {
        check_length(&queue.name)?;
        if queue.name.is_empty() {
            return Err("it has no name".into());
        }
        let host = self.host(queue.vhost.as_deref())?;
        if self.importing.as_rabbitmq && host.queue(&queue.name).is_ok() {
            return Ok(());
        }
        let declare = QueueDeclare {
            queue: queue.name.clone(),
            passive: false,
            durable: queue.durable,
            exclusive: false,
            auto_delete: queue.auto_delete,
            arguments: to_field_table(&queue.arguments)?,
        };
        let mut effects = Effects::new();
        let declared = host.queue_declare(&self.actor(&host), &declare, &mut effects);
        host.run(&mut effects);
        Ok(declared.map(drop)?)
    }

    fn bindings(&mut self, definitions: &Definitions) {
        for binding in definitions.bindings.iter().filter(|binding| !binding.source.is_empty()) {
            let made = self.binding(binding);
            let (source, destination) = (&binding.source, &binding.destination);
            let named = format!("binding of '{destination}' to '{source}'");
            match made {
                // RabbitMQ exports those of exclusive queues, too, without the queues.
                Err(reason) if self.importing.as_rabbitmq => {
                    tracing::warn!("{named} of the definitions is left out: {reason}");
                }
                made => self.note(named, made),
            }
        }
    }

    fn binding(&self, binding: &BindingDefinition) -> Result<(), Reason> {
        check_length(&binding.routing_key)?;
        let host = self.host(binding.vhost.as_deref())?;
        let arguments = to_field_table(&binding.arguments)?;
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
        let bound = host.bind(&self.actor(&host), &bind, &mut effects);
        host.run(&mut effects);
        Ok(bound?)
    }

    fn host(&self, name: Option<&str>) -> Result<Arc<VirtualHost>, Reason> {
        let name = name.unwrap_or("/");
        let host = self.node.virtual_host(name);
        host.ok_or_else(|| format!("there is no virtual host '{name}'").into())
    }

    /// Who acts in a virtual host: the broker itself, whatever the user may.
    fn actor(&self, host: &VirtualHost) -> Actor {
        let access = Arc::clone(&self.node.access);
        Actor::trusted(self.importing.user.as_ref(), host.name().clone(), access)
    }
}

/// No method can name what is longer.
fn check_length(name: &str) -> Result<(), Reason> {
    if name.len() > usize::from(u8::MAX) {
        return Err("its name has more than 255 octets".into());
    }
    Ok(())
}
