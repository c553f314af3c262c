//! The messages of a queue, which stay where they are.
//!
//! ```text
//! GET /queues/{vhost}/{name}/messages?max=N   those that are ready, 100 if no number is given
//! GET /queues/{vhost}/{name}/unacked          those that are not acknowledged, and who has them
//! ```

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::{Routes, Shared};
use super::input::{Answer, Parameters};
use super::message;
use leveret::QueuedMessage;
use leveret::UnackedMessage;

/// Messages that are shown if the request names no number.
const SHOWN: usize = 100;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/queues/{vhost}/{name}/messages", get(messages))
        .route("/queues/{vhost}/{name}/unacked", get(unacked))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    max: Option<usize>,
}

async fn messages(
    State(control): Shared,
    Path((vhost, queue)): Path<(String, String)>,
    Parameters(page): Parameters<Page>,
) -> Answer<Json<Vec<Value>>> {
    let messages = control.life().broker.queue(&vhost, &queue)?.peek(page.max.unwrap_or(SHOWN))?;
    Ok(Json(messages.iter().map(|message| Value::Object(queued(message))).collect()))
}

async fn unacked(
    State(control): Shared,
    Path((vhost, queue)): Path<(String, String)>,
) -> Answer<Json<Vec<Value>>> {
    let messages = control.life().broker.queue(&vhost, &queue)?.unacked();
    Ok(Json(messages.iter().map(delivered).collect()))
}

fn queued(message: &QueuedMessage) -> Map<String, Value> {
    let mut answer = Map::new();
    message::describe(message, &mut answer);
    answer.insert("redelivered".into(), message.redelivered().into());
    answer.insert("delivery_count".into(), message.delivery_count().into());
    let expires_at_ms = message.expires_at().map(|at| at.as_millis());
    answer.insert("expires_at_ms".into(), expires_at_ms.into());
    answer
}

fn delivered(unacked: &UnackedMessage) -> Value {
    let mut answer = queued(&unacked.message);
    let consumer_tag = unacked.consumer_tag.as_ref().map(|tag| tag.as_str());
    answer.insert("consumer_tag".into(), consumer_tag.into());
    answer.insert("connection".into(), unacked.connection.into());
    answer.insert("connection_name".into(), unacked.connection_name.clone().into());
    answer.insert("channel".into(), unacked.channel.into());
    answer.insert("delivered_at_ms".into(), unacked.delivered_at.as_millis().into());
    answer.into()
}
