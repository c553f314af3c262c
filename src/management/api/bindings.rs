//! Bindings, and the key that tells one from others between the same two ends.
//!
//! The key is the binding key, escaped; `~` if that is empty; with arguments a `~` and a hash of
//! them follow.

use std::cell::OnceCell;
use std::sync::Arc;

use amq_protocol::types::FieldTable;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use hyper::header::LOCATION;
use leveret_protocol::table::encode_table;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::access::ResourceKind;
use crate::base::names::VirtualHostName;
use crate::definitions::arguments::from_field_table;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::declaring::arguments;
use crate::management::api::exchanges;
use crate::management::body;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post};
use crate::management::json::{Object, object};
use crate::management::list::{one, whole};
use crate::management::order::Row;
use crate::management::rights::Who::OfHost;
use crate::vhost::insight::bindings::BindingView;
use crate::vhost::{Bind, VirtualHost};

/// How they are sorted.
const ORDER: &[&str] = &["vhost", "source", "type", "destination", "routing_key", "properties_key"];

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/bindings", OfHost, all, "The bindings of all virtual hosts."),
    get("api/bindings/{vhost}", OfHost, all, "The bindings of a virtual host."),
    get(
        "api/bindings/{vhost}/e/{source}/{kind}/{destination}",
        OfHost,
        between,
        "Those between an exchange and a queue (q) or an exchange (e).",
    ),
    post(
        "api/bindings/{vhost}/e/{source}/{kind}/{destination}",
        OfHost,
        bind,
        "Binds: {\"routing_key\", \"arguments\"}. Answers with the place of the binding.",
    ),
    get(
        "api/bindings/{vhost}/e/{source}/{kind}/{destination}/{props}",
        OfHost,
        show,
        "A binding, by its properties_key.",
    ),
    delete(
        "api/bindings/{vhost}/e/{source}/{kind}/{destination}/{props}",
        OfHost,
        unbind,
        "Removes a binding.",
    ),
    get(
        "api/exchanges/{vhost}/{exchange}/bindings/source",
        OfHost,
        from_exchange,
        "The bindings from an exchange.",
    ),
    get(
        "api/exchanges/{vhost}/{exchange}/bindings/destination",
        OfHost,
        to_exchange,
        "The bindings to an exchange.",
    ),
    get("api/queues/{vhost}/{queue}/bindings", OfHost, to_queue, "The bindings to a queue."),
];

/// What stands for itself in a key; a space becomes `+`.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// A text as it stands in a key.
pub(crate) fn quote(octets: &[u8]) -> String {
    let parts = octets.split(|octet| *octet == b' ');
    parts.map(|part| percent_encode(part, PLAIN).to_string()).collect::<Vec<_>>().join("+")
}

fn unquote(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

/// Six characters that differ for different arguments.
fn hash(arguments: &FieldTable) -> String {
    let digest = Sha256::digest(encode_table(arguments));
    URL_SAFE_NO_PAD.encode(digest.get(..4).unwrap_or_default())
}

/// The key of a binding.
pub(crate) fn properties_key(routing_key: &[u8], arguments: &FieldTable) -> String {
    match (routing_key, arguments.inner().is_empty()) {
        ([], true) => "~".to_owned(),
        (key, true) => quote(key),
        (key, false) => format!("{}~{}", quote(key), quote(hash(arguments).as_bytes())),
    }
}

/// A binding as definitions have it.
pub(crate) fn definition(binding: &BindingView) -> Object {
    object! {
        "source": binding.source.as_str(),
        "destination": binding.destination,
        "destination_type": binding.kind.to_string(),
        "routing_key": String::from_utf8_lossy(&binding.routing_key),
        "arguments": from_field_table(&binding.arguments),
    }
}

/// A binding of a list.
struct BindingRow {
    vhost: VirtualHostName,
    binding: BindingView,
    /// Found when it is asked for.
    key: OnceCell<String>,
}

impl Row for BindingRow {
    fn render(&self) -> Object {
        let mut shown = definition(&self.binding);
        shown.insert("vhost".into(), self.vhost.as_str().into());
        shown.insert("properties_key".into(), self.key().into());
        shown
    }

    fn text(&self, name: &str) -> Option<&str> {
        let binding = &self.binding;
        match name {
            "vhost" => Some(self.vhost.as_str()),
            "source" => Some(binding.source.as_str()),
            "destination" => Some(binding.destination.as_str()),
            "routing_key" => str::from_utf8(&binding.routing_key).ok(),
            "properties_key" => Some(self.key()),
            "type" => Some(""), // RabbitMQ sorts by it, and there is none
            _ => None,
        }
    }
}

impl BindingRow {
    fn new(host: &VirtualHost, binding: BindingView) -> Self {
        Self { vhost: host.name().clone(), binding, key: OnceCell::new() }
    }

    fn key(&self) -> &str {
        let binding = &self.binding;
        self.key.get_or_init(|| properties_key(&binding.routing_key, &binding.arguments))
    }
}

fn answer(call: &Call, bindings: Vec<(Arc<VirtualHost>, Vec<BindingView>)>) -> Outcome {
    let rows = bindings.into_iter().flat_map(|(host, bindings)| {
        bindings.into_iter().map(move |binding| BindingRow::new(&host, binding))
    });
    whole(call, rows.collect(), ORDER)
}

fn all(call: &Call) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    let bindings = hosts.into_iter().map(|host| {
        let bindings = host.bindings();
        (host, bindings)
    });
    answer(call, bindings.collect())
}

fn from_exchange(call: &Call) -> Outcome {
    let (host, exchange) = exchanges::existing(call)?;
    let bindings = host.bindings_from(&exchange);
    answer(call, vec![(host, bindings)])
}

fn to_exchange(call: &Call) -> Outcome {
    let (host, exchange) = exchanges::existing(call)?;
    let bindings = host.bindings_to(ResourceKind::Exchange, exchange.name().as_str());
    answer(call, vec![(host, bindings)])
}

fn to_queue(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let bindings = host.bindings_to(ResourceKind::Queue, call.name("queue"));
    answer(call, vec![(host, bindings)])
}

fn kind(call: &Call) -> Outcome<ResourceKind> {
    match call.name("kind") {
        "q" => Ok(ResourceKind::Queue),
        "e" => Ok(ResourceKind::Exchange),
        _ => Err(Refusal::no_such_object()),
    }
}

/// The bindings between the two ends that the path names.
fn existing(call: &Call) -> Outcome<(Arc<VirtualHost>, Vec<BindingView>)> {
    let host = call.existing_host()?;
    let kind = kind(call)?;
    let destination = match kind {
        ResourceKind::Queue => call.name("destination"),
        ResourceKind::Exchange => call.exchange_name("destination"),
    };
    let source = call.exchange_name("source");
    let mut bindings = host.bindings_to(kind, destination);
    bindings.retain(|binding| binding.source.as_str() == source);
    Ok((host, bindings))
}

fn between(call: &Call) -> Outcome {
    let (host, bindings) = existing(call)?;
    answer(call, vec![(host, bindings)])
}

/// The binding that the path names.
fn find(call: &Call) -> Outcome<(Arc<VirtualHost>, BindingView)> {
    let (host, bindings) = existing(call)?;
    let (key, wanted_hash) = match call.name("props").split_once('~') {
        Some((key, hash)) => (key, hash),
        None => (call.name("props"), ""),
    };
    let key = unquote(key);
    let found = bindings.into_iter().find(|binding| {
        let has_hash = match wanted_hash {
            "" => binding.arguments.inner().is_empty(),
            wanted => hash(&binding.arguments).as_bytes() == unquote(wanted),
        };
        binding.routing_key == key && has_hash
    });
    Ok((host, found.ok_or_else(Refusal::no_such_object)?))
}

fn show(call: &Call) -> Outcome {
    let (host, binding) = find(call)?;
    one(call, BindingRow::new(&host, binding).render())
}

fn bind(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let body = body::object(&call.body)?;
    let kind = kind(call)?;
    let routing_key = body.get("routing_key").and_then(Value::as_str).unwrap_or_default();
    let arguments = arguments(&body)?;
    let bind = Bind {
        kind,
        destination: match kind {
            ResourceKind::Queue => call.name("destination"),
            ResourceKind::Exchange => call.exchange_name("destination"),
        },
        source: call.exchange_name("source"),
        routing_key: routing_key.as_bytes(),
        arguments: &arguments,
    };
    call.on_host(&host, |actor, effects| host.bind(actor, &bind, effects))?;
    let key = properties_key(routing_key.as_bytes(), &arguments);
    // The key is part of a path here, and so is escaped once more; the rest is as it came.
    let escaped = quote(key.as_bytes()).replace("%7E", "~");
    let location = format!("{}/{escaped}", quote(call.name("destination").as_bytes()));
    Ok(Answer::empty(StatusCode::CREATED).header(LOCATION, &location))
}

fn unbind(call: &Call) -> Outcome {
    let (host, binding) = find(call)?;
    let unbind = Bind {
        kind: binding.kind,
        destination: &binding.destination,
        source: binding.source.as_str(),
        routing_key: &binding.routing_key,
        arguments: &binding.arguments,
    };
    call.on_host(&host, |actor, effects| host.unbind(actor, &unbind, effects))?;
    Ok(Answer::done())
}

#[cfg(test)]
mod tests {
    use amq_protocol::types::AMQPValue;

    use super::*;

    #[test]
    fn keys_are_escaped_as_rabbitmq_does_it() {
        let none = FieldTable::default();
        for (key, expected) in [
            ("", "~"),
            ("a.b", "a.b"),
            ("a b", "a+b"),
            ("a/b", "a%2Fb"),
            ("#", "%23"),
            ("*.x", "%2A.x"),
            ("a%b", "a%25b"),
            ("~", "%7E"),
            ("ü", "%C3%BC"),
            ("a+b", "a%2Bb"),
        ] {
            let escaped = properties_key(key.as_bytes(), &none);
            assert_eq!(escaped, expected);
            assert_eq!(unquote(escaped.trim_start_matches('~')), key.as_bytes());
        }
    }

    #[test]
    fn different_arguments_have_different_keys() {
        let with = |value| {
            let mut table = FieldTable::default();
            table.insert("n".into(), AMQPValue::LongInt(value));
            properties_key(b"k", &table)
        };
        assert!(with(1).starts_with("k~"));
        assert_ne!(with(1), with(2));
        assert_eq!(with(1), with(1));
    }
}
