//! Virtual hosts `[rabbitmq vhosts]`.

use hyper::StatusCode;
use serde_json::Value;

use crate::access::Permissions;
use crate::insight::statistics::history::Span;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::counted::{DELIVERING, LEVELS, message_stats};
use crate::management::api::ranges::Ranges;
use crate::management::body::{boolean, object};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post, put};
use crate::management::json::{Object, object};
use crate::management::list::{list, one};
use crate::management::rights::Who::{Administrators, Managers};
use crate::management::term;
use crate::node::export::metadata_of;
use crate::queue::QueueType;
use crate::vhost::{HostMetadata, VirtualHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/vhosts", Managers, all, "The virtual hosts that the user may see."),
    get("api/vhosts/{vhost}", Administrators, show, "A virtual host."),
    put(
        "api/vhosts/{vhost}",
        Administrators,
        put_host,
        "Makes or changes one: {\"description\", \"tags\", \"default_queue_type\", \"tracing\"}.",
    ),
    delete(
        "api/vhosts/{vhost}",
        Administrators,
        remove,
        "Deletes one with everything in it; ends its connections.",
    ),
    post("api/vhosts/{vhost}/start/{node}", Administrators, start, "Starts one: all run."),
    post(
        "api/vhosts/{vhost}/deletion/protection",
        Administrators,
        protect,
        "Protects one from deletion.",
    ),
    delete(
        "api/vhosts/{vhost}/deletion/protection",
        Administrators,
        unprotect,
        "Lifts the protection.",
    ),
];

/// What connections have moved.
const OCTETS: &[&str] = &["recv_oct", "send_oct"];

fn render(call: &Call, ranges: &Ranges, host: &VirtualHost) -> Object {
    let (known, metadata) = (host.metadata(), metadata_of(host));
    let mut cluster_state = Object::new();
    cluster_state.insert(call.node().name().to_owned(), "running".into());
    let mut shown = object! {
        "name": host.name().as_str(),
        "description": known.description,
        "tags": known.tags,
        "default_queue_type": metadata.get("default_queue_type"),
        "protected_from_deletion": known.protected_from_deletion,
        "metadata": metadata,
        "tracing": host.is_traced(),
        "cluster_state": cluster_state,
    };
    if !call.query.is_true("disable_stats") {
        let (node, messages) = (call.node(), call.node().host_status(host).messages);
        let samples =
            |span: Option<Span>| span.map_or(Vec::new(), |span| node.host_samples(host, span));
        shown.extend(message_stats(&messages, LEVELS, &samples(ranges.lengths)));
        let counted = message_stats(&messages, DELIVERING, &samples(ranges.msg_rates));
        shown.insert("message_stats".into(), counted.into());
        shown.extend(message_stats(&messages, OCTETS, &samples(ranges.data_rates)));
    }
    shown
}

fn all(call: &Call) -> Outcome {
    let mut hosts = call.node().all_virtual_hosts();
    hosts.retain(|host| call.is_monitor() || call.may_enter(host.name().as_str()));
    let ranges = Ranges::of(call)?;
    list(call, hosts.iter().map(|host| render(call, &ranges, host)).collect(), &["name"])
}

fn show(call: &Call) -> Outcome {
    one(call, render(call, &Ranges::of(call)?, &*call.existing_host()?))
}

/// Tags as a list, or as text with commas.
fn tags(value: Option<&Value>) -> Outcome<Vec<String>> {
    let bad = || Refusal::bad("tags must be a list of texts, or text with commas");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split(',').map(|tag| tag.trim().into()).collect()),
        Some(Value::Array(list)) => {
            let tag = |value: &Value| value.as_str().map(|tag| tag.trim().to_owned());
            list.iter().map(tag).collect::<Option<_>>().ok_or_else(bad)
        }
        Some(_) => Err(bad()),
    }
}

/// The default queue type that a request names, if there is one of that name.
fn named_type(value: Option<&Value>) -> Outcome<Option<String>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if name.is_empty() || name == "undefined" => Ok(None),
        Some(Value::String(name)) if QueueType::from_name(name).is_some() => Ok(Some(name.clone())),
        Some(other) => {
            Err(Refusal::bad(format!("default queue type {other} is not one of classic, quorum")))
        }
    }
}

fn put_host(call: &Call) -> Outcome {
    let body = object(&call.body)?;
    let name = call.name("vhost");
    if name.len() > usize::from(u8::MAX) {
        return Err(Refusal::bad("the name of a virtual host has at most 255 octets"));
    }
    let tracing = boolean(body.get("tracing"))?;
    let description = body.get("description").and_then(Value::as_str).unwrap_or_default();
    // RabbitMQ 3.11 had another name for it, which is still taken.
    let named = body.get("default_queue_type").or_else(|| body.get("defaultqueuetype"));
    let named = named_type(named)?;
    let metadata = HostMetadata {
        description: description.to_owned(),
        tags: tags(body.get("tags"))?,
        default_queue_type: named.clone(),
        protected_from_deletion: boolean(body.get("protected_from_deletion"))?.unwrap_or(false),
        created_by: call.user_name().to_owned(),
    };
    let node = call.node();
    let (host, is_new) = node.put_virtual_host(name.into(), metadata.clone());
    if is_new {
        let full = Permissions::full();
        node.access.permissions.set(call.user_name().into(), name.into(), full);
    } else {
        let before = host.metadata();
        let protected = match body.get("protected_from_deletion") {
            Some(_) => metadata.protected_from_deletion,
            None => before.protected_from_deletion,
        };
        let default_queue_type = named.or_else(|| before.default_queue_type.clone());
        let metadata = HostMetadata {
            default_queue_type,
            protected_from_deletion: protected,
            created_by: before.created_by.clone(),
            ..metadata
        };
        node.describe_virtual_host(&host, metadata);
    }
    if let Some(tracing) = tracing {
        node.trace(&host, tracing);
    }
    call.durable()?;
    Ok(Answer::put(is_new))
}

fn remove(call: &Call) -> Outcome {
    let name = call.name("vhost");
    match call.node().remove_virtual_host(name) {
        Ok(true) => {
            call.durable()?;
            Ok(Answer::done())
        }
        Ok(false) => Err(Refusal::no_such_object()),
        Err(_) => {
            let reason = format!(
                "Refusing to delete virtual host '{name}' because it is protected from deletion"
            );
            Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", reason))
        }
    }
}

fn start(call: &Call) -> Outcome {
    let (vhost, node) = (call.name("vhost"), call.name("node"));
    let refused =
        |reason: &str| Refusal::bad(format!("Request to node {node} failed with {reason}"));
    let no_host = || refused(&format!("{{no_such_vhost,{}}}", term::value(&vhost.into())));
    call.node().virtual_host(vhost).ok_or_else(no_host)?;
    if node != call.node().name() {
        return Err(refused("nodedown"));
    }
    Ok(Answer::done())
}

fn set_protection(call: &Call, protected_from_deletion: bool) -> Outcome {
    let host = call.existing_host()?;
    let metadata = HostMetadata { protected_from_deletion, ..(*host.metadata()).clone() };
    call.node().describe_virtual_host(&host, metadata);
    call.durable()?;
    Ok(Answer::done())
}

fn protect(call: &Call) -> Outcome {
    set_protection(call, true)
}

fn unprotect(call: &Call) -> Outcome {
    set_protection(call, false)
}
