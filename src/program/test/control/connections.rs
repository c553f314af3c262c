//! Connections, all at once.
//!
//! ```text
//! POST /connections/drop    all are lost, without a word
//! POST /connections/close   {"code", "text"}: all are closed with it
//! ```
//!
//! Both answer {"connections": N}, how many there were.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Routes, Shared};
use super::input::Body;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/connections/drop", post(drop_all))
        .route("/connections/close", post(close_all))
}

async fn drop_all(State(control): Shared) -> Json<Value> {
    Json(json!({ "connections": control.life().broker.faults().drop_connections() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    code: u16,
    text: String,
}

async fn close_all(State(control): Shared, Body(close): Body<Close>) -> Json<Value> {
    let connections = control.life().broker.faults().close_connections(close.code, &close.text);
    Json(json!({ "connections": connections }))
}
