//! The exchange of events, which RabbitMQ has a plugin for: on and off.

use serde_json::json;

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, delete, get, put};
use crate::management::rights::Who::{Administrators, Monitors};

const PATH: &str = "api/leveret/event-exchange";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(PATH, Monitors, show, "Whether events are published to amq.rabbitmq.event."),
    put(PATH, Administrators, enable, "Publishes events there from now on."),
    delete(PATH, Administrators, disable, "Deletes that exchange with its bindings."),
];

fn show(call: &Call) -> Outcome {
    Ok(Answer::json(&json!({"enabled": call.node().has_event_exchange()})))
}

fn enable(call: &Call) -> Outcome {
    call.node()
        .enable_event_exchange(call.user_name())
        .map_err(|error| Refusal::bad(error.to_string()))?;
    call.durable()?;
    Ok(Answer::done())
}

fn disable(call: &Call) -> Outcome {
    call.node().disable_event_exchange();
    call.durable()?;
    Ok(Answer::done())
}
