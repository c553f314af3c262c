//! Changes of the list of queues, of which there may be many: what a queue is, once, and its
//! figures whenever they have moved.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

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
pub struct QueueChanges {
    /// By where they are in memory, at which no other can be while they are kept here.
    told: HashMap<usize, Told>,
    ids: u64,
    events: u64,
}

impl QueueChanges {
    /// What has changed.
    pub fn change(&mut self, call: &Call) -> Object {
        self.events += 1;
        let (mut new, mut moved, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for host in call.hosts_to_list().unwrap_or_default() {
            for queue in host.queues() {
                self.look_at(&host, queue, &mut new, &mut moved);
            }
        }
        let events = self.events;
        self.told.retain(|_, told| {
            let is_there = told.seen == events;
            if !is_there {
                gone.push(told.id);
            }
            is_there
        });
        let mut change = object! { "new": new, "moved": moved, "gone": gone };
        if events == 1 {
            change.insert("figures".into(), json!(FIGURES));
        }
        change
    }

    fn look_at(
        &mut self,
        host: &VirtualHost,
        queue: Arc<Queue>,
        new: &mut Vec<Object>,
        moved: &mut Vec<Value>,
    ) {
        let figures = figures(&queue);
        let key = Arc::as_ptr(&queue) as usize;
        let Some(told) = self.told.get_mut(&key) else {
            self.ids += 1;
            let policy = host.policies_of_queue(&queue).policy;
            new.push(attributes(self.ids, host, &queue, policy.as_deref()));
            moved.push(row(self.ids, &figures));
            let told = Told { queue, id: self.ids, policy, figures, seen: self.events };
            self.told.insert(key, told);
            return;
        };
        told.seen = self.events;
        if (self.events + told.id).is_multiple_of(ANEW) {
            let policy = host.policies_of_queue(&queue).policy;
            if policy != told.policy {
                new.push(attributes(told.id, host, &told.queue, policy.as_deref()));
                told.policy = policy;
            }
        }
        if figures != told.figures {
            moved.push(row(told.id, &figures));
            told.figures = figures;
        }
    }
}

/// The number of a queue with its figures.
fn row(id: u64, figures: &Figures) -> Value {
    std::iter::once(id).chain(figures.iter().copied()).collect()
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
