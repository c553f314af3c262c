//! Runtime parameters of virtual hosts, by component, and of the whole node
//! `[rabbitmq parameters]`.

use std::sync::Arc;

use serde_json::Value;

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::{limits, policies};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, one, whole};
use crate::management::rights::Who::{Administrators, Managers, Policymakers, PolicymakersOfHost};
use crate::management::term;
use crate::node::Node;
use crate::node::export::policy_value;
use crate::node::parameters::CLUSTER_NAME;
use crate::vhost::{HostLimits, VirtualHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/parameters", PolicymakersOfHost, list, "All parameters of virtual hosts."),
    get("api/parameters/{component}", PolicymakersOfHost, list, "Those of a component."),
    get(
        "api/parameters/{component}/{vhost}",
        PolicymakersOfHost,
        list,
        "Those of a component in a virtual host.",
    ),
    get("api/parameters/{component}/{vhost}/{name}", PolicymakersOfHost, show, "A parameter."),
    put(
        "api/parameters/{component}/{vhost}/{name}",
        PolicymakersOfHost,
        set,
        "Sets one: {\"value\"}. Known are vhost-limits, operator_policy, shovel, \
         federation-upstream(-set).",
    ),
    delete("api/parameters/{component}/{vhost}/{name}", PolicymakersOfHost, remove, "Removes one."),
    get("api/global-parameters", Policymakers, list_global, "The parameters of the node."),
    get("api/global-parameters/{name}", Policymakers, show_global, "One of them."),
    put(
        "api/global-parameters/{name}",
        Policymakers,
        set_global,
        "Sets one: {\"value\"}, any JSON.",
    ),
    delete("api/global-parameters/{name}", Policymakers, remove_global, "Removes one."),
    get("api/cluster-name", Managers, cluster_name, "What the cluster is called."),
    put("api/cluster-name", Administrators, set_cluster_name, "Names it: {\"name\"}."),
];

/// The component whose parameter `limits` are the limits of a virtual host.
const VHOST_LIMITS: &str = "vhost-limits";
const LIMITS: &str = "limits";
const POLICY: &str = "policy";
const OPERATOR_POLICY: &str = "operator_policy";

fn row(host: &VirtualHost, component: &str, name: &str, value: impl Into<Value>) -> Object {
    let value = value.into();
    object! {
        "vhost": host.name().as_str(), "component": component, "name": name, "value": value,
    }
}

/// The parameters of a virtual host. Policies of users are among them only if they are asked for.
fn of_host(node: &Node, host: &VirtualHost, component: Option<&str>) -> Vec<Object> {
    let of_policies = |operator, component| {
        let policies = policies::of_host(host, operator).into_iter();
        policies.map(move |(name, policy)| row(host, component, &name, policy_value(&policy)))
    };
    match component {
        Some(POLICY) => of_policies(false, POLICY).collect(),
        _ => {
            let limits = (host.limits() != HostLimits::default())
                .then(|| row(host, VHOST_LIMITS, LIMITS, limits::render(host.limits())));
            let others = node.host_parameters(host.name().as_str()).into_iter();
            let others = others.map(|(component, name, value)| row(host, component, &name, value));
            let others = others.chain(of_policies(true, OPERATOR_POLICY));
            let mut rows: Vec<_> = limits.into_iter().chain(others).collect();
            if let Some(component) = component {
                rows.retain(|row| row.get("component").and_then(Value::as_str) == Some(component));
            }
            rows
        }
    }
}

fn list(call: &Call) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    let component = Some(call.name("component")).filter(|name| !name.is_empty());
    let all = hosts.iter().flat_map(|host| of_host(call.node(), host, component));
    whole(call, all.collect(), BY_NAME)
}

fn existing(call: &Call) -> Outcome<(Arc<VirtualHost>, Object)> {
    let host = call.existing_host()?;
    let all = of_host(call.node(), &host, Some(call.name("component")));
    let name = Value::from(call.name("name"));
    let found = all.into_iter().find(|parameter| parameter.get("name") == Some(&name));
    Ok((host, found.ok_or_else(Refusal::no_such_object)?))
}

fn show(call: &Call) -> Outcome {
    one(call, existing(call)?.1)
}

/// Why a parameter of this component cannot be set or removed.
fn refusal(node: &Node, component: &str) -> Option<String> {
    match component {
        VHOST_LIMITS => None,
        OPERATOR_POLICY => None,
        component if node.has_component(component) => None,
        POLICY => Some("policies may not be set using this method".into()),
        other => Some(format!("Validation failed\n\ncomponent {other} not found\n")),
    }
}

fn set(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let body = object_with(&call.body, &["value"])?;
    let refused = |text: String| Refusal::bad(term::without_markup(&text));
    let component = call.name("component");
    if let Some(reason) = refusal(call.node(), component) {
        return Err(refused(reason));
    }
    if component == OPERATOR_POLICY {
        return set_operator_policy(call, &host, body.get("value"));
    }
    if component != VHOST_LIMITS {
        let value = body.get("value").cloned().unwrap_or_default();
        let (by_name, user) = ((component, call.name("name")), call.user.as_deref());
        let set = call.node().set_host_parameter(&host, by_name, value, user);
        let is_new =
            set.map_err(|wrong| refused(format!("Validation failed\n\n{}\n", wrong.join("\n"))))?;
        call.durable()?;
        return Ok(Answer::put(is_new));
    }
    if call.name("name") != LIMITS {
        return Err(refused("Validation failed\n\nthe limits have the name limits\n".into()));
    }
    let value = body.get("value").and_then(Value::as_object);
    let value = value.ok_or_else(|| refused("Validation failed\n\nlimits not a list\n".into()))?;
    let limits = limits::parse(HostLimits::default(), value).map_err(refused)?;
    let is_new = host.limits() == HostLimits::default();
    call.node().set_host_limits(&host, limits);
    call.durable()?;
    Ok(Answer::put(is_new))
}

/// Sets the operator policy that has the name of the parameter.
fn set_operator_policy(call: &Call, host: &Arc<VirtualHost>, value: Option<&Value>) -> Outcome {
    let refused = |text: String| Refusal::bad(term::without_markup(&text));
    let name = call.name("name");
    let policy = policies::parse_parameter(name, value.unwrap_or(&Value::Null)).map_err(refused)?;
    let is_new = host.find_policy(true, name).is_none();
    host.set_operator_policy(name, policy).map_err(|error| refused(error.to_string()))?;
    call.durable()?;
    Ok(Answer::put(is_new))
}

fn remove(call: &Call) -> Outcome {
    let (host, _) = existing(call)?;
    let component = call.name("component");
    if let Some(reason) = refusal(call.node(), component) {
        return Err(Refusal::bad(term::without_markup(&reason)));
    }
    match component {
        VHOST_LIMITS => call.node().set_host_limits(&host, HostLimits::default()),
        OPERATOR_POLICY => {
            host.remove_operator_policy(call.name("name"));
        }
        other => {
            let (node, name) = (call.node(), call.name("name"));
            node.remove_host_parameter(host.name().as_str(), other, name);
        }
    }
    call.durable()?;
    Ok(Answer::done())
}

fn list_global(call: &Call) -> Outcome {
    let all = call.node().global_parameters.list().into_iter();
    whole(
        call,
        all.map(|(name, value)| object! { "name": name, "value": value }).collect(),
        &["name"],
    )
}

fn show_global(call: &Call) -> Outcome {
    let name = call.name("name");
    let value = call.node().global_parameters.get(name).ok_or_else(Refusal::no_such_object)?;
    one(call, object! { "name": name, "value": value })
}

fn set_global(call: &Call) -> Outcome {
    let mut body = object_with(&call.body, &["value"])?;
    let value = body.remove("value").unwrap_or_default();
    let is_new = call.node().set_global_parameter(call.name("name"), value);
    call.durable()?;
    Ok(Answer::put(is_new))
}

fn remove_global(call: &Call) -> Outcome {
    if !call.node().remove_global_parameter(call.name("name")) {
        return Err(Refusal::no_such_object());
    }
    call.durable()?;
    Ok(Answer::done())
}

fn cluster_name(call: &Call) -> Outcome {
    one(call, object! { "name": call.node().cluster_name() })
}

fn set_cluster_name(call: &Call) -> Outcome {
    let body = object_with(&call.body, &["name"])?;
    let name = body.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| Refusal::bad("name must be a text"))?;
    call.node().set_global_parameter(CLUSTER_NAME, name.into());
    call.durable()?;
    Ok(Answer::done())
}
