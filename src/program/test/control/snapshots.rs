//! The broker as it was.
//!
//! ```text
//! POST   /snapshots                takes one: {"id", "queues", "messages"}
//! POST   /snapshots/{id}/restore   makes the broker what it was then
//! DELETE /snapshots/{id}           forgets it
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::input::Refusal;
use super::{Answer, Routes, Shared, aside};
use leveret::Snapshot;

pub fn routes() -> Routes {
    Router::new()
        .route("/snapshots", post(take))
        .route("/snapshots/{id}/restore", post(restore))
        .route("/snapshots/{id}", delete(forget))
}

/// Those that were taken and not forgotten, by their numbers. They outlive the broker.
#[derive(Default)]
pub struct Snapshots(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    /// Numbers are not used again.
    last: u64,
    by_number: BTreeMap<u64, Snapshot>,
}

impl Snapshots {
    fn add(&self, snapshot: Snapshot) -> u64 {
        let mut taken = self.0.lock();
        taken.last += 1;
        let id = taken.last;
        taken.by_number.insert(id, snapshot);
        id
    }

    fn get(&self, id: &str) -> Answer<(u64, Snapshot)> {
        let taken = self.0.lock();
        let known = id.parse().ok().and_then(|id| Some((id, taken.by_number.get(&id)?.clone())));
        known.ok_or_else(|| Refusal::not_found(format!("there is no snapshot '{id}'")))
    }
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
    let (_, snapshot) = control.snapshots.get(&id)?;
    let control = Arc::clone(&control);
    aside(move || control.life().broker.restore(&snapshot)).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(State(control): Shared, Path(id): Path<String>) -> Answer<StatusCode> {
    let (id, _) = control.snapshots.get(&id)?;
    control.snapshots.0.lock().by_number.remove(&id);
    Ok(StatusCode::NO_CONTENT)
}
