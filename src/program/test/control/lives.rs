//! The end of the broker, and the next one.
//!
//! ```text
//! POST /broker/crash   all connections are lost, and what was not confirmed may be
//! POST /broker/stop    all connections are closed
//! POST /broker/start   another broker, on the same address, with what is durable
//! ```

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use super::call::{Routes, Shared, aside};
use super::input::{Answer, Refusal};
use crate::program::test::lives::StartError;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/broker/crash", post(crash))
        .route("/broker/stop", post(stop))
        .route("/broker/start", post(start))
}

async fn crash(State(control): Shared) -> Answer<StatusCode> {
    let control = Arc::clone(&control);
    aside(move || control.life().broker.crash()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn stop(State(control): Shared) -> Answer<StatusCode> {
    let control = Arc::clone(&control);
    aside(move || control.lives.stop()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn start(State(control): Shared) -> Answer<StatusCode> {
    let control = Arc::clone(&control);
    aside(move || control.lives.start()).await??;
    Ok(StatusCode::NO_CONTENT)
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let status = match error {
            StartError::IsRunning => StatusCode::BAD_REQUEST,
            StartError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
