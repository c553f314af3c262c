//! The thread that writes, and the batches that wait for it.
//!
//! Groups form by themselves: while one is being synced, what is submitted gathers for the next.
//! A lone batch is written and synced at once; no timer is involved, unless nobody waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::log::batch::LogBatch;
use crate::log::engine::Engine;
use crate::log::overtaking;

/// Called once the fate of a batch is known, with no lock of the store held, by the store's thread
/// or by one that submits. It may take locks of its own that are never held while the store is
/// called. It must be quick, and must not call the store: other completions wait for it.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

#[derive(Default)]
struct Backlog {
    waiting: VecDeque<(LogBatch, Done)>,
    /// How many of them somebody waits for.
    urgent: usize,
    /// Octets of all batches that are not completed.
    octets: usize,
    closed: bool,
    /// The disk's last failure, while it lasts.
    failure: Option<String>,
    /// Writing is to be tried again at once.
    retry: bool,
}

#[derive(Default)]
struct Shared {
    backlog: Mutex<Backlog>,
    work: Condvar,
    /// As in the backlog, for those who ask often.
    octets: AtomicUsize,
}

/// The writing thread of a log.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    limit: usize,
    group_octets: usize,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn start(engine: Engine) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (limit, group_octets) = (engine.options.backlog_octets, engine.options.group_octets);
        let run = {
            let shared = shared.clone();
            move || run(engine, &shared)
        };
        let thread = std::thread::Builder::new().name("leveret-log".into()).spawn(run)?;
        Ok(Self { shared, limit, group_octets, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn submit(&self, batch: LogBatch, done: Done) -> Result<()> {
        let mut backlog = self.shared.backlog.lock();
        if backlog.closed {
            drop(backlog);
            done(Err(Error::Closed));
            return Err(Error::Closed);
        }
        backlog.octets += batch.octets();
        self.shared.octets.store(backlog.octets, Ordering::Release);
        // The writer looks for itself if it is not waiting, and then nobody needs to be woken.
        let first = if batch.waits() {
            backlog.waiting.is_empty() || backlog.octets >= self.group_octets
        } else {
            backlog.urgent += 1;
            backlog.urgent == 1
        };
        backlog.waiting.push_back((batch, done));
        drop(backlog);
        if first {
            self.shared.work.notify_one();
        }
        Ok(())
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.shared.octets.load(Ordering::Acquire) > self.limit
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.backlog.lock().failure.clone()
    }

    /// Tries again now what failed.
    pub(crate) fn retry(&self) {
        self.shared.backlog.lock().retry = true;
        self.shared.work.notify_one();
    }

    pub(crate) fn close(&self) -> Result<()> {
        self.shared.backlog.lock().closed = true;
        self.shared.work.notify_one();
        match self.thread.lock().take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Error::Failed),
        }
    }
}

/// Closes the log when the thread ends, by a callback's panic too: nobody waits for it then.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.backlog.lock().closed = true;
    }
}

fn run(mut engine: Engine, shared: &Shared) -> Result<()> {
    let _closing = Closing(shared);
    let mut group: Vec<LogBatch> = Vec::new();
    let mut done: VecDeque<Done> = VecDeque::new();
    loop {
        // A failure costs nothing but space. If it lasts the next group meets it too; if not, the
        // step is taken again after that.
        let more = engine.maintain().unwrap_or(false);
        if !gather(&engine, shared, more, &mut group, &mut done) {
            return engine.stop();
        }
        let mut committed = 0;
        while let Some(rest) = group.get_mut(committed..).filter(|rest| !rest.is_empty()) {
            match engine.commit(rest) {
                Ok(count) => {
                    let octets = rest.iter().take(count).map(LogBatch::octets).sum();
                    committed += count;
                    done.drain(..count.min(done.len())).for_each(|done| done(Ok(())));
                    release(&engine, shared, octets);
                }
                Err(error) => {
                    if error.is_full() && overtake(&mut engine, shared, rest) {
                        continue;
                    }
                    if !wait_for_disk(&engine, shared, &error) {
                        return give_up(&engine, shared, done, error);
                    }
                }
            }
        }
        group.clear();
    }
}

/// Takes the next group, waiting for it unless there is other work; false if the log is closed.
fn gather(
    engine: &Engine,
    shared: &Shared,
    more: bool,
    group: &mut Vec<LogBatch>,
    done: &mut VecDeque<Done>,
) -> bool {
    let mut backlog = shared.backlog.lock();
    while backlog.urgent == 0 && !more && !backlog.closed {
        if backlog.waiting.is_empty() {
            shared.work.wait(&mut backlog);
        } else if backlog.octets >= engine.options.group_octets
            || shared.work.wait_for(&mut backlog, engine.options.wait_at_most).timed_out()
        {
            break;
        }
    }
    let mut octets = 0;
    while octets < engine.options.group_octets {
        let Some((batch, callback)) = backlog.waiting.pop_front() else { break };
        octets += batch.octets();
        backlog.urgent -= usize::from(!batch.waits());
        group.push(batch);
        done.push_back(callback);
    }
    !(backlog.closed && group.is_empty())
}

/// Writes settlements that may overtake what the disk is too full for; tells whether there were
/// any. What was written is a barrier from then on: it is completed in its turn.
fn overtake(engine: &mut Engine, shared: &Shared, group: &mut [LogBatch]) -> bool {
    let backlog = shared.backlog.lock();
    let waiting = backlog.waiting.iter().map(|(batch, _)| batch);
    let mut overtaking = overtaking::choose(group.iter().chain(waiting));
    drop(backlog);
    // The failure that brought us here is reported; if this one is another it comes again.
    let _ = engine.overtake(&mut overtaking);
    let mut octets = 0;
    // Nobody else takes batches out, so that the places are still right.
    let mut backlog = shared.backlog.lock();
    for place in &overtaking.places {
        let batch = match place.checked_sub(group.len()) {
            None => group.get_mut(*place),
            Some(place) => backlog.waiting.get_mut(place).map(|(batch, _)| batch),
        };
        octets += batch.map_or(0, LogBatch::empty);
    }
    if reduce(engine, shared, &mut backlog, octets) {
        drop(backlog);
        watch(engine);
    }
    !overtaking.places.is_empty()
}

/// Some octets do not wait any more; tells whether the log has just ceased to be behind.
fn reduce(engine: &Engine, shared: &Shared, backlog: &mut Backlog, octets: usize) -> bool {
    let limit = engine.options.backlog_octets;
    let was_behind = backlog.octets > limit;
    backlog.octets = backlog.octets.saturating_sub(octets);
    shared.octets.store(backlog.octets, Ordering::Release);
    was_behind && backlog.octets <= limit
}

/// Some batches are completed.
fn release(engine: &Engine, shared: &Shared, octets: usize) {
    let mut backlog = shared.backlog.lock();
    let changed = reduce(engine, shared, &mut backlog, octets) || backlog.failure.is_some();
    (backlog.failure, backlog.retry) = (None, false);
    drop(backlog);
    if changed {
        watch(engine);
    }
}

/// Tells the watcher that something has changed.
fn watch(engine: &Engine) {
    if let Some(watcher) = &engine.options.watcher {
        watcher();
    }
}

/// Waits before writing is tried again; false if the log was closed meanwhile.
fn wait_for_disk(engine: &Engine, shared: &Shared, error: &Error) -> bool {
    if shared.backlog.lock().failure.replace(error.to_string()).is_none() {
        watch(engine);
    }
    let mut backlog = shared.backlog.lock();
    let waits = |backlog: &mut Backlog| !backlog.closed && !backlog.retry;
    shared.work.wait_while_for(&mut backlog, waits, engine.options.retry_after);
    backlog.retry = false;
    !backlog.closed
}

/// Completes everything with a failure. Nothing waits for the disk any more.
fn give_up(engine: &Engine, shared: &Shared, done: VecDeque<Done>, error: Error) -> Result<()> {
    let mut backlog = shared.backlog.lock();
    let waiting = std::mem::take(&mut backlog.waiting);
    let octets = backlog.octets;
    reduce(engine, shared, &mut backlog, octets);
    drop(backlog);
    let waiting = waiting.into_iter().map(|(_, done)| done);
    done.into_iter().chain(waiting).for_each(|done| done(Err(Error::Failed)));
    watch(engine);
    Err(error)
}
