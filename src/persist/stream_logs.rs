//! The logs of streams, and who hears that more of them is committed.
//!
//! What is appended to a log in memory is committed at once, by the thread that appends it. A log
//! on disk commits on a thread of its own; one more, started with the first such log, then does
//! what follows from it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam::channel::{Receiver, Sender, unbounded};
use leveret_storage::{Durability, RecoveredStream, Stream, StreamSettings, Streams};

use crate::base::ids::StoreId;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wake;

/// The logs of the streams of a broker. Clones are the same.
#[derive(Clone)]
pub(crate) struct StreamLogs(Arc<Logs>);

struct Logs {
    streams: Arc<Streams>,
    /// Numbers of logs in memory.
    next_id: AtomicU64,
    /// What was found out about those that were there before.
    recovered: Mutex<RecoveredStream, rank::RecoveredStreams>,
    /// Who is woken, by a thread of its own.
    woken: OnceLock<Sender<Arc<dyn Wake>>>,
    /// Why one could not be opened.
    unopened: OnceLock<String>,
}

impl fmt::Debug for StreamLogs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.streams.fmt(formatter)
    }
}

impl StreamLogs {
    /// Over these logs.
    pub(crate) fn new(streams: Arc<Streams>) -> Self {
        Self(Arc::new(Logs {
            streams,
            next_id: AtomicU64::new(1),
            recovered: Mutex::default(),
            woken: OnceLock::new(),
            unopened: OnceLock::new(),
        }))
    }

    /// Logs that are gone with the broker.
    pub(crate) fn in_memory() -> Self {
        Self::new(Arc::new(Streams::in_memory()))
    }

    /// Whether they are gone with the broker.
    pub(crate) fn are_in_memory(&self) -> bool {
        self.0.streams.durability() == Durability::Memory
    }

    /// A number that no other log in memory has.
    pub(crate) fn new_id(&self) -> StoreId {
        self.0.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Opens a log, or begins it.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn open(
        &self,
        id: StoreId,
        settings: StreamSettings,
    ) -> leveret_storage::Result<Arc<Stream>> {
        let opened = self.0.streams.stream(id, settings);
        let (stream, found) = opened.inspect_err(|error| self.note_failure(id, error))?;
        let mut recovered = self.0.recovered.lock();
        recovered.torn.extend(found.torn);
        recovered.damage.extend(found.damage);
        Ok(stream)
    }

    /// A log could not be opened, with everything that belongs there.
    pub(crate) fn note_failure(&self, id: StoreId, error: &impl fmt::Display) {
        // It is the first that is told, if there are several.
        let _ = self.0.unopened.set(format!("stream {id} cannot be opened: {error}"));
    }

    /// Why a log could not be opened, if there was one.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.0.unopened.get().map(String::as_str)
    }

    /// Ends a log that is going to be removed: it is whole until then.
    pub(crate) fn end(&self, id: StoreId) {
        self.0.streams.end(id);
    }

    /// Removes a log.
    pub(crate) fn delete(&self, id: StoreId) {
        self.0.streams.delete(id);
    }

    /// Those in memory end: nothing more is appended, and who waits for more hears of it.
    pub(crate) fn close_in_memory(&self) {
        if self.are_in_memory() {
            // There is nothing to fail.
            let _ = self.0.streams.close();
        }
    }

    /// What was found out about streams that were there before.
    pub(crate) fn take_recovered(&self) -> RecoveredStream {
        std::mem::take(&mut self.0.recovered.lock())
    }

    /// Has somebody woken, on a thread for that, whenever more of a log on disk is committed.
    pub(crate) fn watch(&self, log: &Stream, watcher: Arc<dyn Wake>) {
        let woken = self.0.woken.get_or_init(start).clone();
        log.watch(Arc::new(move || {
            // The thread is there for as long as somebody can call it.
            let _ = woken.send(Arc::clone(&watcher));
        }));
    }
}

fn start() -> Sender<Arc<dyn Wake>> {
    let (sender, receiver) = unbounded();
    let thread = std::thread::Builder::new().name("leveret-reader".into());
    if let Err(error) = thread.spawn(move || wake_all(&receiver)) {
        tracing::error!("consumers of streams get nothing new: {error}");
    }
    sender
}

/// Wakes whom it is told to, until the broker is gone.
fn wake_all(woken: &Receiver<Arc<dyn Wake>>) {
    while let Ok(watcher) = woken.recv() {
        watcher.wake();
    }
}
