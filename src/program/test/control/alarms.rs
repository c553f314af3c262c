//! Alarms, raised by hand.
//!
//! ```text
//! PUT /alarms   {"memory": bool, "disk": bool}, each optional
//! ```

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use serde::Deserialize;

use super::call::{Routes, Shared};
use super::input::Body;

pub(super) fn routes() -> Routes {
    Router::new().route("/alarms", put(alarms))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alarms {
    memory: Option<bool>,
    disk: Option<bool>,
}

async fn alarms(State(control): Shared, Body(alarms): Body<Alarms>) -> StatusCode {
    if let Some(on) = alarms.memory {
        control.life().broker.set_memory_alarm(on);
    }
    if let Some(on) = alarms.disk {
        control.life().broker.set_disk_alarm(on);
    }
    StatusCode::NO_CONTENT
}
