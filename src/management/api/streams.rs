//! Connections of RabbitMQ's stream protocol, their publishers and consumers, at the addresses of
//! its plugin `[rabbitmq stream-management]`.

use std::sync::Arc;

use serde_json::Value;

use crate::access::{Access, ResourceKind};
use crate::management::answer::{Outcome, Refusal};
use crate::management::api::connections;
use crate::management::api::queues;
use crate::management::api::ranges::{Ranges, refuse_without_statistics};
use crate::management::api::references::connection_details;
use crate::management::call::{Call, Host};
use crate::management::endpoint::{Endpoint, delete, get};
use crate::management::json::{Object, object};
use crate::management::list::{list, one};
use crate::management::rights::Who::{Managers, OfHost, ViewersOfHost};
use crate::node::status::{ConnectionFacts, ConnectionStatus};
use crate::node::stream_clients::{StreamClients, StreamConsumer, StreamPublisher};
use crate::queue::Queue;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/stream/connections", Managers, all, "The connections of the stream protocol."),
    get("api/stream/connections/{vhost}", ViewersOfHost, of_host, "Those of a virtual host."),
    get(ONE, ViewersOfHost, show, "One of them."),
    delete(ONE, ViewersOfHost, close, "Closes one; the client is told the header X-Reason."),
    get(
        "api/stream/connections/{vhost}/{connection}/consumers",
        ViewersOfHost,
        consumers_of,
        "Its consumers.",
    ),
    get(
        "api/stream/connections/{vhost}/{connection}/publishers",
        ViewersOfHost,
        publishers_of,
        "Its publishers.",
    ),
    get("api/stream/consumers", Managers, consumers, "All consumers of the stream protocol."),
    get("api/stream/consumers/{vhost}", Managers, consumers, "Those in a virtual host."),
    get("api/stream/publishers", Managers, publishers, "All publishers of the stream protocol."),
    get("api/stream/publishers/{vhost}", Managers, publishers, "Those in a virtual host."),
    get("api/stream/publishers/{vhost}/{queue}", Managers, publishers, "Those of a stream."),
    get(
        "api/stream/{vhost}/{queue}/tracking",
        OfHost,
        tracking,
        "The offsets that a stream keeps by the names of consumers.",
    ),
];

const ONE: &str = "api/stream/connections/{vhost}/{connection}";

fn is_of_streams(facts: &ConnectionFacts) -> bool {
    facts.protocol == ConnectionFacts::STREAM
}

fn all(call: &Call) -> Outcome {
    let mut known = connections::known(call);
    known.retain(|connection| is_of_streams(&connection.facts));
    connections::answer(call, &known)
}

fn of_host(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    let mut known = connections::known(call);
    known.retain(|connection| {
        is_of_streams(&connection.facts) && connection.facts.virtual_host == *host.name()
    });
    connections::answer(call, &known)
}

/// The connection that the path names.
fn existing(call: &Call) -> Outcome<ConnectionStatus> {
    let host = call.existing_host()?;
    let connection = connections::existing(call)?;
    let facts = &connection.facts;
    if is_of_streams(facts) && facts.virtual_host == *host.name() {
        Ok(connection)
    } else {
        Err(Refusal::no_such_object())
    }
}

fn show(call: &Call) -> Outcome {
    one(call, connections::render(call, &Ranges::of(call)?, &existing(call)?))
}

fn close(call: &Call) -> Outcome {
    connections::end(call, &existing(call)?)
}

/// What publishers and consumers have in common.
fn details(call: &Call, facts: &ConnectionFacts, queue: &Queue) -> Object {
    let mut details = connection_details(facts);
    details.insert("user".into(), facts.user.as_str().into());
    details.insert("node".into(), call.node().name().into());
    object! {
        "connection_details": details,
        "queue": {"name": queue.name().as_str(), "vhost": facts.virtual_host.as_str()},
    }
}

fn publisher(call: &Call, facts: &ConnectionFacts, publisher: &StreamPublisher) -> Object {
    let mut shown = details(call, facts, &publisher.queue);
    shown.extend(object! {
        "publisher_id": publisher.id,
        "reference": publisher.reference,
        "published": publisher.published.get(),
        "confirmed": publisher.confirmed.get(),
        "errored": publisher.errored.get(),
    });
    shown
}

fn consumer(call: &Call, facts: &ConnectionFacts, consumer: &StreamConsumer) -> Object {
    let properties = consumer.properties.iter();
    let properties: Object =
        properties.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let mut shown = details(call, facts, &consumer.queue);
    shown.extend(object! {
        "subscription_id": consumer.id,
        "credits": consumer.credits.get(),
        "consumed": consumer.consumed.get(),
        "offset": consumer.offset.get(),
        "offset_lag": consumer.lag(),
        "active": consumer.is_active(),
        "activity_status": if consumer.is_active() { "up" } else { "waiting" },
        "properties": properties,
    });
    shown
}

/// Rows of all connections of which this holds, and that the user may see.
fn rows(
    call: &Call,
    is_meant: impl Fn(&ConnectionFacts) -> bool,
    rows: impl Fn(&ConnectionFacts, &StreamClients) -> Vec<Object>,
) -> Vec<Object> {
    let node = call.node();
    let is_meant = |facts: &ConnectionFacts| is_meant(facts) && connections::may_see(call, facts);
    let known = node.connections.of_streams(is_meant);
    let of_one = |(facts, connection): &(Arc<ConnectionFacts>, _)| {
        let connection: &Arc<dyn crate::node::connections::Closable> = connection;
        connection.stream_clients().map_or(Vec::new(), |clients| rows(facts, clients))
    };
    known.iter().flat_map(of_one).collect()
}

/// How publishers and consumers are sorted.
const ORDER: &[&str] = &["queue.vhost", "queue.name", "connection_details.name"];

fn list_publishers(call: &Call, is_meant: impl Fn(&ConnectionFacts) -> bool) -> Outcome {
    let stream = Some(call.name("queue")).filter(|name| !name.is_empty());
    let of_one = |facts: &ConnectionFacts, clients: &StreamClients| -> Vec<Object> {
        let mut known = clients.publishers();
        known.retain(|it| stream.is_none_or(|stream| it.queue.name().as_str() == stream));
        known.iter().map(|it| publisher(call, facts, it)).collect()
    };
    list(call, rows(call, is_meant, of_one), ORDER)
}

fn list_consumers(call: &Call, is_meant: impl Fn(&ConnectionFacts) -> bool) -> Outcome {
    let of_one = |facts: &ConnectionFacts, clients: &StreamClients| -> Vec<Object> {
        clients.consumers().iter().map(|it| consumer(call, facts, it)).collect()
    };
    list(call, rows(call, is_meant, of_one), ORDER)
}

fn publishers_of(call: &Call) -> Outcome {
    let id = existing(call)?.facts.id;
    list_publishers(call, |facts| facts.id == id)
}

fn consumers_of(call: &Call) -> Outcome {
    let id = existing(call)?.facts.id;
    list_consumers(call, |facts| facts.id == id)
}

/// The virtual host of the path, if there is one in it. Fails with 404 if it does not exist.
fn named_host(call: &Call) -> Outcome<Option<String>> {
    refuse_without_statistics(call)?;
    match call.host() {
        Host::Missing => Err(Refusal::no_such_object()),
        Host::Any => Ok(None),
        Host::One(host) => {
            let stream = call.name("queue");
            if !stream.is_empty() {
                host.queue(stream).map_err(|_| Refusal::no_such_object())?;
            }
            Ok(Some(host.name().as_str().to_owned()))
        }
    }
}

fn publishers(call: &Call) -> Outcome {
    let host = named_host(call)?;
    list_publishers(call, |facts| {
        host.as_ref().is_none_or(|host| facts.virtual_host.as_str() == host)
    })
}

fn consumers(call: &Call) -> Outcome {
    let host = named_host(call)?;
    list_consumers(call, |facts| {
        host.as_ref().is_none_or(|host| facts.virtual_host.as_str() == host)
    })
}

fn tracking(call: &Call) -> Outcome {
    let (host, queue) = queues::to_use(call)?;
    call.check(&host, Access::Read, ResourceKind::Queue, queue.name().as_str())?;
    let stream = queue.stream().ok_or_else(Refusal::no_such_object)?;
    let offsets = stream.log().stored_offsets().into_iter();
    let offsets: Object = offsets.map(|(name, offset)| (name, offset.into())).collect();
    let writers = stream.log().publisher_sequences().into_iter();
    let writers: Object = writers.map(|(name, sequence)| (name, sequence.into())).collect();
    let shown = match call.query.get("type") {
        Some("offset") => object! {"offsets": offsets},
        Some("writer") => object! {"writers": writers},
        _ => object! {"offsets": offsets, "writers": writers},
    };
    one(call, shown)
}
