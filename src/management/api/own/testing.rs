//! What tests use of a broker, for people who look at one: its clock, faults, snapshots.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use crate::error::Error;
use crate::faults::{Registry, Rule};
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::{boolean, integer, object};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post};
use crate::management::json::{Object, object};
use crate::management::rights::Who::Administrators;
use crate::node::Node;
use crate::node::snapshot::Snapshot;
use crate::time::clock::Clock;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(
        "api/leveret/testing",
        Administrators,
        show,
        "What there is for tests: the clock, the journal's size, faults, snapshots.",
    ),
    post(
        "api/leveret/clock/advance",
        Administrators,
        advance,
        "Moves a manual clock: {\"ms\"}, or {\"to_next_event\": true}.",
    ),
    delete(
        "api/leveret/faults/{id}",
        Administrators,
        remove_fault,
        "Takes a fault back; what it holds goes on.",
    ),
    post(
        "api/leveret/faults/{id}/release",
        Administrators,
        release_fault,
        "Lets go of what a fault holds back.",
    ),
    post("api/leveret/snapshots", Administrators, take, "Takes a snapshot of the whole broker."),
    post(
        "api/leveret/snapshots/{id}/restore",
        Administrators,
        restore,
        "Makes the broker what it was then.",
    ),
    delete("api/leveret/snapshots/{id}", Administrators, forget, "Forgets a snapshot."),
];

/// Whether the broker is one of a test: it has a journal, or a clock that is moved by hand.
pub(crate) fn is_on(node: &Node) -> bool {
    node.shared.journal.is_some() || matches!(node.clock(), Clock::Manual(_))
}

fn show(call: &Call) -> Outcome {
    let node = call.node();
    let faults: Vec<Value> = rules(node).iter().map(|rule| fault(rule).into()).collect();
    let snapshots = call.manager.snapshots.all().into_iter();
    let snapshots: Vec<Value> = snapshots.map(|(id, taken)| snapshot(id, &taken).into()).collect();
    let journal = node.shared.journal.as_ref().map(|journal| {
        object! {"capacity": journal.capacity(), "forgotten": journal.forgotten()}
    });
    Ok(Answer::json(&object! {
        "clock": clock(node),
        "deadlines": deadlines(node),
        "journal": journal,
        "faults": faults,
        "snapshots": snapshots,
    }))
}

fn clock(node: &Node) -> Object {
    object! {
        "manual": matches!(node.clock(), Clock::Manual(_)),
        "now": node.clock().now().as_millis(),
        "next_deadline": node.timers().next_deadline().map(|deadline| deadline.as_millis()),
    }
}

/// Deadlines that are told.
const DEADLINES_MAX: usize = 100;

/// What happens next, and to whom.
fn deadlines(node: &Node) -> Vec<Value> {
    let waiting = node.timers().upcoming(DEADLINES_MAX);
    let each = waiting.iter().flat_map(|it| it.deadlines.iter().map(move |at| (at, it)));
    let mut known: Vec<_> = each.collect();
    known.sort_by_key(|((_, at), _)| *at);
    let shown = known.into_iter().take(DEADLINES_MAX).map(|((what, at), waiting)| {
        let shown = object! {
            "at": at.as_millis(),
            "what": *what,
            "kind": waiting.kind,
            "vhost": waiting.host,
            "name": waiting.name,
        };
        shown.into()
    });
    shown.collect()
}

fn advance(call: &Call) -> Outcome {
    let node = call.node();
    let Clock::Manual(manual) = node.clock() else {
        return Err(Refusal::bad("the clock is the system's, which nobody can move"));
    };
    let body = object(&call.body)?;
    let to_next = boolean(body.get("to_next_event"))?.unwrap_or(false);
    let end = match (body.get("ms"), to_next) {
        (Some(ms), false) => {
            let ms = u64::try_from(integer(ms)?);
            let ms = ms.map_err(|_| Refusal::bad("ms must not be negative"))?;
            Some(manual.now() + Duration::from_millis(ms))
        }
        (None, true) => node.timers().next_deadline(),
        _ => return Err(Refusal::bad("give either ms or to_next_event")),
    };
    if let Some(end) = end {
        node.timers().advance_to(manual, end);
    }
    Ok(Answer::json(&clock(node)))
}

fn rules(node: &Node) -> Vec<Rule> {
    Registry::listed(node.faults())
}

fn fault(rule: &Rule) -> Object {
    object! {
        "id": rule.number(),
        "text": rule.to_string(),
        "seen": rule.seen(),
        "fired": rule.fired(),
    }
}

fn existing_fault(call: &Call) -> Outcome<Rule> {
    let number = number(call)?;
    rules(call.node())
        .into_iter()
        .find(|rule| rule.number() == number)
        .ok_or_else(Refusal::no_such_object)
}

fn number(call: &Call) -> Outcome<u64> {
    call.name("id").parse().map_err(|_| Refusal::no_such_object())
}

fn remove_fault(call: &Call) -> Outcome {
    existing_fault(call)?.remove();
    Ok(Answer::done())
}

fn release_fault(call: &Call) -> Outcome {
    Ok(Answer::json(&object! {"released": existing_fault(call)?.release()}))
}

fn snapshot(id: u64, snapshot: &Snapshot) -> Object {
    object! {
        "id": id,
        "taken_at": snapshot.taken_at().as_millis(),
        "queues": snapshot.queue_count(),
        "messages": snapshot.message_count(),
    }
}

fn take(call: &Call) -> Outcome {
    let taken = call.node().snapshot().map_err(|error| refusal(&error))?;
    let id = call.manager.snapshots.add(taken.clone());
    Ok(Answer::json(&snapshot(id, &taken)))
}

fn restore(call: &Call) -> Outcome {
    let taken = call.manager.snapshots.get(number(call)?).ok_or_else(Refusal::no_such_object)?;
    call.node().restore(&taken).map_err(|error| refusal(&error))?;
    Ok(Answer::done())
}

fn forget(call: &Call) -> Outcome {
    match call.manager.snapshots.forget(number(call)?) {
        true => Ok(Answer::done()),
        false => Err(Refusal::no_such_object()),
    }
}

fn refusal(error: &Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", error.to_string())
}
