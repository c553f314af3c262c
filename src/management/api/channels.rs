//! Channels.

use std::sync::Arc;

use crate::channel::status::{ChannelMode, ChannelStatus};
use crate::management::answer::{Outcome, Refusal};
use crate::management::api::consumers;
use crate::management::api::counted::{DELIVERING, message_stats};
use crate::management::api::idle::idle_since;
use crate::management::api::ranges::{Ranges, refuse_without_statistics};
use crate::management::api::references::{channel_name, connection_details};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::{Object, object};
use crate::management::list::{list, one};
use crate::management::rights::Who::{Managers, ViewersOfHost};
use crate::node::status::ConnectionFacts;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("api/channels", Managers, all, "The open channels."),
    get("api/channels/{channel}", Managers, show, "A channel, with its consumers."),
    get("api/vhosts/{vhost}/channels", ViewersOfHost, all_of_host, "Those of a virtual host."),
];

/// How channels are sorted.
const ORDER: &[&str] = &["name"];

fn render(
    call: &Call,
    ranges: &Ranges,
    facts: &ConnectionFacts,
    channel: &ChannelStatus,
) -> Object {
    let mut shown = object! {
        "acks_uncommitted": channel.acks_uncommitted,
        "confirm": channel.mode == ChannelMode::Confirm,
        "connection_details": connection_details(facts),
        "consumer_count": channel.consumers,
        "global_prefetch_count": channel.global_prefetch_count,
        "messages_unacknowledged": channel.messages_unacknowledged,
        "messages_uncommitted": channel.messages_uncommitted,
        "messages_unconfirmed": channel.messages_unconfirmed,
        "name": channel_name(facts, channel.id.number),
        "node": call.node().name(),
        "number": channel.id.number,
        "pending_raft_commands": 0,
        "prefetch_count": channel.prefetch_count,
        "state": "running",
        "transactional": channel.mode == ChannelMode::Transaction,
        "user": facts.user.as_str(),
        "user_who_performed_action": facts.user.as_str(),
        "vhost": facts.virtual_host.as_str(),
    };
    if let Some(since) = idle_since(channel.active_at, call.node().clock().now()) {
        shown.insert("idle_since".into(), since.into());
    }
    let session = call.node().connections.session(channel.id.connection);
    let samples = ranges.msg_rates.zip(session).map_or(Vec::new(), |(span, session)| {
        session.samples(channel.id.number, call.node().clock().now(), span)
    });
    let counted = message_stats(&channel.messages, DELIVERING, &samples);
    if counted.values().any(|value| value.as_u64().is_some_and(|total| total > 0)) {
        shown.insert("message_stats".into(), counted.into());
    }
    shown
}

/// Those whose connections are meant, of the ones that the user may know of: monitors of all,
/// others of their own.
fn known(
    call: &Call,
    is_meant: impl Fn(&ConnectionFacts) -> bool,
) -> Vec<(Arc<ConnectionFacts>, ChannelStatus)> {
    let mut known = call.node().channels();
    known.retain(|(facts, _)| {
        is_meant(facts) && (call.is_monitor() || facts.user.as_str() == call.user_name())
    });
    known
}

/// Answers with the channels of connections that are meant.
pub(crate) fn list_of(call: &Call, is_meant: impl Fn(&ConnectionFacts) -> bool) -> Outcome {
    refuse_without_statistics(call)?;
    let ranges = Ranges::of(call)?;
    let known = known(call, is_meant);
    let rows = known.iter().map(|(facts, channel)| render(call, &ranges, facts, channel));
    list(call, rows.collect(), ORDER)
}

fn all(call: &Call) -> Outcome {
    list_of(call, |_| true)
}

fn all_of_host(call: &Call) -> Outcome {
    let host = call.existing_host()?;
    list_of(call, |facts| facts.virtual_host == *host.name())
}

fn show(call: &Call) -> Outcome {
    refuse_without_statistics(call)?;
    let named = call.name("channel");
    let all = call.node().channels();
    let found =
        all.into_iter().find(|(facts, channel)| channel_name(facts, channel.id.number) == named);
    let (facts, channel) = found.ok_or_else(Refusal::no_such_object)?;
    if !call.is_monitor() && facts.user.as_str() != call.user_name() {
        return Err(Refusal::not_authorised("User not authorised to access object"));
    }
    let mut shown = render(call, &Ranges::of(call)?, &facts, &channel);
    let host = call.node().virtual_host(facts.virtual_host.as_str());
    let consumers = host.map(|host| consumers::of_channel(call, &host, channel.id));
    shown.insert("consumer_details".into(), consumers.unwrap_or_default().into());
    // What it published where, and got from where, is not kept: that is so with RabbitMQ, too, at
    // its basic rates.
    shown.insert("deliveries".into(), Vec::<Object>::new().into());
    shown.insert("publishes".into(), Vec::<Object>::new().into());
    one(call, shown)
}
