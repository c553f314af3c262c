//! The program that runs the broker: how much it logs, and its settings.

use serde_json::{Value, json};

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get, put};
use crate::management::rights::Who::{Administrators, Monitors};
use crate::node::steering::Steering;

const LOG_LEVEL: &str = "api/leveret/log-level";

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get(LOG_LEVEL, Monitors, log_level, "How much is logged."),
    put(
        LOG_LEVEL,
        Administrators,
        set_log_level,
        "Logs as much until the next start: {\"level\"}.",
    ),
    get(
        "api/leveret/environment",
        Administrators,
        environment,
        "The settings that the server runs with.",
    ),
];

/// The program. Fails with 400 if the broker is part of another one.
fn program(call: &Call) -> Outcome<&dyn Steering> {
    let text = "this broker is part of a program that has no such settings";
    call.node().steering().ok_or_else(|| Refusal::bad(text))
}

fn log_level(call: &Call) -> Outcome {
    Ok(Answer::json(&json!({ "level": program(call)?.log_level() })))
}

fn set_log_level(call: &Call) -> Outcome {
    let body = object_with(&call.body, &["level"])?;
    let level = body.get("level").and_then(Value::as_str);
    let level = level.ok_or_else(|| Refusal::bad("level must be a text"))?;
    program(call)?.set_log_level(level).map_err(Refusal::bad)?;
    Ok(Answer::done())
}

fn environment(call: &Call) -> Outcome {
    Ok(Answer::json(&program(call)?.environment()))
}
