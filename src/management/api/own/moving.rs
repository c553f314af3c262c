//! Moving messages between queues, and dead letters back to where they came from.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::access::{Access, DEFAULT_EXCHANGE_RESOURCE, ResourceKind};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::queues;
use crate::management::body::{integer, object, object_with};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, post};
use crate::management::json::{Object, object};
use crate::management::rights::Who::OfHost;
use crate::queue::Queue;
use crate::queue::fifo::entry::Entry;
use crate::vhost::VirtualHost;
use crate::vhost::flow::moving::{Destination, Moved};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post(
        "api/leveret/queues/{vhost}/{queue}/move",
        OfHost,
        to_queue,
        "Moves ready messages to another queue: {\"to\", \"count\", \"where\"}.",
    ),
    post(
        "api/leveret/queues/{vhost}/{queue}/copy",
        OfHost,
        copy,
        "Copies ready messages to another queue: {\"to\", \"count\", \"where\"}.",
    ),
    post(
        "api/leveret/queues/{vhost}/{queue}/drop",
        OfHost,
        drop_some,
        "Removes ready messages for good: {\"where\", \"count\"}.",
    ),
    post(
        "api/leveret/queues/{vhost}/{queue}/return",
        OfHost,
        to_origin,
        "Moves dead letters back to the queues in which they died: {\"count\", \"where\"}.",
    ),
];

/// Which messages are meant. What is not said does not matter.
#[derive(Default)]
struct Where {
    ids: Option<HashSet<u64>>,
    exchange: Option<String>,
    routing_key: Option<String>,
    /// The queue that it died in last, and why.
    died_in: Option<String>,
    reason: Option<String>,
}

impl Where {
    fn parse(body: &Object) -> Outcome<Self> {
        let mut meant = Self::default();
        let conditions = match body.get("where") {
            None | Some(Value::Null) => return Ok(meant),
            Some(Value::Object(conditions)) => conditions,
            Some(_) => return Err(Refusal::bad("where must be an object")),
        };
        for (name, value) in conditions {
            let text = || value.as_str().map(str::to_owned).ok_or_else(|| must_be(name, "a text"));
            match name.as_str() {
                "ids" => {
                    let ids = value.as_array().ok_or_else(|| must_be(name, "a list of numbers"))?;
                    let id = |id: &Value| id.as_u64().ok_or_else(|| must_be(name, "numbers"));
                    meant.ids = Some(ids.iter().map(id).collect::<Outcome<_>>()?);
                }
                "exchange" => meant.exchange = Some(text()?),
                "routing_key" => meant.routing_key = Some(text()?),
                "died_in" => meant.died_in = Some(text()?),
                "reason" => meant.reason = Some(text()?),
                _ => {
                    return Err(Refusal::bad(format!(
                        "'{name}' is no condition; there are ids, exchange, routing_key, died_in \
                         and reason"
                    )));
                }
            }
        }
        Ok(meant)
    }

    fn means(&self, entry: &Entry) -> bool {
        let message = &entry.message;
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| actual == Some(wanted))
        };
        let death = message.deaths().and_then(|deaths| deaths.all().first());
        self.ids.as_ref().is_none_or(|ids| ids.contains(&entry.sequence))
            && is(&self.exchange, Some(message.exchange()))
            && is(&self.routing_key, Some(message.routing_key()))
            && is(&self.died_in, death.map(|death| death.queue.as_str()))
            && is(&self.reason, death.map(|death| death.reason.as_str()))
    }
}

fn must_be(name: &str, what: &str) -> Refusal {
    Refusal::bad(format!("{name} must be {what}"))
}

/// How many messages at most; all of them if the request does not say it.
fn count(body: &Object) -> Outcome<usize> {
    match body.get("count") {
        None | Some(Value::Null) => Ok(usize::MAX),
        Some(count) => {
            let count = integer(count)?;
            usize::try_from(count).map_err(|_| Refusal::bad("count must not be negative"))
        }
    }
}

/// The queue that messages are taken from. The user has to be one who may read it and publish.
fn source(call: &Call) -> Outcome<(Arc<VirtualHost>, Arc<Queue>)> {
    let (host, queue) = queues::to_use(call)?;
    call.check(&host, Access::Read, ResourceKind::Queue, queue.name().as_str())?;
    call.check(&host, Access::Write, ResourceKind::Exchange, DEFAULT_EXCHANGE_RESOURCE)?;
    if queue.stream().is_some() {
        return Err(Refusal::bad("messages cannot be taken out of a stream"));
    }
    Ok((host, queue))
}

fn answer(queue: &Queue, moved: &Moved) -> Object {
    let to = moved.to.iter().map(|(name, count)| (name.to_string(), Value::from(*count)));
    object! {
        "moved": moved.count(),
        "to": to.collect::<Object>(),
        "refused": moved.refused,
        "left": queue.counts().ready,
    }
}

/// The queue that messages are to go to.
fn target(body: &Object, host: &VirtualHost, source: &Arc<Queue>) -> Outcome<Arc<Queue>> {
    let name = body.get("to").and_then(Value::as_str).ok_or_else(|| must_be("to", "a text"))?;
    let to = host.queue(name).map_err(|error| Refusal::not_found(error.to_string()))?;
    to.check_owner(0).map_err(|error| Refusal::bad(error.to_string()))?;
    if Arc::ptr_eq(&to, source) {
        return Err(Refusal::bad("messages cannot be moved to the queue that they are in"));
    }
    Ok(to)
}

fn copy(call: &Call) -> Outcome {
    let (host, queue) = source(call)?;
    let body = object_with(&call.body, &["to"])?;
    let (meant, max) = (Where::parse(&body)?, count(&body)?);
    let to = target(&body, &host, &queue)?;
    let means = |entry: &Entry| meant.means(entry);
    let copied =
        call.on_host(&host, |_, effects| host.copy_messages(&queue, &to, max, means, effects))?;
    call.durable()?;
    let mut shown = answer(&queue, &copied);
    let count = shown.remove("moved").unwrap_or_default();
    shown.insert("copied".into(), count);
    Ok(Answer::json(&shown))
}

fn drop_some(call: &Call) -> Outcome {
    let (host, queue) = queues::to_use(call)?;
    call.check(&host, Access::Read, ResourceKind::Queue, queue.name().as_str())?;
    if queue.stream().is_some() {
        return Err(Refusal::bad("messages cannot be taken out of a stream"));
    }
    let body = object_with(&call.body, &["where"])?;
    if body.get("where").is_some_and(Value::is_null) {
        return Err(must_be("where", "an object; {} means all"));
    }
    let (meant, max) = (Where::parse(&body)?, count(&body)?);
    let means = |entry: &Entry| meant.means(entry);
    let dropped =
        call.on_host(&host, |_, effects| host.drop_messages(&queue, max, means, effects))?;
    call.durable()?;
    Ok(Answer::json(&object! {"dropped": dropped, "left": queue.counts().ready}))
}

fn to_queue(call: &Call) -> Outcome {
    let (host, queue) = source(call)?;
    let body = object_with(&call.body, &["to"])?;
    let (meant, max) = (Where::parse(&body)?, count(&body)?);
    let to = target(&body, &host, &queue)?;
    let choose = |entry: &Entry| {
        let destination = || Destination { queue: Arc::clone(&to), message: entry.message.clone() };
        meant.means(entry).then(destination)
    };
    let moved =
        call.on_host(&host, |_, effects| host.move_messages(&queue, max, choose, effects))?;
    call.durable()?;
    Ok(Answer::json(&answer(&queue, &moved)))
}

fn to_origin(call: &Call) -> Outcome {
    let (host, queue) = source(call)?;
    let body = object(&call.body)?;
    let (meant, max) = (Where::parse(&body)?, count(&body)?);
    let mut without_origin = 0;
    let choose = |entry: &Entry| {
        let is_meant = meant.means(entry);
        let destination = is_meant.then(|| host.place_of_death(&queue, entry)).flatten();
        without_origin += usize::from(is_meant && destination.is_none());
        destination
    };
    let moved =
        call.on_host(&host, |_, effects| host.move_messages(&queue, max, choose, effects))?;
    call.durable()?;
    let mut shown = answer(&queue, &moved);
    shown.insert("without_origin".into(), without_origin.into());
    Ok(Answer::json(&shown))
}
