//! The broker as it was.
//!
//! ```text
//! POST   /snapshots                takes one: {"id", "queues", "messages"}
//! POST   /snapshots/{id}/restore   makes the broker what it was then
//! DELETE /snapshots/{id}           forgets it
//! ```

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::call::{Control, Routes, Shared, aside};
use super::input::{Answer, Refusal};
use leveret::Snapshot;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/snapshots", post(take))
        .route("/snapshots/{id}/restore", post(restore))
        .route("/snapshots/{id}", delete(forget))
}

async fn take(State(control): Shared) -> Answer<(StatusCode, Json<Value>)> {
    let life = control.life();
    let snapshot = aside(move || life.broker.snapshot()).await??;
    let (queues, messages) = (snapshot.queue_count(), snapshot.message_count());
    let id = control.snapshots.add(snapshot);
    let taken = json!({ "id": id, "queues": queues, "messages": messages });
    Ok((StatusCode::CREATED, Json(taken)))
}

async fn restore(State(control): Shared, Path(id): Path<String>) -> Answer<StatusCode> {
    let (_, snapshot) = known(&control, &id)?;
    let control = Arc::clone(&control);
    aside(move || control.life().broker.restore(&snapshot)).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(State(control): Shared, Path(id): Path<String>) -> Answer<StatusCode> {
    let (id, _) = known(&control, &id)?;
    control.snapshots.forget(id);
    Ok(StatusCode::NO_CONTENT)
}

fn known(control: &Control, id: &str) -> Answer<(u64, Snapshot)> {
    let known = control.snapshots.get(id);
    known.ok_or_else(|| Refusal::not_found(format!("there is no snapshot '{id}'")))
}
