//! The offsets that streams keep by a name: shown, set and forgotten.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::Value;

use crate::access::{Access, ResourceKind};
use crate::error::Error;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::queues;
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::json::{Object, object};
use crate::management::rights::Who::OfHost;
use crate::queue::Queue;
use crate::queue::stream::StreamQueue;

const ALL: &str = "api/leveret/streams/{vhost}/{queue}/offsets";
const ONE: &str = "api/leveret/streams/{vhost}/{queue}/offsets/{name}";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(ALL, OfHost, all, "The offsets that a stream keeps by a name."),
    put(ONE, OfHost, set, "Keeps an offset by a name: {\"offset\"}."),
    delete(ONE, OfHost, reset, "Forgets the offset of a name."),
];

/// A queue that is a stream, which the user may read: who may read it may also say how far it has
/// been read.
fn stream(call: &Call) -> Outcome<Arc<Queue>> {
    let (host, queue) = queues::to_use(call)?;
    let name = queue.name().as_str();
    call.check(&host, Access::Read, ResourceKind::Queue, name)?;
    match queue.stream() {
        Some(_) => Ok(queue),
        None => Err(Refusal::bad(format!("{} is not a stream", queue.resource()))),
    }
}

fn all(call: &Call) -> Outcome {
    let queue = stream(call)?;
    let Some(stream) = queue.stream() else { return Err(Refusal::no_such_object()) };
    let log = stream.log();
    let offset = |(name, offset)| Value::from(object! {"name": name, "offset": offset});
    let offsets: Vec<Value> = log.stored_offsets().into_iter().map(offset).collect();
    Ok(Answer::json(&object! {
        "first_offset": log.first_offset(),
        "next_offset": log.next_offset(),
        "offsets": offsets,
    }))
}

fn change(call: &Call, change: impl FnOnce(&StreamQueue, &str) -> crate::Result<()>) -> Outcome {
    let queue = stream(call)?;
    let Some(stream) = queue.stream() else { return Err(Refusal::no_such_object()) };
    change(stream, call.name("name")).map_err(|error| match error {
        Error::Precondition(reason) => Refusal::bad(reason.to_string()),
        error => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refusal::new(status, "internal_server_error", error.to_string())
        }
    })?;
    Ok(Answer::done())
}

fn set(call: &Call) -> Outcome {
    let body: Object = object_with(&call.body, &["offset"])?;
    let offset = body.get("offset").and_then(Value::as_u64);
    let offset = offset.ok_or_else(|| Refusal::bad("offset must be a whole number from 0 on"))?;
    change(call, |stream, name| stream.set_offset(name, Some(offset)))
}

fn reset(call: &Call) -> Outcome {
    if stream(call)?.stream().and_then(|it| it.log().stored_offset(call.name("name"))).is_none() {
        return Err(Refusal::no_such_object());
    }
    change(call, |stream, name| stream.set_offset(name, None))
}
