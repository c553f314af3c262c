//! Queues: what is in them, and whether they give it out.
//!
//! ```text
//! GET  /queues                          [{"vhost", "name", "ready", "unacked", "consumers"}]
//! PUT  /queues/{vhost}/{name}/held      {"held": bool}
//! POST /queues/{vhost}/{name}/release   {"count": N}: so many messages may leave a held queue, or
//!                                       {"to": {"consumer_tag", "connection_name" or
//!                                       "connection", "channel"}}: one may, to this consumer
//! ```

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::call::{Routes, Shared};
use super::input::{Answer, Body, Refusal};
use leveret::Recipient;

pub(super) fn routes() -> Routes {
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
    let broker = &control.life().broker;
    if hold.held {
        broker.queue(&vhost, &queue)?.hold()?
    } else {
        broker.queue(&vhost, &queue)?.end_hold()?
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    count: Option<usize>,
    to: Option<To>,
}

/// A consumer, as the unacknowledged messages tell who has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    consumer_tag: String,
    connection_name: Option<String>,
    connection: Option<u64>,
    channel: Option<u16>,
}

impl TryFrom<To> for Recipient {
    type Error = Refusal;

    fn try_from(to: To) -> Answer<Self> {
        let mut recipient = Self::from(to.consumer_tag);
        recipient = match (to.connection_name, to.connection) {
            (None, None) => recipient,
            (Some(name), None) => recipient.on_connection(name),
            (None, Some(number)) => recipient.on_connection_number(number),
            (Some(_), Some(_)) => {
                return Err(Refusal::bad("give either connection_name or connection"));
            }
        };
        Ok(match to.channel {
            None => recipient,
            Some(number) => recipient.on_channel(number),
        })
    }
}

async fn release(
    State(control): Shared,
    Path((vhost, queue)): Path<(String, String)>,
    Body(release): Body<Release>,
) -> Answer<StatusCode> {
    let broker = &control.life().broker;
    match (release.count, release.to) {
        (Some(count), None) => broker.queue(&vhost, &queue)?.release(count)?,
        (None, Some(to)) => broker.queue(&vhost, &queue)?.release_to(Recipient::try_from(to)?)?,
        _ => return Err(Refusal::bad("give either count or to")),
    }
    Ok(StatusCode::NO_CONTENT)
}
