//! What users may do in virtual hosts `[rabbitmq access-control]`.

use serde_json::Value;

use crate::access::Permissions;
use crate::base::names::{UserName, VirtualHostName};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::list::{one, whole};
use crate::management::rights::Who::Administrators;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/permissions", Administrators, list, "All permissions."),
    get("api/permissions/{vhost}/{user}", Administrators, show, "A user's in a virtual host."),
    put(
        "api/permissions/{vhost}/{user}",
        Administrators,
        set,
        "Sets them: {\"configure\", \"write\", \"read\"}, each a regular expression.",
    ),
    delete("api/permissions/{vhost}/{user}", Administrators, clear, "Takes them away."),
    get("api/users/{user}/permissions", Administrators, of_user, "Those of a user."),
    get("api/vhosts/{vhost}/permissions", Administrators, of_host, "Those in a virtual host."),
];

fn render(user: &str, vhost: &str, granted: &Permissions) -> Object {
    object! {
        "user": user,
        "vhost": vhost,
        "configure": granted.configure.as_str(),
        "write": granted.write.as_str(),
        "read": granted.read.as_str(),
    }
}

fn rows(call: &Call, is_meant: impl Fn(&UserName, &VirtualHostName) -> bool) -> Vec<Object> {
    let all = call.node().access.permissions.list();
    let meant = all.iter().filter(|(user, vhost, _)| is_meant(user, vhost));
    meant.map(|(user, vhost, granted)| render(user.as_str(), vhost.as_str(), granted)).collect()
}

fn list(call: &Call) -> Outcome {
    whole(call, rows(call, |_, _| true), &["vhost", "user"])
}

fn of_user(call: &Call) -> Outcome {
    let name = call.name("user");
    call.node().access.users.get(name).ok_or_else(Refusal::no_such_object)?;
    whole(call, rows(call, |user, _| user.as_str() == name), &["vhost", "user"])
}

fn of_host(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    whole(call, rows(call, |_, vhost| vhost == host.name()), &["vhost", "user"])
}

fn show(call: &Call) -> Outcome {
    let (user, vhost) = (call.name("user"), call.name("vhost"));
    let granted = call.node().access.permissions.get(user, vhost);
    let granted = granted.filter(|_| call.node().virtual_host(vhost).is_some());
    one(call, render(user, vhost, &*granted.ok_or_else(Refusal::no_such_object)?))
}

/// Fails with 400 unless both ends of the permission of the path are there.
pub(crate) fn check_ends(call: &Call) -> Outcome<()> {
    let user = call.node().access.users.get(call.name("user"));
    match user.and(call.node().virtual_host(call.name("vhost"))) {
        Some(_) => Ok(()),
        None => Err(Refusal::bad("vhost_or_user_not_found")),
    }
}

/// A field of a body that is a text.
pub(crate) fn text<'a>(body: &'a Object, name: &str) -> Outcome<&'a str> {
    let value = body.get(name).and_then(Value::as_str);
    value.ok_or_else(|| Refusal::bad(format!("{name} must be a text")))
}

fn set(call: &Call) -> Outcome {
    check_ends(call)?;
    let body = object_with(&call.body, &["configure", "write", "read"])?;
    let pattern = |name| text(&body, name);
    let granted = Permissions::new(pattern("configure")?, pattern("write")?, pattern("read")?);
    let granted = granted.map_err(|error| Refusal::bad(error.to_string()))?;
    let (user, vhost) = (call.name("user"), call.name("vhost"));
    let permissions = &call.node().access.permissions;
    let is_new = !permissions.has_vhost_access(user, vhost);
    permissions.set(user.into(), vhost.into(), granted);
    call.durable()?;
    Ok(Answer::put(is_new))
}

fn clear(call: &Call) -> Outcome {
    let removed = call.node().access.permissions.remove(call.name("user"), call.name("vhost"));
    removed.ok_or_else(Refusal::no_such_object)?;
    call.durable()?;
    Ok(Answer::done())
}
