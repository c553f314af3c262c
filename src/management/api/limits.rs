//! Limits of virtual hosts and of users.

use serde_json::{Value, json};

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::users;
use crate::management::body::object_with;
use crate::management::call::{Call, Host};
use crate::management::endpoint::{Accepts, Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::list::whole;
use crate::management::rights::Who::{Administrators, ViewersOfHost};
use crate::management::term;
use crate::vhost::{HostLimits, VirtualHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/vhost-limits", ViewersOfHost, of_hosts, "The limits of all virtual hosts."),
    get("api/vhost-limits/{vhost}", ViewersOfHost, of_hosts, "Those of a virtual host."),
    put(
        "api/vhost-limits/{vhost}/{name}",
        Administrators,
        set_of_host,
        "Sets max-connections or max-queues: {\"value\"}; a negative one is none.",
    ),
    delete("api/vhost-limits/{vhost}/{name}", Administrators, clear_of_host, "Lifts a limit."),
    get("api/user-limits", ViewersOfHost, of_users, "The limits of all users."),
    get("api/user-limits/{user}", ViewersOfHost, of_user, "Those of a user."),
    put(
        "api/user-limits/{user}/{name}",
        Administrators,
        set_of_user,
        "Sets max-connections or max-channels: {\"value\"}; a negative one is none.",
    )
    .taking(Accepts::Json),
    delete("api/user-limits/{user}/{name}", Administrators, clear_of_user, "Lifts a limit."),
];

/// The limits of a virtual host, by the names that the API has for them.
pub(crate) fn render(limits: HostLimits) -> Object {
    match serde_json::to_value(limits) {
        Ok(Value::Object(limits)) => limits,
        _ => Object::new(), // a struct is an object
    }
}

fn of_hosts(call: &Call) -> Outcome {
    let mut hosts = match call.host() {
        Host::Missing => return Err(Refusal::no_such_object()),
        Host::One(host) => vec![host],
        Host::Any => call.node().all_virtual_hosts(),
    };
    hosts.retain(|host| call.is_monitor() || call.may_enter(host.name().as_str()));
    hosts.retain(|host| host.limits() != HostLimits::default());
    let row = |host: &VirtualHost| {
        object! { "vhost": host.name().as_str(), "value": render(host.limits()) }
    };
    whole(call, hosts.iter().map(|host| row(host)).collect(), &["vhost"])
}

/// The limits that an object names, over those that there are.
pub(crate) fn parse(mut limits: HostLimits, value: &Object) -> Result<HostLimits, String> {
    let mut unknown = Vec::new();
    for (name, value) in value {
        let Some(limit) = limits.named(name) else {
            unknown.push((name, value));
            continue;
        };
        let number = value.as_i64().ok_or_else(|| {
            let actual = term::value(value);
            format!("Validation failed\n\n{name} should be a number, actually was {actual}\n")
        })?;
        *limit = Some(number);
    }
    if unknown.is_empty() {
        return Ok(limits);
    }
    let unknown = term::pairs(unknown);
    Err(format!("Validation failed\n\nUnrecognised terms {unknown} in limits\n"))
}

/// The limit that a request names, with its value.
fn named(call: &Call) -> Outcome<Object> {
    let mut body = object_with(&call.body, &["value"])?;
    let value = body.remove("value").unwrap_or_default();
    Ok(std::iter::once((call.name("name").to_owned(), value)).collect())
}

fn set_of_host(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let limits = parse(host.limits(), &named(call)?).map_err(Refusal::bad)?;
    call.node().set_host_limits(&host, limits);
    call.durable()?;
    Ok(Answer::done())
}

fn clear_of_host(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let mut limits = host.limits();
    if let Some(limit) = limits.named(call.name("name")) {
        *limit = None;
    }
    call.node().set_host_limits(&host, limits);
    call.durable()?;
    Ok(Answer::done())
}

fn user_row(user: &crate::access::User) -> Option<Object> {
    let limits = users::limits(user);
    let row = || object! { "user": user.name.as_str(), "value": limits };
    (!limits.is_empty()).then(row)
}

fn of_users(call: &Call) -> Outcome {
    let users = call.node().access.users.list();
    whole(call, users.iter().filter_map(|user| user_row(user)).collect(), &["user"])
}

fn of_user(call: &Call) -> Outcome {
    let user = call.node().access.users.get(call.name("user"));
    let user = user.ok_or_else(Refusal::no_such_object)?;
    whole(call, user_row(&user).into_iter().collect(), &["user"])
}

fn set_of_user(call: &Call) -> Outcome {
    let user = call.node().access.users.get(call.name("user"));
    let no_user = || Refusal::bad(json!(["no_such_user", call.name("user")]));
    let limits = Value::Object(named(call)?);
    let mut user = (*user.ok_or_else(no_user)?).clone();
    users::set_limits(&mut user, &limits)?;
    call.node().access.users.put(user);
    call.durable()?;
    Ok(Answer::done())
}

fn clear_of_user(call: &Call) -> Outcome {
    let user = call.node().access.users.get(call.name("user"));
    let mut user = (*user.ok_or_else(Refusal::no_such_object)?).clone();
    match call.name("name") {
        "max-connections" => user.max_connections = None,
        "max-channels" => user.max_channels = None,
        "all" => (user.max_connections, user.max_channels) = (None, None),
        _ => {}
    }
    call.node().access.users.put(user);
    call.durable()?;
    Ok(Answer::done())
}
