//! The broker's time.
//!
//! ```text
//! GET  /clock           {"now_ms", "next_deadline_ms" or null, "manual"}
//! POST /clock/advance   {"ms": N} or {"to_next_event": true}; answers as GET /clock
//! ```

use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::call::{Routes, Shared, aside};
use super::input::{Answer, Body, Refusal};

pub(super) fn routes() -> Routes {
    Router::new().route("/clock", get(clock)).route("/clock/advance", post(advance))
}

#[derive(Serialize)]
struct Clock {
    now_ms: u64,
    next_deadline_ms: Option<u64>,
    manual: bool,
}

async fn clock(State(control): Shared) -> Json<Clock> {
    let life = control.life();
    let broker = &life.broker;
    Json(Clock {
        now_ms: broker.now().as_millis(),
        next_deadline_ms: broker.next_deadline().map(|deadline| deadline.as_millis()),
        manual: broker.has_manual_clock(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    ms: Option<u64>,
    #[serde(default)]
    to_next_event: bool,
}

async fn advance(State(control): Shared, Body(request): Body<Advance>) -> Answer<Json<Clock>> {
    if !control.life().broker.has_manual_clock() {
        return Err(Refusal::bad("the clock is the system's: start with --manual-clock"));
    }
    if request.ms.is_some() == request.to_next_event {
        return Err(Refusal::bad("give either ms or to_next_event"));
    }
    let life = control.life();
    // What follows from it has happened when this returns, which may take a moment.
    aside(move || match request.ms {
        Some(ms) => life.broker.advance(Duration::from_millis(ms)),
        None => {
            life.broker.advance_to_next_event();
        }
    })
    .await?;
    Ok(clock(State(control)).await)
}
