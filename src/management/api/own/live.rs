//! What is going on, as a stream of changes: server-sent events, one a second.
//!
//! A page says what it looks at: addresses of this API (`watch`), each of which is answered again
//! whenever its answer has changed, and lists that are told row by row (`lists`). Nobody is told
//! more than the endpoints would answer him, and nothing after his rights have changed.

mod queues;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::queues::QueueChanges;
use self::watched::Watched;
use crate::management::answer::{Answer, Body, Outcome, Refusal};
use crate::management::call::Call;
use crate::management::endpoint::{Endpoint, Service, get};
use crate::management::json::Object;
use crate::management::rights::Who;
use crate::management::routes::resource;

pub(crate) const ENDPOINTS: &[Endpoint] = &[get(
    "api/leveret/live",
    Who::Managers,
    live,
    "Changes, every second, as server-sent events: of ?watch=ADDRESS, an address of this API \
         (up to 8 times), and of ?lists=queues.",
)
.answering(EVENTS)];

const EVENTS: &str = "text/event-stream";

/// From one event to the next.
const PERIOD: Duration = Duration::from_secs(1);

/// Addresses that one stream may watch.
const WATCHED_MAX: usize = 8;

/// What one stream tells, and what it has told.
struct Live {
    call: Call,
    watched: Vec<Watched>,
    queues: Option<QueueChanges>,
}

fn live(call: &Call) -> Outcome {
    let addresses: Vec<&str> = call.query.all("watch").collect();
    if addresses.len() > WATCHED_MAX {
        return Err(Refusal::bad(format!("one stream watches {WATCHED_MAX} addresses at most")));
    }
    let watched = addresses.into_iter().map(|address| watched(call, address));
    let watched = watched.collect::<Outcome<_>>()?;
    let queues = match call.query.get("lists") {
        None | Some("") => None,
        Some("queues") => Some(QueueChanges::default()),
        Some(other) => {
            return Err(Refusal::bad(format!("there is no list of changes of '{other}'")));
        }
    };
    let (sender, events) = mpsc::channel(1);
    Handle::current().spawn(tell(Live { call: call.clone(), watched, queues }, sender));
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.body = Body::Events(events);
    Ok(answer)
}

/// Finds the endpoint of an address. Fails with 400 for one that cannot be watched.
fn watched(call: &Call, address: &str) -> Outcome<Watched> {
    let bad = || Refusal::bad(format!("'{address}' is no address of the API that can be watched"));
    let (path, _) = address.split_once('?').unwrap_or((address, ""));
    let path = crate::management::path::segments(path).map_err(|_| bad())?;
    let is_of_api = |service| service == Service::Api;
    let (names, endpoints) = resource(&path, is_of_api).ok_or_else(bad)?;
    Watched::new(call, address, names, &endpoints).ok_or_else(bad)
}

/// Sends an event a second for as long as somebody takes them and may have them.
async fn tell(mut live: Live, events: mpsc::Sender<Bytes>) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = events.closed() => return,
        }
        // Adding up may take a while, and an endpoint may wait.
        let next = tokio::task::spawn_blocking(move || {
            let event = live.event();
            (live, event)
        });
        let Ok((told, Some(event))) = next.await else { return };
        live = told;
        if events.send(event).await.is_err() {
            return;
        }
    }
}

impl Live {
    /// The next event; `None` if the user is another now: changed, or gone.
    fn event(&mut self) -> Option<Bytes> {
        let user = self.call.user.as_ref()?;
        let current = self.call.node().access.users.get(user.name.as_str())?;
        if !Arc::ptr_eq(user, &current) && **user != *current {
            return None;
        }
        let answers: Object =
            self.watched.iter_mut().filter_map(|watched| watched.change(&self.call)).collect();
        let at = self.call.node().clock().now().as_millis();
        let mut event = format!("data: {{\"at\":{at},\"answers\":").into_bytes();
        // Texts and numbers always can be written, and JSON has no line ends in it.
        let _ = serde_json::to_writer(&mut event, &answers);
        if let Some(queues) = &mut self.queues {
            event.extend_from_slice(b",\"queues\":");
            queues.write(&self.call, &mut event);
        }
        event.extend_from_slice(b"}\n\n");
        Some(event.into())
    }
}
