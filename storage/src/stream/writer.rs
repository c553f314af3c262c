//! The thread that writes streams to a disk, and the streams that wait for it.
//!
//! Chunks form by themselves: while some are being synced, what is appended gathers for the next.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::log::Durability;
use crate::stream::Stream;
use crate::stream::files::Files;
use crate::stream::options::StreamOptions;

/// Rounds after which what nobody waits for is written, too, if there is always something else.
const LAZY_ROUNDS: u32 = 32;

#[derive(Default)]
struct Line {
    /// Streams with something that somebody waits for, and the others.
    urgent: VecDeque<Arc<Stream>>,
    lazy: VecDeque<Arc<Stream>>,
    /// Rounds since the others were written.
    rounds: u32,
    closed: bool,
    /// Writing is to be tried again at once.
    retry: bool,
    /// The disk's last failure, while it lasts.
    failure: Option<String>,
}

/// What all streams have in common.
pub(crate) struct Shared {
    pub(crate) files: Arc<Files>,
    pub(crate) options: StreamOptions,
    /// Octets that wait for the disk.
    backlog: AtomicUsize,
    line: Mutex<Line>,
    work: Condvar,
}

impl Shared {
    pub(crate) fn new(files: Files, options: StreamOptions) -> Self {
        let files = Arc::new(files);
        Self {
            files,
            options,
            backlog: AtomicUsize::new(0),
            line: Mutex::default(),
            work: Condvar::new(),
        }
    }

    /// Whether chunks are written by whoever appends them.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.options.durability == Durability::Memory
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.backlog.load(Ordering::Acquire) > self.options.backlog_octets
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.line.lock().failure.clone()
    }

    /// Octets more wait for the disk.
    pub(crate) fn note_waiting(&self, octets: usize) {
        self.backlog.fetch_add(octets, Ordering::AcqRel);
    }

    /// Octets wait no more.
    pub(crate) fn note_written(&self, octets: usize) {
        let before = self.backlog.fetch_sub(octets, Ordering::AcqRel);
        let limit = self.options.backlog_octets;
        if before > limit && before - octets <= limit {
            self.watch();
        }
    }

    fn watch(&self) {
        if let Some(watcher) = &self.options.watcher {
            watcher();
        }
    }

    /// A stream has something to write that somebody waits for.
    pub(crate) fn enqueue(&self, stream: Arc<Stream>) {
        let mut line = self.line.lock();
        line.urgent.push_back(stream);
        if line.urgent.len() == 1 {
            drop(line);
            self.work.notify_one();
        }
    }

    /// A stream has something to write that nobody waits for.
    pub(crate) fn enqueue_lazily(&self, stream: Arc<Stream>) {
        let mut line = self.line.lock();
        line.lazy.push_back(stream);
        if line.lazy.len() == 1 {
            drop(line);
            self.work.notify_one();
        }
    }

    pub(crate) fn retry(&self) {
        self.line.lock().retry = true;
        self.work.notify_one();
    }
}

/// The writing thread.
pub(crate) struct Writer(Mutex<Option<JoinHandle<Result<()>>>>);

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self> {
        let builder = std::thread::Builder::new().name("leveret-streams".into());
        let thread = builder.spawn(move || run(&shared))?;
        Ok(Self(Mutex::new(Some(thread))))
    }

    /// Writes what waits, and ends.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn close(&self, shared: &Shared) -> Result<()> {
        shared.line.lock().closed = true;
        shared.work.notify_one();
        match self.0.lock().take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Error::Failed),
        }
    }
}

fn run(shared: &Shared) -> Result<()> {
    let mut result = Ok(());
    while let Some(streams) = next(shared) {
        let mut failed = None;
        let mut again = VecDeque::new();
        for stream in streams {
            match stream.write_some() {
                Ok(false) => {}
                Ok(true) => again.push_back(stream),
                Err(error) => {
                    failed = Some(error);
                    again.push_back(stream);
                }
            }
        }
        let is_closed = note_outcome(shared, failed.as_ref());
        if let Some(error) = failed
            && (is_closed || !wait_for_disk(shared))
        {
            again.drain(..).for_each(|stream| stream.give_up());
            result = Err(error);
        }
        let mut line = shared.line.lock();
        again.append(&mut line.urgent);
        line.urgent = again;
    }
    result
}

/// The streams with something to write; waits for them. `None` once there is nothing left and the
/// streams are closed.
fn next(shared: &Shared) -> Option<VecDeque<Arc<Stream>>> {
    let mut line = shared.line.lock();
    let mut takes_all = line.closed || line.rounds >= LAZY_ROUNDS;
    while line.urgent.is_empty() && !line.closed && !takes_all {
        if line.lazy.is_empty() {
            shared.work.wait(&mut line);
        } else {
            let wait = shared.options.wait_at_most;
            takes_all = shared.work.wait_for(&mut line, wait).timed_out();
        }
    }
    line.rounds += 1;
    let mut streams = mem::take(&mut line.urgent);
    if takes_all || line.closed {
        streams.append(&mut line.lazy);
        line.rounds = 0;
    }
    (!streams.is_empty() || !line.closed).then_some(streams)
}

/// Notes a failure, or that there is none any more; tells whether the streams are closed.
fn note_outcome(shared: &Shared, failure: Option<&Error>) -> bool {
    let mut line = shared.line.lock();
    let before = line.failure.take();
    line.failure = failure.map(Error::to_string);
    let (changed, is_closed) = (before.is_some() != line.failure.is_some(), line.closed);
    drop(line);
    if changed {
        shared.watch();
    }
    is_closed
}

/// Waits before writing is tried again; false if the streams were closed meanwhile.
fn wait_for_disk(shared: &Shared) -> bool {
    let mut line = shared.line.lock();
    let waits = |line: &mut Line| !line.closed && !line.retry;
    shared.work.wait_while_for(&mut line, waits, shared.options.retry_after);
    line.retry = false;
    !line.closed
}
