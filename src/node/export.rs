//! What the broker has, as definitions `[rabbitmq definitions]`.

use serde_json::Value;

use crate::access::ResourceKind;
use crate::base::argument;
use crate::definitions::arguments::from_field_table;
use crate::definitions::{
    BindingDefinition, Definitions, DestinationType, ExchangeDefinition, GlobalParameterDefinition,
    JsonObject, ParameterDefinition, PolicyDefinition, QueueDefinition, VirtualHostDefinition,
    export_users,
};
use crate::node::Node;
use crate::queue::{Queue, QueueType};
use crate::vhost::{HostLimits, HostMetadata, Policy, VirtualHost};

/// The definitions of the whole broker.
pub(crate) fn export(node: &Node) -> Definitions {
    let mut definitions = Definitions::default();
    export_users(&node.access, &mut definitions);
    let parameters = node.global_parameters.list().into_iter();
    definitions.global_parameters =
        parameters.map(|(name, value)| GlobalParameterDefinition { name, value }).collect();
    let mut hosts = node.all_virtual_hosts();
    hosts.sort_unstable_by(|one, other| one.name().cmp(other.name()));
    for host in hosts {
        definitions.vhosts.push(describe(&host));
        let name = host.name().to_string();
        add_contents(&host, Some(&name), &mut definitions);
        add_components(node, &host, Some(&name), &mut definitions);
    }
    definitions
}

/// The definitions of a virtual host, whose objects do not name it.
pub(crate) fn export_virtual_host(node: &Node, host: &VirtualHost) -> Definitions {
    let mut definitions = Definitions::default();
    add_contents(host, None, &mut definitions);
    add_components(node, host, None, &mut definitions);
    definitions
}

fn describe(host: &VirtualHost) -> VirtualHostDefinition {
    let metadata = host.metadata();
    VirtualHostDefinition {
        name: host.name().to_string(),
        description: Some(metadata.description.clone()),
        tags: metadata.tags.clone(),
        default_queue_type: Some(default_queue_type(&metadata).to_owned()),
        metadata: metadata_of(host),
    }
}

fn default_queue_type(metadata: &HostMetadata) -> &str {
    metadata.default_queue_type.as_deref().unwrap_or(QueueType::Classic.as_str())
}

/// What is known of a virtual host besides its name.
pub(crate) fn metadata_of(host: &VirtualHost) -> JsonObject {
    let metadata = host.metadata();
    let mut shown = JsonObject::new();
    shown.insert("description".into(), metadata.description.as_str().into());
    shown.insert("tags".into(), metadata.tags.clone().into());
    shown.insert("default_queue_type".into(), default_queue_type(&metadata).into());
    if metadata.protected_from_deletion {
        shown.insert("protected_from_deletion".into(), true.into());
    }
    shown
}

/// The arguments of a queue, its type among them.
pub(crate) fn arguments_of(queue: &Queue) -> JsonObject {
    let attributes = queue.attributes();
    let mut arguments = from_field_table(&attributes.table);
    let queue_type = attributes.arguments.queue_type.as_str();
    arguments.entry(argument::QUEUE_TYPE).or_insert_with(|| queue_type.into());
    arguments
}

/// A policy as a parameter has it.
pub(crate) fn policy_value(policy: &Policy) -> JsonObject {
    let mut value = JsonObject::new();
    value.insert("pattern".into(), policy.pattern.as_str().into());
    value.insert("apply-to".into(), policy.apply_to.as_str().into());
    value.insert("definition".into(), from_field_table(&policy.definition).into());
    value.insert("priority".into(), policy.priority.into());
    value
}

/// Adds the parameters of components, such as shovels.
fn add_components(
    node: &Node,
    host: &VirtualHost,
    vhost: Option<&str>,
    definitions: &mut Definitions,
) {
    let vhost = vhost.map(str::to_owned);
    let all = node.host_parameters(host.name().as_str()).into_iter();
    definitions.parameters.extend(all.map(|(component, name, value)| ParameterDefinition {
        vhost: vhost.clone(),
        component: component.into(),
        name,
        value,
    }));
}

/// Adds what is in a virtual host, sorted by name. Exclusive queues end with their connections:
/// they and what leads to them are left out.
fn add_contents(host: &VirtualHost, vhost: Option<&str>, definitions: &mut Definitions) {
    let vhost = vhost.map(str::to_owned);
    if host.limits() != HostLimits::default() {
        definitions.parameters.push(ParameterDefinition {
            vhost: vhost.clone(),
            component: "vhost-limits".into(),
            name: "limits".into(),
            value: serde_json::to_value(host.limits()).unwrap_or_default(),
        });
    }
    for (is_operator, name, policy) in host.list_policies() {
        if is_operator {
            definitions.parameters.push(ParameterDefinition {
                vhost: vhost.clone(),
                component: "operator_policy".into(),
                name,
                value: Value::Object(policy_value(&policy)),
            });
            continue;
        }
        definitions.policies.push(PolicyDefinition {
            vhost: vhost.clone(),
            name,
            apply_to: policy.apply_to.as_str().to_owned(),
            definition: from_field_table(&policy.definition),
            priority: policy.priority,
            pattern: policy.pattern,
        });
    }
    let mut queues = host.queues();
    queues.retain(|queue| queue.attributes().owner.is_none());
    queues.sort_unstable_by(|one, other| one.name().cmp(other.name()));
    definitions.queues.extend(queues.iter().map(|queue| QueueDefinition {
        name: queue.name().to_string(),
        vhost: vhost.clone(),
        durable: queue.attributes().durable,
        auto_delete: queue.attributes().auto_delete,
        queue_type: None,
        arguments: arguments_of(queue),
    }));
    let mut exchanges = host.exchanges();
    exchanges
        .retain(|exchange| !exchange.is_default() && !exchange.name().as_str().starts_with("amq."));
    exchanges.sort_unstable_by(|one, other| one.name().cmp(other.name()));
    definitions.exchanges.extend(exchanges.iter().map(|exchange| ExchangeDefinition {
        name: exchange.name().to_string(),
        vhost: vhost.clone(),
        exchange_type: exchange.attributes().kind.as_str().to_owned(),
        durable: exchange.attributes().durable,
        auto_delete: exchange.attributes().auto_delete,
        internal: exchange.attributes().internal,
        arguments: from_field_table(&exchange.attributes().table),
    }));
    add_bindings(host, vhost.as_ref(), definitions);
}

fn add_bindings(host: &VirtualHost, vhost: Option<&String>, definitions: &mut Definitions) {
    let mut bindings = host.explicit_bindings();
    bindings.retain(|binding| !binding.is_exclusive);
    bindings.sort_by(|one, other| {
        (&one.source, &one.destination, &one.routing_key).cmp(&(
            &other.source,
            &other.destination,
            &other.routing_key,
        ))
    });
    definitions.bindings.extend(bindings.into_iter().map(|binding| BindingDefinition {
        source: binding.source.to_string(),
        vhost: vhost.cloned(),
        destination: binding.destination,
        destination_type: match binding.kind {
            ResourceKind::Queue => DestinationType::Queue,
            ResourceKind::Exchange => DestinationType::Exchange,
        },
        routing_key: String::from_utf8_lossy(&binding.routing_key).into_owned(),
        arguments: from_field_table(&binding.arguments),
    }));
}
