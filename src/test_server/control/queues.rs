//! Queues: what is in them, and whether they give it out.
//!
//! ```text
//! GET  /queues                          [{"vhost", "name", "ready", "unacked", "consumers"}]
//! PUT  /queues/{vhost}/{name}/held      {"held": bool}
//! POST /queues/{vhost}/{name}/release   {"count": N}: so many messages may leave a held queue
//! ```

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::input::Body;
use super::{Answer, Routes, Shared};

pub fn routes() -> Routes {
    Router::new()
        .route("/queues", get(queues))
        .route("/queues/{vhost}/{name}/held", put(hold))
        .route("/queues/{vhost}/{name}/release", post(release))
}

#[derive(Serialize)]
struct Queue {
    vhost: String,
    name: String,
    ready: usize,
    unacked: usize,
    consumers: usize,
}

async fn queues(State(control): Shared) -> Json<Vec<Queue>> {
    let mut queues = Vec::new();
    for host in control.life().broker.virtual_hosts() {
        queues.extend(host.queues().iter().map(|queue| {
            let counts = queue.counts();
            Queue {
                vhost: host.name().to_string(),
                name: queue.name().to_string(),
                ready: counts.ready,
                unacked: counts.unacked,
                consumers: counts.consumers,
            }
        }));
    }
    queues.sort_by(|a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
    Json(queues)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    held: bool,
}

async fn hold(
    State(control): Shared,
    Path((vhost, queue)): Path<(String, String)>,
    Body(hold): Body<Hold>,
) -> Answer<StatusCode> {
    control.host(&vhost)?.set_paused(&queue, hold.held)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    count: usize,
}

async fn release(
    State(control): Shared,
    Path((vhost, queue)): Path<(String, String)>,
    Body(release): Body<Release>,
) -> Answer<StatusCode> {
    control.host(&vhost)?.release_next(&queue, release.count)?;
    Ok(StatusCode::NO_CONTENT)
}
