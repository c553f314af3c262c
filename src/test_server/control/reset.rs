//! Beginning anew, with connections left open.
//!
//! ```text
//! POST /reset   deletes queues, exchanges and bindings, events, faults and alarms
//! ```

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use super::{Answer, Routes, Shared};

pub fn routes() -> Routes {
    Router::new().route("/reset", post(reset))
}

async fn reset(State(control): Shared) -> Answer<StatusCode> {
    control.declared.clear();
    let broker = &control.broker;
    broker.set_memory_alarm(false);
    broker.set_disk_alarm(false);
    broker.reset()?;
    Ok(StatusCode::NO_CONTENT)
}
