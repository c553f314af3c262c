//! All streams of a broker.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::disk::{Disk, MemoryDisk};
use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::{Done, Durability};
use crate::stream::files::{Files, SegmentName};
use crate::stream::options::{SEGMENT_OCTETS_MAX, StreamOptions, StreamSettings};
use crate::stream::recovery::{self, RecoveredStream};
use crate::stream::stream::Stream;
use crate::stream::writer::{Shared, Writer};

/// All streams of a broker: their files, and the thread that writes them, which starts with the
/// first one.
pub struct Streams {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    /// Segments of streams that nobody has opened yet.
    found: BTreeMap<QueueId, Vec<SegmentName>>,
    open: BTreeMap<QueueId, Arc<Stream>>,
    writer: Option<Writer>,
    closed: bool,
}

impl fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        formatter.debug_struct("Streams").field("open", &state.open.len()).finish_non_exhaustive()
    }
}

impl Streams {
    /// The streams on a disk. Nothing is read but the names of files.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn open(disk: Arc<dyn Disk>, mut options: StreamOptions) -> Result<Self> {
        if options.durability == Durability::Memory {
            options.durability = Durability::Buffered;
        }
        let found = recovery::list(&*disk)?;
        recovery::remove_orphans(&*disk, &found)?;
        Ok(Self::new(disk, options, found))
    }

    /// No streams yet, in memory. They behave as on a disk; what is appended is committed, and
    /// called back, by the thread that appends.
    pub fn in_memory() -> Self {
        let options = StreamOptions::default().durability(Durability::Memory);
        Self::new(Arc::new(MemoryDisk::default()), options, BTreeMap::new())
    }

    fn new(
        disk: Arc<dyn Disk>,
        options: StreamOptions,
        found: BTreeMap<QueueId, Vec<SegmentName>>,
    ) -> Self {
        let files = Files::new(disk, options.open_files);
        let shared = Arc::new(Shared::new(files, options));
        let (open, writer) = (BTreeMap::new(), None);
        Self { shared, state: Mutex::new(State { found, open, writer, closed: false }) }
    }

    /// Opens a stream; begins it if there is none with this number. What was found out about a
    /// stream that was there is told once.
    ///
    /// # Errors
    /// If the disk fails, and [`Error::Closed`].
    pub fn stream(
        &self,
        id: QueueId,
        mut settings: StreamSettings,
    ) -> Result<(Arc<Stream>, RecoveredStream)> {
        settings.segment_octets = settings.segment_octets.min(SEGMENT_OCTETS_MAX);
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        if let Some(stream) = state.open.get(&id) {
            return Ok((Arc::clone(stream), RecoveredStream::default()));
        }
        if state.writer.is_none() && !self.shared.is_in_memory() {
            state.writer = Some(Writer::start(self.shared.clone())?);
        }
        let names = state.found.get(&id).map(Vec::as_slice).unwrap_or_default();
        let shared = self.shared.clone();
        let durability = shared.options.durability;
        let opened = recovery::open(shared.files.clone(), durability, settings, id, names)?;
        let stream =
            Arc::new(Stream::new(id, shared, opened.engine, opened.state, opened.progress));
        state.found.remove(&id);
        state.open.insert(id, Arc::clone(&stream));
        Ok((stream, opened.recovered))
    }

    /// The numbers of all streams that have left a trace.
    pub fn ids(&self) -> Vec<QueueId> {
        let state = self.state.lock();
        let mut ids: Vec<_> = state.found.keys().chain(state.open.keys()).copied().collect();
        ids.sort_unstable();
        ids
    }

    /// The numbers of those that nobody has opened.
    pub fn unopened(&self) -> Vec<QueueId> {
        self.state.lock().found.keys().copied().collect()
    }

    /// Calls back once everything that was appended before is committed, to streams that have not
    /// [ended](Self::end).
    pub fn barrier(&self, done: Done) {
        let state = self.state.lock();
        let lasting = state.open.values().filter(|stream| !stream.is_deleted());
        let streams: Vec<_> = lasting.map(Arc::clone).collect();
        drop(state);
        let barrier = Arc::new(Barrier { left: AtomicUsize::new(1), done: Mutex::new(Some(done)) });
        for stream in streams {
            barrier.left.fetch_add(1, Ordering::AcqRel);
            let part = Arc::clone(&barrier);
            stream.after_committed(Box::new(move |result| part.settle(result)));
        }
        barrier.settle(Ok(()));
    }

    /// Ends a stream that is going to be removed: nothing more is written, and its readers find
    /// that it ends. Its files stay until it is [deleted](Self::delete), so that a crash before
    /// that leaves it whole; what waits to be committed waits for that, too.
    pub fn end(&self, id: QueueId) {
        let open = self.state.lock().open.get(&id).map(Arc::clone);
        if let Some(stream) = open {
            stream.finish();
        }
    }

    /// Removes a stream. Its files go soon; its readers find that it ends; what waits to be
    /// committed counts as that. Its number must not be used again.
    pub fn delete(&self, id: QueueId) {
        let mut state = self.state.lock();
        let found = state.found.remove(&id);
        let open = state.open.remove(&id);
        drop(state);
        if let Some(found) = found {
            found.iter().for_each(|name| self.shared.files.remove(*name));
            self.shared.files.remove_progress(id);
            // Without it they may be there again after a crash.
            let _ = self.shared.files.disk.sync_directory();
        }
        if let Some(stream) = open {
            stream.delete();
        }
    }

    /// Whether so much waits for the disk that those who append should hold back.
    pub fn is_behind(&self) -> bool {
        self.shared.is_behind()
    }

    /// Why nothing is committed at present: the disk's failure, while it lasts.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    /// Tries at once to write what could not be written.
    pub fn retry(&self) {
        self.shared.retry();
    }

    /// What it is promised that a committed message survives.
    pub fn durability(&self) -> Durability {
        self.shared.options.durability
    }

    /// Commits what was appended, and ends. Later calls do nothing.
    ///
    /// # Errors
    /// If the disk fails; what could not be written is told so.
    pub fn close(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.closed = true;
        let writer = state.writer.take();
        let open = std::mem::take(&mut state.open);
        drop(state);
        let mut result = writer.map_or(Ok(()), |writer| writer.close(&self.shared));
        for stream in open.values() {
            let closed = stream.close();
            result = result.and(closed);
        }
        result
    }
}

/// Waits for several streams.
struct Barrier {
    left: AtomicUsize,
    done: Mutex<Option<Done>>,
}

impl Barrier {
    /// The first failure is what is told.
    fn settle(&self, result: Result<()>) {
        let is_last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        if (is_last || result.is_err())
            && let Some(done) = self.done.lock().take()
        {
            done(result);
        }
    }
}

impl Drop for Streams {
    /// Closes them; whoever wants to know whether that went well has called `close`.
    fn drop(&mut self) {
        let _ = self.close();
    }
}
