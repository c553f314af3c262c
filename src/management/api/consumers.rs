//! Consumers.

use crate::base::ids::ChannelId;
use crate::definitions::arguments::from_field_table;
use crate::management::answer::{Outcome, Refusal};
use crate::management::api::ranges::refuse_without_statistics;
use crate::management::api::references::channel_details;
use crate::management::call::{Call, Host};
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::whole;
use crate::management::rights::Who::Managers;
use crate::queue::Queue;
use crate::queue::status::ConsumerStatus;
use crate::vhost::VirtualHost;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/consumers", Managers, all, "The consumers of all queues."),
    get("api/consumers/{vhost}", Managers, all, "Those of the queues of a virtual host."),
];

/// How consumers are sorted.
const ORDER: &[&str] = &["queue.vhost", "queue.name", "consumer_tag"];

fn render(call: &Call, host: &VirtualHost, consumer: &ConsumerStatus) -> Object {
    let facts = call.node().connections.facts(consumer.channel.connection);
    let number = consumer.channel.number;
    let channel = facts.map(|facts| channel_details(call, &facts, number));
    object! {
        "ack_required": consumer.ack_required,
        "active": consumer.active,
        "activity_status": consumer.activity.as_str(),
        "arguments": from_field_table(&consumer.arguments),
        "channel_details": channel.unwrap_or_default(),
        "consumer_tag": consumer.tag.as_str(),
        "consumer_timeout": consumer.consumer_timeout_ms,
        "exclusive": consumer.exclusive,
        "prefetch_count": consumer.prefetch_count,
        "queue": {"name": consumer.queue.as_str(), "vhost": host.name().as_str()},
    }
}

/// The consumers of a channel.
pub(crate) fn of_channel(call: &Call, host: &VirtualHost, channel: ChannelId) -> Vec<Object> {
    let consumers = host.queues().into_iter().flat_map(|queue| queue.consumers());
    let own = consumers.filter(|consumer| consumer.channel == channel);
    own.map(|consumer| render(call, host, &consumer)).collect()
}

/// The consumers of a queue.
pub(crate) fn of_queue(call: &Call, host: &VirtualHost, queue: &Queue) -> Vec<Object> {
    queue.consumers().iter().map(|consumer| render(call, host, consumer)).collect()
}

/// Whether the user may know of the consumers of a channel: monitors of all, others of their own.
fn may_see(call: &Call, channel: ChannelId) -> bool {
    call.is_monitor() || {
        let facts = call.node().connections.facts(channel.connection);
        facts.is_some_and(|facts| facts.user.as_str() == call.user_name())
    }
}

fn all(call: &Call) -> Outcome {
    refuse_without_statistics(call)?;
    let hosts = match call.host() {
        Host::Missing => return Err(Refusal::no_such_object()),
        Host::One(host) => vec![host],
        Host::Any => call.node().all_virtual_hosts(),
    };
    let mut rows = Vec::new();
    for host in hosts {
        for queue in host.queues() {
            let consumers = queue.consumers();
            let known = consumers.iter().filter(|consumer| may_see(call, consumer.channel));
            rows.extend(known.map(|consumer| render(call, &host, consumer)));
        }
    }
    whole(call, rows, ORDER)
}
