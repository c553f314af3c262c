//! The journal: what has happened, in order.

use serde_json::Value;

use crate::insight::journal::describe::body;
use crate::insight::journal::{Event, Events};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get};
use crate::management::json::{Object, object};
use crate::management::rights::Who::Administrators;

/// Events that are told at a time.
const EVENTS_MAX: usize = 2000;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(
        "api/leveret/journal",
        Administrators,
        show,
        "The last events, oldest first: last=N, after=NUMBER, message=NUMBER.",
    ),
    delete("api/leveret/journal", Administrators, clear, "Forgets all events."),
];

fn show(call: &Call) -> Outcome {
    let Some(journal) = &call.node().shared.journal else {
        return Err(Refusal::bad("the journal is off: BrokerBuilder::journal turns it on"));
    };
    let last = parameter(call, "last")?.map_or(EVENTS_MAX, |last| last as usize);
    let after = parameter(call, "after")?.unwrap_or(0);
    let message = parameter(call, "message")?;
    let events = journal.events();
    let is_meant = |event: &&Event| {
        event.number > after && message.is_none_or(|message| event.trace == Some(message))
    };
    let meant: Vec<&Event> = events.iter().map(AsRef::as_ref).filter(is_meant).collect();
    let skipped = meant.len().saturating_sub(last.min(EVENTS_MAX));
    let told: Vec<Value> =
        meant.iter().skip(skipped).map(|event| describe(event, &events).into()).collect();
    Ok(Answer::json(&object! {"skipped": skipped, "events": told}))
}

fn parameter(call: &Call, name: &str) -> Outcome<Option<u64>> {
    let Some(text) = call.query.get(name) else { return Ok(None) };
    let number = text.parse().map_err(|_| Refusal::bad(format!("{name} is no number")))?;
    Ok(Some(number))
}

fn describe(event: &Event, events: &Events) -> Object {
    let mut told = Object::new();
    // A kind is an object; what it names itself counts.
    if let Ok(Value::Object(kind)) = serde_json::to_value(&event.kind) {
        told.extend(kind);
    }
    if let Some(message) = &event.message {
        told.insert("from_exchange".into(), message.exchange().into());
        told.insert("routing_key".into(), message.routing_key().into());
        told.insert("body".into(), body(message.body()).into());
    }
    told.insert("number".into(), event.number.into());
    told.insert("at".into(), event.at.as_millis().into());
    told.insert("vhost".into(), event.virtual_host.as_str().into());
    told.insert("message".into(), event.trace.into());
    told.insert("line".into(), events.line(event).into());
    told
}

fn clear(call: &Call) -> Outcome {
    if let Some(journal) = &call.node().shared.journal {
        journal.clear();
    }
    Ok(Answer::done())
}
