//! What has happened.
//!
//! ```text
//! GET    /journal?kind=&exchange=&...   a list of events, oldest first
//! DELETE /journal                       forgets all events
//! POST   /journal/check                 {"events": {...}} and one of "count": N, "some": true,
//!                                       "texts": [...], "before": {...}
//! ```
//!
//! A check answers {"holds": true}, or {"holds": false, "text"} with what did happen.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Routes, Shared};
use super::filter::Filter;
use super::input::{Answer, Body, Parameters, Refusal};
use super::message;
use leveret::journal::{Event, Events};

pub(super) fn routes() -> Routes {
    Router::new().route("/journal", get(events).delete(clear)).route("/journal/check", post(check))
}

async fn events(
    State(control): Shared,
    Parameters(filter): Parameters<Filter>,
) -> Answer<Json<Vec<Value>>> {
    let events = control.events(&filter)?;
    let skipped = filter.last.map_or(0, |last| events.count().saturating_sub(last));
    Ok(Json(events.iter().skip(skipped).map(|event| describe(event, &events)).collect()))
}

async fn clear(State(control): Shared) -> StatusCode {
    control.life().broker.journal().clear();
    StatusCode::NO_CONTENT
}

/// All that an event knows, and its line.
fn describe(event: &Event, events: &Events) -> Value {
    let mut answer = Map::new();
    if let Some(message) = &event.message {
        message::describe(message, &mut answer);
    }
    // A kind is an object; what it names itself counts.
    if let Ok(Value::Object(kind)) = serde_json::to_value(&event.kind) {
        answer.extend(kind);
    }
    if let Some(reason) = event.death() {
        answer.insert("reason".into(), reason.as_str().into());
    }
    answer.insert("number".into(), event.number.into());
    answer.insert("at_ms".into(), event.at.as_millis().into());
    answer.insert("vhost".into(), event.virtual_host.as_str().into());
    answer.insert("message".into(), event.trace.into());
    answer.insert("line".into(), events.line(event).into());
    answer.into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    events: Filter,
    count: Option<usize>,
    #[serde(default)]
    some: bool,
    texts: Option<Vec<String>>,
    before: Option<Filter>,
}

async fn check(State(control): Shared, Body(check): Body<Check>) -> Answer<Json<Value>> {
    let events = control.events(&check.events)?;
    let held = match check {
        Check { count: Some(count), some: false, texts: None, before: None, .. } => {
            events.check_count(count)
        }
        Check { count: None, some: true, texts: None, before: None, .. } => {
            events.check_some().map(drop)
        }
        Check { count: None, some: false, texts: Some(texts), before: None, .. } => {
            events.check_texts(texts.iter().map(String::as_str))
        }
        Check { count: None, some: false, texts: None, before: Some(later), .. } => {
            events.check_before(&control.events(&later)?)
        }
        _ => return Err(Refusal::bad("give one of count, some, texts and before")),
    };
    Ok(Json(match held {
        Ok(()) => json!({ "holds": true }),
        Err(text) => json!({ "holds": false, "text": text }),
    }))
}
