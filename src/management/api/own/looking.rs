//! Looking at messages, which stay as they are: neither taken, nor marked as redelivered.

use serde_json::Value;

use crate::access::{Access, ResourceKind};
use crate::base::ids::ChannelId;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::messages::{ANSWER_BYTES_MAX, Shown};
use crate::management::api::queues;
use crate::management::api::references::channel_details;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get};
use crate::management::json::Object;
use crate::management::rights::Who::OfHost;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::state::Outstanding;
use crate::time::clock::Timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(
        "api/leveret/queues/{vhost}/{queue}/messages",
        OfHost,
        ready,
        "Ready messages in their order, without taking them: ?offset, count, encoding, truncate.",
    ),
    get(
        "api/leveret/queues/{vhost}/{queue}/unacked",
        OfHost,
        unacked,
        "Deliveries that wait for an acknowledgement, and who has them: ?offset, count, encoding, \
         truncate.",
    ),
];

/// Messages that are shown unless the request says how many.
const COUNT: usize = 50;

/// Messages that are shown at most.
const COUNT_MAX: usize = 1000;

/// Which messages a request asks for.
struct Part {
    offset: usize,
    count: usize,
    shown: Shown,
}

impl Part {
    fn of(call: &Call) -> Outcome<Self> {
        let number = |name: &str, default| match call.query.get(name).map(str::parse) {
            None => Ok(default),
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(Refusal::bad(format!("{name} must be a whole number"))),
        };
        let (offset, count) = (number("offset", 0)?, number("count", COUNT)?.min(COUNT_MAX));
        Ok(Self { offset, count, shown: Shown::of_query(&call.query)? })
    }

    /// The first messages, as many as an answer may hold.
    fn render(self, entries: impl Iterator<Item = (Object, Entry)>) -> Outcome {
        let (mut messages, mut octets) = (Vec::<Value>::new(), 0);
        for (more, entry) in entries {
            octets += self.shown.octets(&entry.message);
            let counted = (entry.delivery_count > 0).then_some(entry.delivery_count);
            let mut message = self.shown.message(&entry.message, counted);
            message.insert("id".into(), entry.sequence.into());
            message.insert("redelivered".into(), entry.redelivered.into());
            message.insert("expires_at".into(), time(entry.expires_at));
            message.extend(more);
            messages.push(message.into());
            if octets > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(Answer::json(&messages))
    }
}

/// Milliseconds since 1970; null if it never is.
pub(crate) fn time(at: Timestamp) -> Value {
    if at == Timestamp::NEVER { Value::Null } else { at.as_millis().into() }
}

fn ready(call: &Call) -> Outcome {
    let part = Part::of(call)?;
    let (host, queue) = queues::to_use(call)?;
    let name = queue.name().as_str();
    call.check(&host, Access::Read, ResourceKind::Queue, name)?;
    let entries = host.peek_behind(&queue, part.offset, part.count, ANSWER_BYTES_MAX as u64);
    let entries = entries.map_err(|error| Refusal::bad(error.to_string()))?;
    let first = part.offset;
    let placed = entries.into_iter().enumerate().map(|(at, entry)| {
        (Object::from_iter([("position".to_owned(), (first + at).into())]), entry)
    });
    part.render(placed)
}

fn unacked(call: &Call) -> Outcome {
    let part = Part::of(call)?;
    let (host, queue) = queues::to_use(call)?;
    let name = queue.name().as_str();
    call.check(&host, Access::Read, ResourceKind::Queue, name)?;
    let all = queue.unacked().into_iter().skip(part.offset).take(part.count);
    let owned = all.map(|outstanding| {
        let Outstanding { entry, consumer_tag, channel, delivered_at } = outstanding;
        let mut more = Object::new();
        more.insert("consumer_tag".into(), consumer_tag.map(|tag| tag.to_string()).into());
        more.insert("channel_details".into(), owner(call, channel));
        more.insert("delivered_at".into(), time(delivered_at));
        (more, entry)
    });
    part.render(owned)
}

/// Who has a delivery; null if its connection is gone by now.
fn owner(call: &Call, channel: ChannelId) -> Value {
    let facts = call.node().connections.facts(channel.connection);
    facts.map_or(Value::Null, |facts| channel_details(call, &facts, channel.number).into())
}
