//! The program that runs the broker: how much it logs, and its settings.

use std::sync::Arc;

use serde_json::{Value, json};
use tracing::Level;

use crate::management::answer::{Answer, Outcome, Refusal};
use crate::management::body::object_with;
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, get, put};
use crate::management::rights::Who::{Administrators, Monitors};
use crate::node::steering::{LogLine, Steering};

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
        "api/leveret/log",
        Monitors,
        log,
        "The last lines of the log: ?level=LEVEL for those at least as bad, ?text, ?last.",
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

/// Lines that are told unless more are asked for.
const LINES: usize = 200;

fn log(call: &Call) -> Outcome {
    let program = program(call)?;
    let query = &call.query;
    let level = query.get("level").filter(|level| !level.is_empty()).map(|level| match level {
        "warning" => Ok(Level::WARN),
        level => level.parse().map_err(|_| Refusal::bad(format!("'{level}' is no level"))),
    });
    let level: Level = level.unwrap_or(Ok(Level::TRACE))?;
    let text = query.get("text").unwrap_or_default().to_lowercase();
    let last = query.get("last").map(|last| last.parse::<usize>());
    let last = last.unwrap_or(Ok(LINES)).map_err(|_| Refusal::bad("last must be a number"))?;
    let lines = program.log_lines();
    let forgotten = lines.first().map_or(0, |line| line.number - 1);
    // The worse, the less.
    let is_wanted = |line: &&Arc<LogLine>| {
        line.level <= level && (text.is_empty() || line.text.to_lowercase().contains(&text))
    };
    let wanted: Vec<_> = lines.iter().filter(is_wanted).collect();
    let shown = wanted.iter().skip(wanted.len().saturating_sub(last)).map(|line| {
        json!({
            "number": line.number,
            "at": line.at.as_millis(),
            "level": level_name(line.level),
            "text": line.text,
        })
    });
    let shown: Vec<Value> = shown.collect();
    let level = program.log_level();
    let found = wanted.len();
    Ok(Answer::json(&json!({
        "level": level, "forgotten": forgotten, "found": found, "lines": shown,
    })))
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        _ => "trace",
    }
}

fn environment(call: &Call) -> Outcome {
    Ok(Answer::json(&program(call)?.environment()))
}
