//! The control API of `leveret test`: HTTP with JSON, for the fixtures of other languages. One file
//! for each noun; `docs/control-api.md` is its reference.

mod alarms;
mod call;
mod clock;
mod connections;
mod explain;
mod faults;
mod filter;
pub(super) mod guard;
mod input;
mod journal;
mod lints;
mod lives;
mod message;
mod messages;
mod publish;
mod queues;
mod reset;
mod rule;
mod server;
mod snapshots;
mod topology;
mod wait;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};

use self::call::Control;
use self::guard::{REQUEST_BYTES_MAX, Token};
use self::input::Refusal;
pub(super) use self::server::serve;
use super::lives::Lives;
use super::numbered::Numbered;

/// The API of a broker and those that come after it, for whoever knows the token.
pub(super) fn router(lives: Lives, token: Token) -> Router {
    let control = Control { lives, snapshots: Numbered::default() };
    Router::new()
        .merge(alarms::routes())
        .merge(clock::routes())
        .merge(connections::routes())
        .merge(explain::routes())
        .merge(faults::routes())
        .merge(journal::routes())
        .merge(lints::routes())
        .merge(lives::routes())
        .merge(messages::routes())
        .merge(publish::routes())
        .merge(queues::routes())
        .merge(reset::routes())
        .merge(snapshots::routes())
        .merge(topology::routes())
        .merge(wait::routes())
        .fallback(no_such_call)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(token, guard::check))
        .with_state(Arc::new(control))
}

async fn no_such_call(uri: Uri) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    let text = format!("{method} is not what {} takes", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
}
