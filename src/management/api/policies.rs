//! Policies, and operator policies, which set limits that no other policy exceeds
//! `[rabbitmq parameters#policies]`.

use std::sync::Arc;

use serde_json::Value;

use crate::definitions::arguments::to_field_table;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::Object;
use crate::management::list::{one, whole};
use crate::management::rights::Who::{Administrators, OfHost, PolicymakersOfHost};
use crate::management::term;
use crate::node::export::policy_value;
use crate::vhost::{ApplyTo, Policy, PolicyError, VirtualHost};

const BODY: &str = "Sets one: {\"pattern\", \"definition\", \"priority\", \"apply-to\"}.";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/policies", OfHost, |call| list(call, false), "All policies."),
    get("api/policies/{vhost}", OfHost, |call| list(call, false), "Those of a virtual host."),
    get("api/policies/{vhost}/{name}", PolicymakersOfHost, |call| show(call, false), "A policy."),
    put("api/policies/{vhost}/{name}", PolicymakersOfHost, |call| set(call, false), BODY),
    delete(
        "api/policies/{vhost}/{name}",
        PolicymakersOfHost,
        |call| remove(call, false),
        "Removes one.",
    ),
    get("api/operator-policies", OfHost, |call| list(call, true), "All operator policies."),
    get(
        "api/operator-policies/{vhost}",
        OfHost,
        |call| list(call, true),
        "Those of a virtual host.",
    ),
    get(
        "api/operator-policies/{vhost}/{name}",
        Administrators,
        |call| show(call, true),
        "An operator policy.",
    ),
    put("api/operator-policies/{vhost}/{name}", Administrators, |call| set(call, true), BODY),
    delete(
        "api/operator-policies/{vhost}/{name}",
        Administrators,
        |call| remove(call, true),
        "Removes one.",
    ),
];

/// The keys of a policy's value.
const KEYS: [&str; 4] = ["pattern", "definition", "priority", "apply-to"];

/// A policy as lists have it.
pub(crate) fn render(host: &VirtualHost, name: &str, policy: &Policy) -> Object {
    let mut shown = policy_value(policy);
    shown.insert("vhost".into(), host.name().as_str().into());
    shown.insert("name".into(), name.into());
    shown
}

/// All policies of a kind in a virtual host.
pub(crate) fn of_host(host: &VirtualHost, operator: bool) -> Vec<(String, Policy)> {
    let all = host.list_policies().into_iter();
    let wanted = all.filter(|(is_operator, ..)| *is_operator == operator);
    wanted.map(|(_, name, policy)| (name, policy)).collect()
}

fn list(call: &Call, operator: bool) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    let rows = hosts.iter().flat_map(|host| {
        let policies = of_host(host, operator).into_iter();
        policies.map(move |(name, policy)| render(host, &name, &policy))
    });
    whole(call, rows.collect(), &["priority"])
}

fn existing(call: &Call, operator: bool) -> Outcome<(Arc<VirtualHost>, Policy)> {
    let host = call.existing_host()?;
    let policy = host.find_policy(operator, call.name("name"));
    Ok((host, policy.ok_or_else(Refusal::no_such_object)?))
}

fn show(call: &Call, operator: bool) -> Outcome {
    let (host, policy) = existing(call, operator)?;
    one(call, render(&host, call.name("name"), &policy))
}

/// The policy that a value describes.
pub(crate) fn parse(value: &Object) -> Result<Policy, String> {
    let failed = |text: String| format!("Validation failed\n\n{text}\n");
    let priority = match value.get("priority") {
        None => 0,
        Some(Value::Number(number)) => {
            let whole = number.as_i64().or_else(|| number.as_f64().map(|number| number as i64));
            whole.unwrap_or_default()
        }
        Some(other) => {
            let actual = term::value(other);
            return Err(failed(format!("priority should be a number, actually was {actual}")));
        }
    };
    let pattern = match value.get("pattern") {
        Some(Value::String(pattern)) => pattern.clone(),
        other => {
            let actual = term::value(other.unwrap_or(&Value::Null));
            return Err(failed(format!("pattern should be a binary but was {actual}")));
        }
    };
    let apply_to = match value.get("apply-to") {
        None => Some(ApplyTo::All),
        Some(Value::String(name)) if !name.is_empty() => ApplyTo::from_name(name),
        Some(_) => None,
    };
    let apply_to = apply_to.ok_or_else(|| {
        let given = match value.get("apply-to") {
            Some(Value::String(given)) => given.clone(),
            other => other.map(Value::to_string).unwrap_or_default(),
        };
        failed(format!(
            "apply-to '{given}' unrecognised; should be one of: 'queues', 'classic_queues',  \
             'quorum_queues', 'streams', 'exchanges', or 'all'"
        ))
    })?;
    let definition = match value.get("definition") {
        Some(Value::Object(definition)) => to_field_table(definition),
        Some(Value::Array(list)) if list.is_empty() => Ok(Default::default()),
        other => {
            let actual = term::value(other.unwrap_or(&Value::Null));
            return Err(failed(format!("definition must be a dictionary: {actual}")));
        }
    };
    let definition = definition.map_err(|error| failed(error.to_string()))?;
    Ok(Policy { pattern, apply_to, priority, definition })
}

/// The policy that the value of a parameter describes, in which every key has to be there that a
/// policy needs, and no other.
pub(crate) fn parse_parameter(name: &str, value: &Value) -> Result<Policy, String> {
    let failed = |wrong: &[String]| format!("Validation failed\n\n{}\n", wrong.join("\n"));
    let Value::Object(fields) = value else {
        return Err(failed(&[format!("{name} not a list {}", term::value(value))]));
    };
    let mut unknown = fields.iter().filter(|(key, _)| !KEYS.contains(&key.as_str())).peekable();
    let unknown = unknown.peek().is_some().then(|| term::pairs(unknown));
    let unknown = unknown.map(|unknown| format!("Unrecognised terms {unknown} in {name}"));
    let needed = ["definition", "pattern", "priority"].into_iter();
    let missing = needed.filter(|key| !fields.contains_key(*key));
    let missing = missing.map(|key| format!("Key \"{key}\" not found in {name}"));
    let wrong: Vec<_> = unknown.into_iter().chain(missing).collect();
    if wrong.is_empty() { parse(fields) } else { Err(failed(&wrong)) }
}

fn set(call: &Call, operator: bool) -> Outcome {
    let host = call.host_to_change()?;
    let body = object_with(&call.body, &["pattern", "definition"])?;
    // RabbitMQ takes pages for readers of some of its complaints.
    let refused =
        |text: String| Refusal::bad(if operator { text } else { term::without_markup(&text) });
    let policy = parse(&body).map_err(refused)?;
    let name = call.name("name");
    let is_new = host.find_policy(operator, name).is_none();
    let set = || -> Result<(), PolicyError> {
        if operator {
            return host.set_operator_policy(name, policy);
        }
        policy.refuse_mirroring()?;
        host.set_policy(name, policy)
    };
    set().map_err(|error| refused(error.to_string()))?;
    call.durable()?;
    Ok(Answer::put(is_new))
}

fn remove(call: &Call, operator: bool) -> Outcome {
    let (host, _) = existing(call, operator)?;
    if operator {
        host.remove_operator_policy(call.name("name"));
    } else {
        host.remove_policy(call.name("name"));
    }
    call.durable()?;
    Ok(Answer::done())
}
