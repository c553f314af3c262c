//! The control API of `leveret test`: HTTP with JSON, for the fixtures of other languages.
//!
//! ```text
//! GET  /clock           {"now_ms", "next_deadline_ms" or null, "manual"}
//! POST /clock/advance   {"ms": N} or {"to_next_event": true}; answers as GET /clock
//! GET  /queues          [{"vhost", "name", "ready", "unacked", "consumers"}]
//! PUT  /alarms          {"memory": bool, "disk": bool}, each optional
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::broker::Broker;

type Shared = State<Arc<Broker>>;
type Refusal = (StatusCode, Json<Value>);

/// The API of a broker.
pub fn router(broker: Arc<Broker>) -> Router {
    Router::new()
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
        .route("/queues", get(queues))
        .route("/alarms", put(alarms))
        .with_state(broker)
}

#[derive(Serialize)]
struct Clock {
    now_ms: u64,
    next_deadline_ms: Option<u64>,
    manual: bool,
}

async fn clock(State(broker): Shared) -> Json<Clock> {
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

async fn advance(
    State(broker): Shared,
    Json(request): Json<Advance>,
) -> Result<Json<Clock>, Refusal> {
    if !broker.has_manual_clock() {
        return Err(refuse("the clock is the system's: start with --manual-clock"));
    }
    if request.ms.is_some() == request.to_next_event {
        return Err(refuse("give either ms or to_next_event"));
    }
    let advancing = Arc::clone(&broker);
    // What follows from it has happened when this returns, which may take a moment.
    let advanced = tokio::task::spawn_blocking(move || match request.ms {
        Some(ms) => advancing.advance(Duration::from_millis(ms)),
        None => {
            advancing.advance_to_next_event();
        }
    });
    if advanced.await.is_err() {
        return Err(refuse("the broker failed while its clock was advanced"));
    }
    Ok(clock(State(broker)).await)
}

#[derive(Serialize)]
struct Queue {
    vhost: String,
    name: String,
    ready: usize,
    unacked: usize,
    consumers: usize,
}

async fn queues(State(broker): Shared) -> Json<Vec<Queue>> {
    let mut queues = Vec::new();
    for host in broker.virtual_hosts() {
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
struct Alarms {
    memory: Option<bool>,
    disk: Option<bool>,
}

async fn alarms(State(broker): Shared, Json(alarms): Json<Alarms>) -> StatusCode {
    if let Some(on) = alarms.memory {
        broker.set_memory_alarm(on);
    }
    if let Some(on) = alarms.disk {
        broker.set_disk_alarm(on);
    }
    StatusCode::NO_CONTENT
}

fn refuse(reason: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": reason })))
}
