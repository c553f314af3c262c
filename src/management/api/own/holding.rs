//! Holding queues: a queue that is held takes messages, and gives none out.

use crate::error::Error;
use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::api::queues;
use crate::management::body::{integer, object_with};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, post, put};
use crate::management::json::object;
use crate::management::rights::Who::{OfHost, PolicymakersOfHost};

const PATH: &str = "api/leveret/queues/{vhost}/{queue}/hold";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(PATH, OfHost, show, "Whether a queue is held."),
    put(PATH, PolicymakersOfHost, hold, "Holds one: it gives nothing out any more."),
    delete(PATH, PolicymakersOfHost, end, "Ends that."),
    post(
        "api/leveret/queues/{vhost}/{queue}/release",
        PolicymakersOfHost,
        release,
        "Lets the next messages of a queue that is held go: {\"count\"}.",
    ),
];

fn show(call: &Call) -> Outcome {
    let (_, queue) = queues::to_use(call)?;
    Ok(Answer::json(&object! {"held": queue.is_held()}))
}

fn set(call: &Call, is_held: bool) -> Outcome {
    let (host, queue) = queues::to_use(call)?;
    call.on_host(&host, |_, effects| {
        queue.set_held(is_held, host.now(), effects);
        Ok(())
    })?;
    Ok(Answer::done())
}

fn hold(call: &Call) -> Outcome {
    set(call, true)
}

fn end(call: &Call) -> Outcome {
    set(call, false)
}

fn release(call: &Call) -> Outcome {
    let (host, queue) = queues::to_use(call)?;
    let body = object_with(&call.body, &["count"])?;
    let count = integer(body.get("count").unwrap_or_default())?;
    let count = usize::try_from(count).map_err(|_| Refusal::bad("count must not be negative"))?;
    call.on_host(&host, |_, effects| -> Result<(), Error> {
        queue.release(count, host.now(), effects)
    })?;
    Ok(Answer::done())
}
