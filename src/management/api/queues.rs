//! Queues `[amqp 0-9-1 queue]`.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use crate::base::argument;
use crate::insight::statistics::history::Span;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::consumers;
use crate::management::api::counted::{LEVELS, OF_QUEUE, message_stats};
use crate::management::api::declaring::{arguments, flag};
use crate::management::api::idle::idle_since;
use crate::management::api::properties::json_table;
use crate::management::api::ranges::Ranges;
use crate::management::api::references::connection_details;
use crate::management::body::{self, object_with};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post, put};
use crate::management::json::{Object, object};
use crate::management::list::{BY_NAME, list, one};
use crate::management::order::Row;
use crate::management::rights::Who::{Administrators, OfHost};
use crate::queue::{Queue, QueueType};
use crate::time::clock::Timestamp;
use crate::vhost::{QueueDeclare, VirtualHost};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/queues", OfHost, all, "The queues of all virtual hosts."),
    get("api/queues/detailed", OfHost, all, "The same."),
    get("api/queues/detailed/{vhost}", OfHost, all, "The queues of a virtual host."),
    get("api/queues/quorum/{vhost}/{queue}/status", OfHost, status, "Replicas of a quorum queue."),
    get("api/queues/{vhost}", OfHost, all, "The queues of a virtual host."),
    get("api/queues/{vhost}/{queue}", OfHost, show, "A queue."),
    put(
        "api/queues/{vhost}/{queue}",
        OfHost,
        declare,
        "Declares one: {\"durable\", \"auto_delete\", \"arguments\"}.",
    ),
    delete(
        "api/queues/{vhost}/{queue}",
        OfHost,
        remove,
        "Deletes one; with ?if-empty=true or ?if-unused=true only if it is that.",
    ),
    delete("api/queues/{vhost}/{queue}/contents", OfHost, purge, "Drops its ready messages."),
    post("api/queues/{vhost}/{queue}/actions", Administrators, act, "No action is known."),
];

/// A queue of a list.
struct QueueRow {
    of: Arc<(Arc<VirtualHost>, View)>,
    queue: Arc<Queue>,
}

/// How much of queues is shown.
#[derive(Clone)]
struct View {
    node: Arc<str>,
    now: Timestamp,
    /// Not only what they are.
    with_statistics: bool,
    /// Without statistics, how many messages they hold all the same.
    with_totals: bool,
    ranges: Ranges,
}

impl View {
    fn of(call: &Call) -> Outcome<Self> {
        Ok(Self {
            node: call.node().name().into(),
            now: call.node().clock().now(),
            with_statistics: !call.query.is_true("disable_stats"),
            with_totals: call.query.is_true("enable_queue_totals"),
            ranges: Ranges::of(call)?,
        })
    }

    fn shows_totals(&self) -> bool {
        self.with_statistics || self.with_totals
    }

    fn render(&self, host: &VirtualHost, queue: &Queue) -> Object {
        let mut shown = self.attributes(host, queue);
        let policies = host.policies_of_queue(queue);
        if self.with_statistics {
            let definition = crate::definitions::arguments::from_field_table(&policies.definition);
            shown.insert("effective_policy_definition".into(), definition.into());
            shown.insert("operator_policy".into(), policies.operator_policy.into());
            shown.insert("policy".into(), policies.policy.into());
        } else if let Some(policy) = policies.policy {
            shown.insert("policy".into(), policy.into());
        }
        if self.with_statistics {
            self.add_statistics(queue, &mut shown);
        }
        if self.with_totals && !self.with_statistics {
            let counts = queue.counts();
            shown.insert("messages".into(), (counts.ready + counts.unacked).into());
            shown.insert("messages_ready".into(), counts.ready.into());
            shown.insert("messages_unacknowledged".into(), counts.unacked.into());
        }
        shown
    }

    fn add_statistics(&self, queue: &Queue, shown: &mut Object) {
        let status = queue.status(self.now);
        let in_memory = status.ready.messages.saturating_sub(status.paged_out.messages);
        let bytes = status.ready.bytes + status.unacknowledged.bytes;
        shown.extend(object! {
            "consumer_capacity": status.consumer_capacity,
            "consumer_utilisation": status.consumer_capacity,
            "consumers": status.consumers,
            "held": status.is_held,
            "exclusive_consumer_tag": status.exclusive_consumer.map(|key| key.tag.to_string()),
            "head_message_timestamp": status.head_message_timestamp,
            "memory": status.memory,
            "message_bytes": bytes,
            "message_bytes_paged_out": status.paged_out.bytes,
            "message_bytes_persistent": status.persistent.bytes,
            "message_bytes_ram": bytes.saturating_sub(status.paged_out.bytes),
            "message_bytes_ready": status.ready.bytes,
            "message_bytes_unacknowledged": status.unacknowledged.bytes,
            "messages_paged_out": status.paged_out.messages,
            "messages_persistent": status.persistent.messages,
            "messages_ram": in_memory + status.unacknowledged.messages,
            "messages_ready_ram": in_memory,
            "messages_unacknowledged_ram": status.unacknowledged.messages,
            "single_active_consumer_tag":
                status.single_active_consumer.map(|key| key.tag.to_string()),
        });
        if let Some(since) = idle_since(status.active_at, self.now) {
            shown.insert("idle_since".into(), since.into());
        }
        let samples =
            |span: Option<Span>| span.map_or(Vec::new(), |span| queue.samples(self.now, span));
        shown.extend(message_stats(&status.messages, LEVELS, &samples(self.ranges.lengths)));
        let samples = samples(self.ranges.msg_rates);
        let counted = message_stats(&status.messages, OF_QUEUE, &samples);
        if counted.values().any(|value| value.as_u64().is_some_and(|total| total > 0)) {
            shown.insert("message_stats".into(), counted.into());
        }
    }

    /// What the queue was declared as.
    fn attributes(&self, host: &VirtualHost, queue: &Queue) -> Object {
        let attributes = queue.attributes();
        let queue_type = attributes.arguments.queue_type;
        let mut shown = object! {
            "name": queue.name().as_str(),
            "vhost": host.name().as_str(),
            "type": queue_type.as_str(),
            "durable": attributes.durable,
            "auto_delete": attributes.auto_delete,
            "exclusive": attributes.owner.is_some(),
            "arguments": arguments_of(queue),
            "node": &*self.node,
            "state": "running",
        };
        if queue_type == QueueType::Classic {
            shown.insert("storage_version".into(), 2.into());
        }
        if queue_type != QueueType::Classic {
            shown.insert("leader".into(), (&*self.node).into());
            shown.insert("members".into(), json!([&*self.node]));
            shown.insert("online".into(), json!([&*self.node]));
        }
        shown
    }
}

/// The arguments of a queue, its type among them.
pub(crate) fn arguments_of(queue: &Queue) -> Object {
    let attributes = queue.attributes();
    let mut arguments = json_table(&attributes.table);
    let queue_type = attributes.arguments.queue_type.as_str();
    arguments.entry(argument::QUEUE_TYPE).or_insert_with(|| queue_type.into());
    arguments
}

impl Row for QueueRow {
    fn render(&self) -> Object {
        let (host, view) = &*self.of;
        view.render(host, &self.queue)
    }

    fn text(&self, name: &str) -> Option<&str> {
        match name {
            "name" => Some(self.queue.name().as_str()),
            "vhost" => Some(self.of.0.name().as_str()),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<usize> {
        if !self.of.1.shows_totals() {
            return None;
        }
        let counts = || self.queue.counts();
        match name {
            "messages" => Some(counts().ready + counts().unacked),
            "messages_ready" => Some(counts().ready),
            "messages_unacknowledged" => Some(counts().unacked),
            _ => None,
        }
    }
}

fn all(call: &Call) -> Outcome {
    let hosts = call.hosts_to_list().ok_or_else(Refusal::no_such_object)?;
    let view = View::of(call)?;
    let rows = hosts.into_iter().flat_map(|host| {
        let queues = host.queues();
        let of = Arc::new((host, view.clone()));
        queues.into_iter().map(move |queue| QueueRow { of: Arc::clone(&of), queue })
    });
    list(call, rows.collect(), BY_NAME)
}

/// The queue that the path names. Fails with 404.
fn existing(call: &Call) -> Outcome<(Arc<VirtualHost>, Arc<Queue>)> {
    let host = call.existing_host()?;
    let queue = host.queue(call.name("queue")).map_err(|_| Refusal::no_such_object())?;
    Ok((host, queue))
}

/// The same, for what is done with it. Fails with 404 and another body.
pub(crate) fn to_use(call: &Call) -> Outcome<(Arc<VirtualHost>, Arc<Queue>)> {
    let host = call.host_to_change()?;
    let queue =
        host.queue(call.name("queue")).map_err(|_| Refusal::not_found("queue_not_found"))?;
    Ok((host, queue))
}

fn show(call: &Call) -> Outcome {
    let (host, queue) = existing(call)?;
    let mut shown = View::of(call)?.render(&host, &queue);
    let consumers = consumers::of_queue(call, &host, &queue);
    shown.insert("consumer_details".into(), consumers.into());
    let owner = queue.attributes().owner.and_then(|owner| call.node().connections.facts(owner));
    if let Some(owner) = owner {
        shown.insert("owner_pid_details".into(), connection_details(&owner).into());
    }
    shown.insert("deliveries".into(), json!([]));
    shown.insert("incoming".into(), json!([]));
    one(call, shown)
}

fn declare(call: &Call) -> Outcome {
    let host = call.host_to_change()?;
    let body = body::object(&call.body)?;
    let name = call.name("queue");
    if name.len() > usize::from(u8::MAX) {
        return Err(Refusal::bad(format!(
            "queue should be less than 255 bytes, actually was {}\n",
            name.len()
        )));
    }
    // No connection is there to own it, and what an exclusive queue is it is not, either.
    let exclusive = flag(&body, "exclusive")?;
    let declare = QueueDeclare {
        queue: name.to_owned(),
        passive: false,
        durable: flag(&body, "durable")? && !exclusive,
        exclusive: false,
        auto_delete: flag(&body, "auto_delete")?,
        arguments: arguments(&body)?,
    };
    call.check_wanted_node(&body)?;
    let is_new = host.queue(name).is_err();
    call.on_host(&host, |actor, effects| host.queue_declare(actor, &declare, effects))?;
    Ok(Answer::put(is_new))
}

fn remove(call: &Call) -> Outcome {
    let (host, queue) = existing(call)?;
    let (if_unused, if_empty) = (call.query.is_true("if-unused"), call.query.is_true("if-empty"));
    let name = queue.name().as_str();
    call.on_host(&host, |actor, effects| {
        host.queue_delete(actor, name, if_unused, if_empty, effects)
    })?;
    Ok(Answer::done())
}

fn purge(call: &Call) -> Outcome {
    let (host, queue) = existing(call)?;
    let name = queue.name().as_str();
    call.on_host(&host, |actor, effects| host.queue_purge(actor, name, effects))?;
    Ok(Answer::done())
}

fn act(call: &Call) -> Outcome {
    to_use(call)?;
    let body = object_with(&call.body, &["action"])?;
    Err(Refusal::bad(json!(["unknown", body.get("action")])))
}

fn status(call: &Call) -> Outcome {
    let (_, queue) = existing(call)?;
    if queue.attributes().arguments.queue_type != QueueType::Quorum {
        let reason =
            format!("{}_queue_not_supported", queue.attributes().arguments.queue_type.as_str());
        let body = json!({ "status": "failed", "reason": reason });
        return Ok(Answer::json(&body).status(StatusCode::SERVICE_UNAVAILABLE));
    }
    Ok(Answer::json(&json!([{
        "Node Name": call.node().name(),
        "Raft State": "leader",
        "Membership": "voter",
    }])))
}
