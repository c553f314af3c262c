//! Waiting until the broker has come to some state.
//!
//! ```text
//! POST /wait   {"for": "idle", "limit_ms": N}
//!              {"for": {"queue": {"vhost", "name", "ready", "unacked", "consumers"}}}
//!              {"for": {"events": {"where": {...}, "count": N}}}
//!              {"for": {"connections": N}}
//! ```
//!
//! The limit is of real time, 10 s if it is not given. Fails with 408 if it passes.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;

use super::call::{Routes, Shared, aside, default_vhost};
use super::filter::Filter;
use super::input::{Answer, Body, Refusal};
use leveret::Broker;
use leveret::Counts;
use leveret::TimedOut;

/// The longest wait.
const LIMIT_MS_MAX: u64 = 600_000;

pub(super) fn routes() -> Routes {
    Router::new().route("/wait", post(wait))
}

pub(super) fn default_limit_ms() -> u64 {
    10_000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    r#for: Awaited,
    #[serde(default = "default_limit_ms")]
    limit_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Awaited {
    /// Nothing is left to do.
    Idle,
    Queue(QueueState),
    Events(Box<EventCount>),
    /// So many connections are open.
    Connections(usize),
}

/// A queue with these counts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueState {
    #[serde(default = "default_vhost")]
    vhost: String,
    name: String,
    ready: Option<usize>,
    unacked: Option<usize>,
    consumers: Option<usize>,
}

/// At least so many events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventCount {
    r#where: Filter,
    count: usize,
}

async fn wait(State(control): Shared, Body(wait): Body<Wait>) -> Answer<StatusCode> {
    if wait.limit_ms > LIMIT_MS_MAX {
        return Err(Refusal::bad(format!("limit_ms is {LIMIT_MS_MAX} at most")));
    }
    if let Awaited::Events(events) = &wait.r#for {
        control.events(&events.r#where).map(drop)?; // what cannot be asked cannot be waited for
    }
    let life = control.life();
    let limit = Duration::from_millis(wait.limit_ms);
    aside(move || {
        let broker = &life.broker;
        match wait.r#for {
            Awaited::Idle => broker.wait_until_idle(limit),
            Awaited::Queue(wanted) => wanted.wait(broker, limit),
            Awaited::Events(wanted) => wanted.wait(broker, limit),
            Awaited::Connections(wanted) => broker.wait_for(
                limit,
                |broker| broker.connection_count() == wanted,
                || format!("there were {} connections, not {wanted}", broker.connection_count()),
            ),
        }
    })
    .await??;
    Ok(StatusCode::NO_CONTENT)
}

impl QueueState {
    fn wait(&self, broker: &Broker, limit: Duration) -> Result<(), TimedOut> {
        let counts = |broker: &Broker| {
            let queue = broker.virtual_host(&self.vhost)?.queue(&self.name).ok()?;
            Some(queue.counts())
        };
        let complaint = || match counts(broker) {
            None => format!("there was no queue '{}'", self.name),
            Some(Counts { ready, unacked, consumers, .. }) => format!(
                "queue '{}' had {ready} ready and {unacked} unacknowledged messages and \
                 {consumers} consumers",
                self.name
            ),
        };
        broker.wait_for(limit, |broker| counts(broker).is_some_and(|c| self.is(&c)), complaint)
    }

    fn is(&self, counts: &Counts) -> bool {
        self.ready.is_none_or(|ready| ready == counts.ready)
            && self.unacked.is_none_or(|unacked| unacked == counts.unacked)
            && self.consumers.is_none_or(|consumers| consumers == counts.consumers)
    }
}

impl EventCount {
    fn wait(&self, broker: &Broker, limit: Duration) -> Result<(), TimedOut> {
        let count = |broker: &Broker| {
            let events = self.r#where.of(broker.journal());
            events.map_or(0, |events| events.count())
        };
        let complaint = || match self.r#where.of(broker.journal()) {
            Ok(events) => format!(
                "there were {} events that are {}, not {}",
                events.count(),
                events.describe(),
                self.count
            ),
            Err(refusal) => refusal.to_string(),
        };
        broker.wait_for(limit, |broker| count(broker) >= self.count, complaint)
    }
}
