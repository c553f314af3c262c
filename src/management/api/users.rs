//! Users: names, passwords and tags `[rabbitmq access-control]`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::access::{
    HashingAlgorithm, PasswordHash, PasswordHashError, Permissions, User, UserTag,
};
use crate::base::names::random_name;
use crate::base::names::{UserName, VirtualHostName};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::{boolean, object, object_with};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post, put};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, list, one};
use crate::management::rights::Who::Administrators;
use crate::management::term;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/users", Administrators, all, "All users."),
    get(
        "api/users/without-permissions",
        Administrators,
        without_permissions,
        "Users without permissions in any virtual host.",
    ),
    post("api/users/bulk-delete", Administrators, bulk_delete, "Deletes users: {\"users\": [..]}."),
    get("api/users/{user}", Administrators, show, "A user."),
    put(
        "api/users/{user}",
        Administrators,
        put_user,
        "Makes or changes a user: {\"password\" or \"password_hash\", \"tags\"}.",
    ),
    delete("api/users/{user}", Administrators, delete_user, "Deletes a user."),
];

fn render(user: &User) -> Object {
    let hash = user.password_hash.as_ref();
    let algorithm = hash.map(PasswordHash::algorithm).unwrap_or_default();
    let tags: Vec<&str> = user.tags.iter().map(UserTag::as_str).collect();
    object! {
        "name": user.name.as_str(),
        "password_hash": hash.map(PasswordHash::to_base64).unwrap_or_default(),
        "hashing_algorithm": algorithm.as_str(),
        "tags": tags,
        "limits": limits(user),
    }
}

/// The limits of a user, by the names that the API has for them.
pub(crate) fn limits(user: &User) -> Object {
    let limits = [("max-connections", user.max_connections), ("max-channels", user.max_channels)];
    let set = limits.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?.into())));
    set.collect()
}

fn all(call: &Call) -> Outcome {
    let users = call.node().access.users.list();
    list(call, users.iter().map(|user| render(user)).collect(), BY_NAME)
}

fn without_permissions(call: &Call) -> Outcome {
    let access = &call.node().access;
    let mut users = access.users.list();
    let permissions = access.permissions.list();
    users.retain(|user| !permissions.iter().any(|(name, ..)| *name == user.name));
    list(call, users.iter().map(|user| render(user)).collect(), BY_NAME)
}

fn show(call: &Call) -> Outcome {
    let user = call.node().access.users.get(call.name("user"));
    one(call, render(&*user.ok_or_else(Refusal::no_such_object)?))
}

fn put_user(call: &Call) -> Outcome {
    let body = object(&call.body)?;
    let (access, name) = (&call.node().access, call.name("user"));
    let tags = tags(&body)?;
    let known = access.users.get(name);
    let mut user = User {
        tags,
        password_hash: password_hash(&body, known.is_none())?,
        ..known.as_deref().cloned().unwrap_or_else(|| User {
            password_hash: None,
            ..User::new(name, PasswordHash::new("", [0; 4]))
        })
    };
    if let Some(limits) = body.get("limits") {
        set_limits(&mut user, limits)?;
    }
    let permissions = match (&known, body.get("permissions")) {
        (None, Some(permissions)) => preconfigured(call, permissions)?,
        _ => Vec::new(),
    };
    access.users.put(user);
    for (vhost, granted) in permissions {
        access.permissions.set(UserName::from(name), vhost, granted);
    }
    call.durable()?;
    Ok(Answer::put(known.is_none()))
}

/// The tags as a list or as one text with commas, or those of an administrator by the field of
/// old clients.
fn tags(body: &Object) -> Outcome<Vec<UserTag>> {
    let named = |text: &str| {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(UserTag::from).collect()
    };
    match (body.get("tags"), body.get("administrator")) {
        (Some(Value::String(text)), _) => Ok(named(text)),
        (Some(Value::Array(list)), _) => {
            let tag = |value: &Value| match value {
                Value::String(name) => Some(UserTag::from(name.trim())),
                // Words and numbers of JSON are names to RabbitMQ.
                Value::Null | Value::Bool(_) | Value::Number(_) => {
                    Some(UserTag::from(value.to_string().as_str()))
                }
                Value::Array(_) | Value::Object(_) => None,
            };
            let tags: Option<Vec<_>> = list.iter().map(tag).collect();
            tags.ok_or_else(|| Refusal::bad("tags must be texts"))
        }
        (Some(_), _) => Err(Refusal::bad("tags must be a list, or text with commas")),
        (None, None) => Err(Refusal::bad("tags_not_present")),
        (None, administrator) => Ok(match boolean(administrator)? {
            Some(true) => vec![UserTag::Administrator],
            _ => Vec::new(),
        }),
    }
}

/// The hash of the password that is given. A new user without one gets a password that nobody
/// knows, and one that exists none.
fn password_hash(body: &Object, is_new: bool) -> Outcome<Option<PasswordHash>> {
    let refused = |error: PasswordHashError| Refusal::bad(error.to_string());
    let hashed = |password: &str| {
        let salt = PasswordHash::random_salt().map_err(refused)?;
        Ok(Some(PasswordHash::new(password, salt)))
    };
    match (body.get("password"), body.get("password_hash")) {
        (Some(_), Some(_)) => Err(Refusal::bad("both_password_and_password_hash_are_provided")),
        (Some(Value::String(password)), None) => hashed(password),
        (None, Some(Value::String(hash))) if hash.is_empty() => Ok(None),
        (None, Some(Value::String(hash))) => {
            if BASE64_STANDARD.decode(hash).is_err() {
                return Err(Refusal::bad(json!(["not_base64", hash])));
            }
            let algorithm = match body.get("hashing_algorithm").and_then(Value::as_str) {
                Some(name) => HashingAlgorithm::from_name(name).map_err(refused)?,
                None => HashingAlgorithm::default(),
            };
            PasswordHash::from_base64(algorithm, hash).map(Some).map_err(refused)
        }
        (None, None) if is_new => hashed(&random_name("")),
        (None, None) => Ok(None),
        (None, Some(other)) => Err(Refusal::bad(json!(["not_base64", other]))),
        (Some(_), None) => Err(Refusal::bad("password must be a text")),
    }
}

/// Permissions that a new user comes with, by virtual host.
fn preconfigured(call: &Call, permissions: &Value) -> Outcome<Vec<(VirtualHostName, Permissions)>> {
    let bad = || Refusal::bad("permissions must be objects with configure, write and read");
    let by_host = permissions.as_object().ok_or_else(bad)?;
    let granted = |patterns: &Value| {
        let pattern = |name| patterns.get(name).and_then(Value::as_str).ok_or_else(bad);
        let (configure, write, read) = (pattern("configure")?, pattern("write")?, pattern("read")?);
        Permissions::new(configure, write, read).map_err(|error| Refusal::bad(error.to_string()))
    };
    if let Some(unknown) = by_host.keys().find(|name| call.node().virtual_host(name).is_none()) {
        return Err(Refusal::bad(json!(["no_such_vhost", unknown])));
    }
    let all = by_host.iter();
    all.map(|(vhost, patterns)| Ok((vhost.as_str().into(), granted(patterns)?))).collect()
}

/// Sets the limits that are named; a negative one does not hold, and is told like others.
pub(crate) fn set_limits(user: &mut User, limits: &Value) -> Outcome<()> {
    let none = Map::new();
    let limits = limits.as_object().unwrap_or(&none);
    let is_known = |name: &str| name == "max-connections" || name == "max-channels";
    for (name, value) in limits.iter().filter(|(name, _)| is_known(name)) {
        let number = value.as_i64().ok_or_else(|| {
            let actual = term::value(value);
            Refusal::bad(format!("{name} should be a number, actually was {actual}"))
        })?;
        match name.as_str() {
            "max-connections" => user.max_connections = Some(number),
            _ => user.max_channels = Some(number),
        }
    }
    let mut unknown = limits.iter().filter(|(name, _)| !is_known(name)).peekable();
    if unknown.peek().is_none() {
        return Ok(());
    }
    let unknown = term::pairs(unknown);
    Err(Refusal::bad(format!("Unrecognised terms {unknown} in user-limits")))
}

fn delete_user(call: &Call) -> Outcome {
    let name = call.name("user");
    call.node().access.users.get(name).ok_or_else(Refusal::no_such_object)?;
    call.node().remove_user(name);
    call.durable()?;
    Ok(Answer::done())
}

fn bulk_delete(call: &Call) -> Outcome {
    let body = object_with(&call.body, &["users"])?;
    let names = body.get("users").and_then(Value::as_array);
    let names = names.ok_or_else(|| Refusal::bad("users must be a list of names"))?;
    for name in names.iter().filter_map(Value::as_str) {
        if call.node().access.users.get(name).is_some() {
            call.node().remove_user(name);
        }
    }
    call.durable()?;
    Ok(Answer::done())
}
