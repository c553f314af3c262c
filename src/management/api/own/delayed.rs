//! Messages that an exchange of the type `x-delayed-message` keeps.

use std::collections::HashSet;

use crate::access::{Access, ResourceKind};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::exchanges;
use crate::management::api::messages::{ANSWER_BYTES_MAX, Shown};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post};
use crate::management::json::{Object, object};
use crate::management::rights::Who::OfHost;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(
        "api/leveret/exchanges/{vhost}/{exchange}/delayed",
        OfHost,
        list,
        "The messages that an exchange keeps until they are due: ?encoding, truncate.",
    ),
    delete(
        "api/leveret/exchanges/{vhost}/{exchange}/delayed",
        OfHost,
        cancel,
        "Drops all of them.",
    ),
    post(
        "api/leveret/exchanges/{vhost}/{exchange}/delayed/release",
        OfHost,
        release,
        "Sends all of them on now.",
    ),
    delete("api/leveret/exchanges/{vhost}/{exchange}/delayed/{id}", OfHost, cancel, "Drops one."),
    post(
        "api/leveret/exchanges/{vhost}/{exchange}/delayed/{id}/release",
        OfHost,
        release,
        "Sends one on now.",
    ),
];

/// Messages that are shown at most.
const COUNT_MAX: usize = 1000;

fn list(call: &Call) -> Outcome {
    let shown = Shown::of_query(&call.query)?;
    let (host, exchange) = exchanges::existing(call)?;
    call.check(&host, Access::Read, ResourceKind::Exchange, exchange.name().as_str())?;
    let (mut messages, mut octets) = (Vec::<Object>::new(), 0);
    for delayed in host.delayed(&exchange).into_iter().take(COUNT_MAX) {
        octets += shown.octets(&delayed.message);
        let mut message = shown.message(&delayed.message, None);
        message.insert("id".into(), delayed.number.into());
        message.insert("due_at".into(), delayed.due.as_millis().into());
        messages.push(message);
        if octets > ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(Answer::json(&object! {"total": exchange.delayed_count(), "messages": messages}))
}

/// Does something with the message that the path names, or with all; tells with how many.
fn with_meant(call: &Call, is_release: bool) -> Outcome<usize> {
    let (host, exchange) = exchanges::existing(call)?;
    call.check(&host, Access::Configure, ResourceKind::Exchange, exchange.name().as_str())?;
    let numbers: HashSet<u64> = match call.name("id") {
        "" => host.delayed(&exchange).iter().map(|delayed| delayed.number).collect(),
        id => HashSet::from([id.parse().map_err(|_| Refusal::no_such_object())?]),
    };
    let count = call.on_host(&host, |_, effects| {
        Ok(match is_release {
            true => host.release_delayed(&exchange, &numbers, effects),
            false => host.cancel_delayed(&exchange, &numbers, effects),
        })
    })?;
    if count == 0 && !call.name("id").is_empty() {
        return Err(Refusal::no_such_object());
    }
    call.durable()?;
    Ok(count)
}

fn cancel(call: &Call) -> Outcome {
    Ok(Answer::json(&object! {"cancelled": with_meant(call, false)?}))
}

fn release(call: &Call) -> Outcome {
    Ok(Answer::json(&object! {"released": with_meant(call, true)?}))
}
