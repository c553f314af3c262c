//! Why a message goes where it goes.
//!
//! ```text
//! GET  /explain?vhost=&exchange=&routing_key=
//! POST /explain   {"vhost", "exchange", "routing_key", "headers"}, each optional
//! ```
//!
//! Both answer {"exchange", "routing_key", "unroutable", "queues", "steps", "text"}.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Control, Routes, Shared, default_vhost};
use super::input::{Answer, Body, Parameters};
use super::message::headers;
use leveret::definitions::JsonObject;
use leveret::explain::{Arrival, Explanation, Step};

pub(super) fn routes() -> Routes {
    Router::new().route("/explain", get(asked_plainly).post(asked))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    #[serde(default = "default_vhost")]
    vhost: String,
    #[serde(default)]
    exchange: String,
    #[serde(default)]
    routing_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default = "default_vhost")]
    vhost: String,
    #[serde(default)]
    exchange: String,
    #[serde(default)]
    routing_key: String,
    #[serde(default)]
    headers: JsonObject,
}

async fn asked_plainly(
    State(control): Shared,
    Parameters(Route { vhost, exchange, routing_key }): Parameters<Route>,
) -> Answer<Json<Value>> {
    let headers = JsonObject::new();
    explain(&control, &Question { vhost, exchange, routing_key, headers })
}

async fn asked(State(control): Shared, Body(question): Body<Question>) -> Answer<Json<Value>> {
    explain(&control, &question)
}

fn explain(control: &Control, question: &Question) -> Answer<Json<Value>> {
    let Question { vhost, exchange, routing_key, headers: named } = question;
    let told = control.life().broker.explain(vhost, exchange, routing_key, &headers(named)?)?;
    let Explanation { exchange, routing_key, steps, queues, .. } = &told;
    Ok(Json(json!({
        "exchange": exchange,
        "routing_key": routing_key,
        "unroutable": told.is_unroutable(),
        "queues": queues.iter().map(arrival).collect::<Vec<_>>(),
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
        "text": told.to_string(),
    })))
}

fn arrival(Arrival { queue, notes, .. }: &Arrival) -> Value {
    json!({ "queue": queue, "notes": notes })
}

fn step(step: &Step) -> Value {
    let near = step.near.iter();
    let near: Vec<_> = near
        .map(|(binding, difference)| json!({ "binding": binding, "difference": difference }))
        .collect();
    json!({
        "exchange": step.exchange,
        "type": step.kind.to_string(),
        "matches": step.matches,
        "near": near,
        "notes": step.notes,
    })
}
