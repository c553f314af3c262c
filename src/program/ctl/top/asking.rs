//! Asking the server, on a thread of its own: keys are heard while it does not answer.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use serde_json::Value;

use super::columns::What;
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::{Session, part, refused};

/// Rows that the HTTP API gives at a time.
const PAGE_MAX: usize = 500;

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub what: What,
    /// `None`: of all that the user may see.
    pub vhost: Option<String>,
    /// Name of what to sort by.
    pub sort: &'static str,
    pub is_descending: bool,
    /// Part of the names; empty for all.
    pub filter: String,
    /// Rows to leave out.
    pub first: usize,
    /// Rows that are wanted.
    pub rows: usize,
}

/// What the server has answered.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Which list it is.
    pub what: What,
    pub overview: Value,
    /// What its memory and disk are like; nothing if the user may not know.
    pub node: Value,
    /// From the first one that was asked for.
    pub rows: Vec<Value>,
    /// How many there are, shown or not.
    pub count: usize,
}

impl Query {
    /// Asks.
    pub(super) fn ask(&self, session: &Session) -> Result<Seen, Failure> {
        let overview = session.value("/api/overview")?;
        let nodes = session.get("/api/nodes")?;
        let node = nodes.json().get(0).cloned().unwrap_or_default();
        let mut seen = Seen { what: self.what, overview, node, ..Seen::default() };
        // Pages begin at multiples of their size: one or two have what is wanted.
        let size = self.rows.clamp(1, PAGE_MAX);
        let (page, skipped) = (self.first / size + 1, self.first % size);
        for page in page..=page + usize::from(skipped > 0) {
            let answer = session.get(&self.path(page, size))?;
            let answer = match answer.status {
                200 => answer.json(),
                // There are fewer than there were.
                400 if page > 1 => break,
                _ => return Err(refused(&answer)),
            };
            let count = answer.get("filtered_count").and_then(Value::as_u64).unwrap_or_default();
            seen.count = usize::try_from(count).unwrap_or(usize::MAX);
            seen.rows.extend(
                answer.get("items").and_then(Value::as_array).into_iter().flatten().cloned(),
            );
            if page * size >= seen.count {
                break;
            }
        }
        seen.rows.drain(..skipped.min(seen.rows.len()));
        seen.rows.truncate(size);
        Ok(seen)
    }

    fn path(&self, page: usize, size: usize) -> String {
        let list = match (self.what, &self.vhost) {
            (What::Queues, None) => "queues".to_owned(),
            (What::Connections, None) => "connections".to_owned(),
            (What::Queues, Some(vhost)) => format!("queues/{}", part(vhost)),
            (What::Connections, Some(vhost)) => format!("vhosts/{}/connections", part(vhost)),
        };
        let columns: Vec<_> = self.what.columns().iter().map(|column| column.field).collect();
        format!(
            "/api/{list}?page={page}&page_size={size}&name={}&sort={}&sort_reverse={}&columns={}",
            part(&self.filter),
            self.sort,
            self.is_descending,
            columns.join(",")
        )
    }
}

/// Asks again and again; ends when nobody listens any more.
pub(super) fn again(
    session: Session,
    interval: Duration,
) -> (Sender<Option<Query>>, Receiver<Result<Seen, Failure>>) {
    let (wishes, wanted) = mpsc::channel::<Option<Query>>();
    let (answers, seen) = mpsc::channel();
    std::thread::spawn(move || {
        let mut current = None;
        loop {
            let pause = if current.is_some() { interval } else { Duration::MAX };
            match wanted.recv_timeout(pause) {
                Ok(wish) => current = wanted.try_iter().last().unwrap_or(wish),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(query) = &current else { continue };
            if answers.send(query.ask(&session)).is_err() {
                return;
            }
        }
    });
    (wishes, seen)
}
