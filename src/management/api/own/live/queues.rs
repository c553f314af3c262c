//! Changes of the list of queues, of which there may be many: what a queue is, once, and its
//! figures whenever they have moved.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::management::api::queues::arguments_of;
use crate::management::call::Call;
use crate::management::json::{Object, object};
use crate::queue::Queue;
use crate::vhost::VirtualHost;

/// A queue is looked at anew, policies and all, every so many events.
const ANEW: u64 = 16;

/// Figures of a queue, in the order of [`FIGURES`].
type Figures = [u64; FIGURES.len()];

/// Their names, told with the first event.
const FIGURES: [&str; 14] = [
    "ready",
    "unacked",
    "consumers",
    "memory",
    "publish",
    "deliver_get",
    "ack",
    "redeliver",
    "expired",
    "maxlen",
    "rejected",
    "delivery_limit",
    "purged",
    "held",
];

/// What was told of a queue.
struct Told {
    queue: Arc<Queue>,
    /// The number by which events call it.
    id: u64,
    policy: Option<String>,
    figures: Figures,
    /// The event in which it was last seen.
    seen: u64,
}

/// The list of queues, as it was told.
#[derive(Default)]
pub(super) struct QueueChanges {
    /// By where they are in memory, at which no other can be while they are kept here.
    told: HashMap<usize, Told>,
    ids: u64,
    events: u64,
}

impl QueueChanges {
    /// Writes what has changed, as a JSON object.
    pub(super) fn write(&mut self, call: &Call, event: &mut Vec<u8>) {
        self.events += 1;
        event.extend_from_slice(b"{\"new\":");
        let (mut new, mut moved, mut gone) = (List::default(), List::default(), List::default());
        for host in call.hosts_to_list().unwrap_or_default() {
            for queue in host.queues() {
                self.look_at(&host, queue, &mut new, &mut moved);
            }
        }
        let events = self.events;
        self.told.retain(|_, told| {
            let is_there = told.seen == events;
            if !is_there {
                gone.push(&told.id);
            }
            is_there
        });
        new.end(event);
        event.extend_from_slice(b",\"moved\":");
        moved.end(event);
        event.extend_from_slice(b",\"gone\":");
        gone.end(event);
        if events == 1 {
            event.extend_from_slice(b",\"figures\":");
            push_json(event, &FIGURES);
        }
        event.push(b'}');
    }

    fn look_at(&mut self, host: &VirtualHost, queue: Arc<Queue>, new: &mut List, moved: &mut List) {
        let figures = figures(&queue);
        let key = Arc::as_ptr(&queue) as usize;
        let Some(told) = self.told.get_mut(&key) else {
            self.ids += 1;
            let policy = host.policies_of_queue(&queue).policy;
            new.push(&attributes(self.ids, host, &queue, policy.as_deref()));
            moved.push(&row(self.ids, &figures));
            let told = Told { queue, id: self.ids, policy, figures, seen: self.events };
            self.told.insert(key, told);
            return;
        };
        told.seen = self.events;
        if (self.events + told.id).is_multiple_of(ANEW) {
            let policy = host.policies_of_queue(&queue).policy;
            if policy != told.policy {
                new.push(&attributes(told.id, host, &told.queue, policy.as_deref()));
                told.policy = policy;
            }
        }
        if figures != told.figures {
            moved.push(&row(told.id, &figures));
            told.figures = figures;
        }
    }
}

/// A JSON list that is written at once: as values, ten thousand queues would take much memory.
#[derive(Default)]
struct List(Vec<u8>);

impl List {
    fn push(&mut self, item: &impl Serialize) {
        self.0.push(if self.0.is_empty() { b'[' } else { b',' });
        push_json(&mut self.0, item);
    }

    fn end(self, event: &mut Vec<u8>) {
        let octets = if self.0.is_empty() { b"[" } else { self.0.as_slice() };
        event.extend_from_slice(octets);
        event.push(b']');
    }
}

/// Texts and numbers always can be written.
fn push_json(octets: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(octets, value);
}

/// The number of a queue with its figures.
fn row(id: u64, figures: &Figures) -> [u64; FIGURES.len() + 1] {
    let mut row = [id; FIGURES.len() + 1];
    row[1..].copy_from_slice(figures);
    row
}

fn figures(queue: &Queue) -> Figures {
    let tally = queue.tally();
    let totals = &tally.totals;
    [
        totals.messages_ready,
        totals.messages_unacknowledged,
        tally.consumers as u64,
        queue.counts().footprint as u64,
        totals.publish,
        totals.deliver_get(),
        totals.ack,
        totals.redeliver,
        totals.expired,
        totals.maxlen,
        totals.rejected,
        totals.delivery_limit,
        totals.purged,
        queue.is_held().into(),
    ]
}

/// What a queue is.
fn attributes(id: u64, host: &VirtualHost, queue: &Queue, policy: Option<&str>) -> Object {
    let attributes = queue.attributes();
    object! {
        "id": id,
        "vhost": host.name().as_str(),
        "name": queue.name().as_str(),
        "type": attributes.arguments.queue_type.as_str(),
        "durable": attributes.durable,
        "auto_delete": attributes.auto_delete,
        "exclusive": attributes.owner.is_some(),
        "arguments": arguments_of(queue),
        "policy": policy,
    }
}
