//! Which keys users may use on topic exchanges `[rabbitmq topic-authorisation]`.

use crate::access::TopicPermissions;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::permissions::{check_ends, text};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::list::whole;
use crate::management::rights::Who::Administrators;

/// How they are sorted.
const ORDER: &[&str] = &["vhost", "user", "exchange"];

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/topic-permissions", Administrators, list, "All topic permissions."),
    get(
        "api/topic-permissions/{vhost}/{user}",
        Administrators,
        show,
        "A user's in a virtual host.",
    ),
    put(
        "api/topic-permissions/{vhost}/{user}",
        Administrators,
        set,
        "Sets those on an exchange: {\"exchange\", \"write\", \"read\"}.",
    ),
    delete("api/topic-permissions/{vhost}/{user}", Administrators, clear, "Takes them away."),
    get(
        "api/topic-permissions/{vhost}/{user}/{exchange}",
        Administrators,
        show,
        "A user's in the virtual host, on all exchanges.",
    ),
    put(
        "api/topic-permissions/{vhost}/{user}/{exchange}",
        Administrators,
        set,
        "Sets those on the exchange that the body names.",
    ),
    delete(
        "api/topic-permissions/{vhost}/{user}/{exchange}",
        Administrators,
        clear,
        "Takes those on an exchange away.",
    ),
    get("api/users/{user}/topic-permissions", Administrators, of_user, "Those of a user."),
    get(
        "api/vhosts/{vhost}/topic-permissions",
        Administrators,
        of_host,
        "Those in a virtual host.",
    ),
];

fn render(user: &str, vhost: &str, exchange: &str, granted: &TopicPermissions) -> Object {
    object! {
        "user": user,
        "vhost": vhost,
        "exchange": exchange,
        "write": granted.write.as_str(),
        "read": granted.read.as_str(),
    }
}

fn rows(call: &Call, is_meant: impl Fn(&str, &str) -> bool) -> Vec<Object> {
    let all = call.node().access.topic_permissions.list();
    let all = all.iter().map(|(user, vhost, exchange, granted)| {
        (user.as_str(), vhost.as_str(), exchange.as_str(), granted)
    });
    let meant = all.filter(|(user, vhost, ..)| is_meant(user, vhost));
    meant.map(|(user, vhost, exchange, granted)| render(user, vhost, exchange, granted)).collect()
}

fn list(call: &Call) -> Outcome {
    whole(call, rows(call, |_, _| true), ORDER)
}

fn of_user(call: &Call) -> Outcome {
    let name = call.name("user");
    call.node().access.users.get(name).ok_or_else(Refusal::no_such_object)?;
    whole(call, rows(call, |user, _| user == name), ORDER)
}

fn of_host(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    whole(call, rows(call, |_, vhost| vhost == host.name().as_str()), ORDER)
}

/// The topic permissions that the path names, of which there has to be one.
fn existing(call: &Call) -> Outcome<Vec<Object>> {
    let (name, host) = (call.name("user"), call.name("vhost"));
    let rows = rows(call, |user, vhost| (user, vhost) == (name, host));
    if rows.is_empty() { Err(Refusal::no_such_object()) } else { Ok(rows) }
}

fn show(call: &Call) -> Outcome {
    whole(call, existing(call)?, ORDER)
}

fn set(call: &Call) -> Outcome {
    check_ends(call)?;
    let body = object_with(&call.body, &["exchange", "write", "read"])?;
    let is_new = existing(call).is_err();
    let (user, vhost) = (call.name("user"), call.name("vhost"));
    let patterns = (text(&body, "write")?, text(&body, "read")?);
    let exchange = text(&body, "exchange")?.into();
    let table = &call.node().access.topic_permissions;
    table
        .set(user.into(), vhost.into(), exchange, patterns)
        .map_err(|error| Refusal::bad(error.to_string()))?;
    call.durable()?;
    Ok(Answer::put(is_new))
}

fn clear(call: &Call) -> Outcome {
    let (user, vhost, only) = (call.name("user"), call.name("vhost"), call.name("exchange"));
    for granted in existing(call)? {
        let exchange = text(&granted, "exchange")?;
        if only.is_empty() || only == exchange {
            call.node().access.topic_permissions.remove(user, vhost, exchange);
        }
    }
    call.durable()?;
    Ok(Answer::done())
}
