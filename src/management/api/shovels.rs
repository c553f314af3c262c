//! Shovels: what they do, and having them begin anew `[rabbitmq shovel_management]`. They are set
//! as parameters.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::base::broker_uri::BrokerUri;
use crate::link::shovel::forward::ends;
use crate::link::shovel::status::{ShovelStatus, State};
use crate::link::shovel::{COMPONENT, Key, Shovel};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, one, whole};
use crate::management::rights::Who::{Monitors, PolicymakersOfHost};
use crate::time::clock::Timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/shovels", Monitors, list, "What all shovels do."),
    get("api/shovels/{vhost}", Monitors, list, "Those of a virtual host."),
    get("api/shovels/vhost/{vhost}/{name}", Monitors, show, "A shovel, as it was set."),
    delete("api/shovels/vhost/{vhost}/{name}", PolicymakersOfHost, remove, "Deletes it."),
    delete(
        "api/shovels/vhost/{vhost}/{name}/restart",
        PolicymakersOfHost,
        restart,
        "Has it connect anew.",
    ),
];

fn list(call: &Call) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    // Static ones belong to no virtual host, and are told where no one is asked for.
    let is_of_all = call.name("vhost").is_empty();
    let is_listed = |shovel: &Shovel| match shovel.virtual_host() {
        Some(host) => hosts.iter().any(|listed| listed.name().as_str() == host),
        None => is_of_all,
    };
    let mut shovels = call.node().shovels.list();
    shovels.retain(|shovel| is_listed(shovel));
    whole(call, shovels.iter().map(|shovel| row(call, shovel)).collect(), BY_NAME)
}

fn row(call: &Call, shovel: &Shovel) -> Object {
    let status = shovel.status();
    let mut row = object! {
        "node": call.node().name(), "timestamp": time(status.changed_at), "name": shovel.key.1,
        "type": if shovel.is_static() { "static" } else { "dynamic" },
    };
    if let Some(host) = shovel.virtual_host() {
        row.insert("vhost".into(), host.into());
    }
    match &status.state {
        State::Starting => {
            row.insert("state".into(), "starting".into());
        }
        State::Running { source, destination } => {
            let state = if status.blocked.is_some() { "blocked" } else { "running" };
            row.extend(object! {
                "state": state, "src_uri": source, "src_protocol": "amqp091",
                "dest_protocol": "amqp091", "dest_uri": destination,
            });
            let ends = ends(&shovel.definition).into_iter();
            row.extend(ends.map(|(key, value)| (key.replace('-', "_"), value.into())));
        }
        State::Terminated { reason, next_attempt } => {
            row.extend(object! {
                "state": "terminated", "reason": reason, "next_attempt": next_attempt.map(time),
            });
        }
    }
    row.extend(counted(&status));
    row
}

fn counted(status: &ShovelStatus) -> Object {
    let end = |number: Option<u64>| number.map_or(Value::from("unlimited"), Value::from);
    let mut counted = object! {
        "forwarded": status.counts.forwarded, "confirmed": status.counts.confirmed,
        "refused": status.counts.refused, "pending": status.pending,
        "remaining": end(status.remaining.map(|(remaining, _)| remaining)),
        "remaining_unacked": end(status.remaining.map(|(_, unpublished)| unpublished)),
    };
    if let Some(reason) = &status.blocked {
        counted.insert("blocked_reason".into(), reason.as_str().into());
    }
    if let Some((reason, at)) = &status.last_error {
        counted.insert("last_error".into(), reason.as_str().into());
        counted.insert("last_error_at".into(), time(*at).into());
    }
    counted
}

/// A time as RabbitMQ has it here, in UTC.
pub(super) fn time(at: Timestamp) -> String {
    let at = UNIX_EPOCH + Duration::from_secs(at.as_seconds());
    humantime::format_rfc3339_seconds(at).to_string().replace('T', " ").replace('Z', "")
}

fn key(call: &Call) -> Key {
    (call.name("vhost").to_owned(), call.name("name").to_owned())
}

fn show(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    if !call.is_administrator() && !call.may_enter(host.name().as_str()) {
        return Err(Refusal::no_such_object());
    }
    let all = call.node().shovels.parameters(host.name().as_str()).into_iter();
    let found = all.filter(|(name, _)| name == call.name("name"));
    let (name, value) = found.last().ok_or_else(Refusal::no_such_object)?;
    let value = without_credentials(value);
    let component = COMPONENT;
    let shovel = object! {
        "value": value, "vhost": host.name().as_str(), "component": component, "name": name,
    };
    one(call, shovel)
}

/// Who may only look gets to know neither user nor password.
fn without_credentials(mut value: Value) -> Value {
    let shown = |uri: &str| BrokerUri::parse(uri).map_or_else(|text| text, |uri| uri.to_string());
    for name in ["src-uri", "dest-uri"] {
        match value.get_mut(name) {
            Some(Value::String(uri)) => *uri = shown(uri),
            Some(Value::Array(uris)) => uris.iter_mut().for_each(|uri| {
                *uri = uri.as_str().map(shown).unwrap_or_default().into();
            }),
            _ => {}
        }
    }
    value
}

fn remove(call: &Call) -> Outcome {
    call.existing_host()?;
    let (host, name) = key(call);
    if !call.node().remove_host_parameter(&host, COMPONENT, &name) {
        return Err(Refusal::no_such_object());
    }
    call.durable()?;
    Ok(Answer::done())
}

fn restart(call: &Call) -> Outcome {
    call.existing_host()?;
    match call.node().shovels.restart(&key(call)) {
        true => Ok(Answer::done()),
        false => Err(Refusal::no_such_object()),
    }
}
