//! What is allowed but seldom meant.
//!
//! ```text
//! GET /lints   [{"kind", "subject", "text"}]
//! ```

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::call::{Routes, Shared};
use super::input::{Answer, Refusal};
use leveret::lint::Lint;

pub(super) fn routes() -> Routes {
    Router::new().route("/lints", get(lints))
}

async fn lints(State(control): Shared) -> Answer<Json<Vec<Lint>>> {
    if control.lives.args().lint.is_none() {
        return Err(Refusal::bad("lints are off: start with --lint warn or --lint deny"));
    }
    Ok(Json(control.life().broker.lints()))
}
