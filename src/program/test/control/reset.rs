//! Beginning anew, with connections left open.
//!
//! ```text
//! POST /reset   deletes queues, exchanges and bindings, events, faults and alarms
//! ```

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use super::call::{Routes, Shared, aside};
use super::input::Answer;

pub(super) fn routes() -> Routes {
    Router::new().route("/reset", post(reset))
}

async fn reset(State(control): Shared) -> Answer<StatusCode> {
    let life = control.life();
    aside(move || {
        life.take_back();
        life.broker.set_memory_alarm(false);
        life.broker.set_disk_alarm(false);
        life.broker.reset()
    })
    .await??;
    Ok(StatusCode::NO_CONTENT)
}
