//! One stream: what can be done with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::{Damage, Done};
use crate::stream::batch::StreamBatch;
use crate::stream::engine::Engine;
use crate::stream::index::{self, EntryKind, IndexEntry};
use crate::stream::options::{Retention, StreamSettings};
use crate::stream::pending::PendingChunk;
use crate::stream::progress::ProgressFile;
use crate::stream::segments::End;
use crate::stream::state::{Appended, State, Watching};
use crate::stream::writer::Shared;

/// Entries of the index that are kept before they are written to the side file.
const INDEX_ENTRIES: usize = 64;

/// Names a watcher of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatchId(u64);

/// How much a stream has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamUsage {
    /// Messages that are committed and retained.
    pub messages: u64,
    /// Octets of its segments, as far as they are known since the start.
    pub octets: u64,
    /// Number of its segments.
    pub segments: usize,
}

/// A log of messages that is only appended to, and read by anybody from anywhere.
pub struct Stream {
    pub(crate) id: QueueId,
    pub(crate) shared: Arc<Shared>,
    /// The outer lock: whoever writes has it.
    pub(crate) engine: Mutex<Engine>,
    /// How far it is, for the next start. Locked under the one above, and around the one below.
    pub(crate) progress: Mutex<ProgressFile>,
    pub(crate) state: Mutex<State>,
    committed: AtomicU64,
    pub(crate) is_deleted: AtomicBool,
    next_watch: AtomicU64,
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        formatter
            .debug_struct("Stream")
            .field("id", &self.id)
            .field("first_offset", &state.first_offset())
            .field("committed_offset", &state.committed)
            .field("next_offset", &state.next_offset)
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(
        id: QueueId,
        shared: Arc<Shared>,
        engine: Engine,
        state: State,
        progress: ProgressFile,
    ) -> Self {
        Self {
            id,
            shared,
            committed: AtomicU64::new(state.committed),
            engine: Mutex::new(engine),
            progress: Mutex::new(progress),
            state: Mutex::new(state),
            is_deleted: AtomicBool::new(false),
            next_watch: AtomicU64::new(0),
        }
    }

    /// Appends entries, in order. Their offsets are given at once, in the order of calls. `done` is
    /// called in that order, too, with no lock of the stream held, once all of them are committed:
    /// as durable as [promised](crate::StreamOptions::durability), and there for readers. What
    /// their publisher had sent before is left out; `done` then waits for that to be committed.
    ///
    /// `now_ms`, in milliseconds since 1970, becomes the timestamp of the chunk; one that is before
    /// that of an earlier chunk counts as that.
    ///
    /// What is appended to a stream that has ended is gone, and counts as committed once the stream
    /// is removed.
    ///
    /// # Errors
    /// [`Error::Closed`], as `done` is told, too; [`Error::UnexpectedOffset`] if the batch
    /// [expects](StreamBatch::expect) another offset: `done` is told the same.
    pub fn append(
        self: &Arc<Self>,
        batch: &StreamBatch,
        now_ms: i64,
        done: Done,
    ) -> Result<Appended> {
        self.append_with(batch, now_ms, done, false).map(|(appended, _)| appended)
    }

    /// Appends; with `gated` behind a gate, whose number it tells if there is something to write.
    pub(crate) fn append_with(
        self: &Arc<Self>,
        batch: &StreamBatch,
        now_ms: i64,
        done: Done,
        gated: bool,
    ) -> Result<(Appended, Option<u64>)> {
        let mut state = self.state.lock();
        if state.closed && !state.deleted {
            drop(state);
            done(Err(Error::Closed));
            return Err(Error::Closed);
        }
        if state.deleted {
            let next = state.next_offset;
            state.wait(done);
            drop(state);
            self.call_back();
            let entries = batch.len();
            let (first_offset, next_offset, duplicates) = (next, next, 0);
            return Ok((Appended { first_offset, next_offset, entries, duplicates }, None));
        }
        let next = state.next_offset;
        if let Some(expected) = batch.expected.filter(|expected| *expected != next) {
            drop(state);
            done(Err(Error::UnexpectedOffset { expected, next }));
            return Err(Error::UnexpectedOffset { expected, next });
        }
        let gate = gated.then(|| state.close_gate());
        let (appended, octets) = state.append(batch, now_ms, self.shared.options.chunk_octets);
        state.wait(done);
        self.shared.note_waiting(octets);
        self.go_on(state);
        Ok((appended, gate))
    }

    pub(crate) fn set_committed(&self, offset: u64) {
        self.committed.store(offset, Ordering::Release);
    }

    /// Calls back once everything that was appended before is committed.
    pub fn after_committed(&self, done: Done) {
        self.state.lock().wait(done);
        self.call_back();
    }

    /// Has written what is to be written, and calls back what is due.
    pub(crate) fn go_on(self: &Arc<Self>, mut state: parking_lot::MutexGuard<'_, State>) {
        if !state.has_work() {
            drop(state);
        } else if self.shared.is_in_memory() {
            drop(state);
            // Memory does not fail.
            while self.write_some().unwrap_or(false) {}
        } else if !std::mem::replace(&mut state.queued, true) {
            drop(state);
            self.shared.enqueue(Arc::clone(self));
        } else {
            drop(state);
        }
        self.call_back();
    }

    /// Writes some of what waits, and tells who waits for it. Tells whether there is more.
    pub(crate) fn write_some(self: &Arc<Self>) -> Result<bool> {
        let mut engine = self.engine.lock();
        let written = self.write(&mut engine);
        drop(engine);
        let more = written?;
        self.call_back();
        self.tell_watchers();
        Ok(more)
    }

    pub(crate) fn tell_watchers(&self) {
        let watchers = Arc::clone(&self.state.lock().watchers);
        watchers.iter().for_each(|(_, watcher)| watcher());
    }

    fn write(&self, engine: &mut Engine) -> Result<bool> {
        let mut state = self.state.lock();
        (state.queued, state.queued_lazily) = (false, false);
        if state.deleted {
            if state.forgotten {
                drop(state);
                self.remove_files(engine);
            }
            return Ok(false);
        }
        let segment_octets = state.settings.segment_octets;
        if engine.drafts.is_empty() {
            let taken = state.take(self.shared.options.group_octets);
            drop(state);
            engine.drafts = taken.into_iter().map(PendingChunk::into_draft).collect();
        } else {
            drop(state);
        }
        while !engine.drafts.is_empty() {
            if engine.needs_segment(segment_octets) {
                self.begin_segment(engine, segment_octets)?;
            }
            let Some(written) = engine.write(segment_octets)? else { break };
            let count = written.positions.len();
            let octets = engine.drafts.iter().take(count).map(|draft| draft.data.len()).sum();
            let mut state = self.state.lock();
            state.commit(&written, &engine.drafts);
            self.committed.store(state.committed, Ordering::Release);
            drop(state);
            self.note_progress(engine);
            self.keep_index(INDEX_ENTRIES, false);
            engine.drafts.drain(..count);
            self.shared.note_written(octets);
        }
        if engine.active.is_some() && engine.needs_segment(segment_octets) {
            // A full segment ends at once; if that fails it is when the next chunk comes.
            let _ = self.begin_segment(engine, segment_octets);
        }
        let mut state = self.state.lock();
        let more = state.has_work() && !state.queued;
        state.queued |= more;
        Ok(more)
    }

    /// Ends the segment that is being written, and begins another.
    fn begin_segment(&self, engine: &mut Engine, segment_octets: u64) -> Result<()> {
        let offset = engine.next_offset;
        if !self.shared.is_in_memory() {
            self.progress.lock().keep_open();
        }
        let written = engine.begin_segment(segment_octets)?;
        let mut state = self.state.lock();
        let end = state.segments.last().and_then(|last| last.end);
        if let Some(End { position, timestamp_ms }) = end {
            let kind = EntryKind::End;
            state.segments.entries.push(IndexEntry { kind, offset, timestamp_ms, position });
        }
        drop(state);
        self.keep_index(1, true);
        let mut state = self.state.lock();
        let empty = state.segments.begin(written.segment, written.end, written.entries);
        drop(state);
        let is_kept = self.keep_progress(engine);
        if let Some(empty) = empty.filter(|_| is_kept) {
            self.shared.files.remove(empty.name);
        }
        self.remove_what_is_too_much(engine.last_timestamp_ms);
        Ok(())
    }

    /// Writes entries of the index to the side file, if there are so many. Whoever looks for them
    /// meanwhile finds earlier ones. A failure costs nothing but time, later.
    pub(crate) fn keep_index(&self, min: usize, is_end: bool) {
        let mut state = self.state.lock();
        let segments = &mut state.segments;
        let Some(name) = segments.last().map(|last| last.name) else { return };
        if segments.entries.len() < min {
            return;
        }
        let (written, entries) = (segments.entries_written, std::mem::take(&mut segments.entries));
        drop(state);
        let disk = &*self.shared.files.disk;
        if let Ok(written) = index::append(disk, name, written, &entries, is_end) {
            self.state.lock().segments.entries_written = written;
        }
    }

    /// Calls back what is due, unless another thread does: so they come in order, with no lock
    /// held.
    pub(crate) fn call_back(&self) {
        let mut is_calling = false;
        loop {
            let due = self.state.lock().next_due(is_calling);
            let Some((done, result)) = due else { break };
            is_calling = true;
            done(result);
        }
    }

    /// Whether it was deleted; somebody may still hold it.
    pub fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    /// Whether nothing is appended any more, since it was closed with the others.
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// What it is called in the store.
    pub fn id(&self) -> QueueId {
        self.id
    }

    /// The offset of the first message that is retained; that of the next one if there is none.
    pub fn first_offset(&self) -> u64 {
        self.state.lock().first_offset()
    }

    /// The offset behind the last message that is committed.
    pub fn committed_offset(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// The offset of the next message that is appended.
    pub fn next_offset(&self) -> u64 {
        self.state.lock().next_offset
    }

    /// How much there is.
    pub fn usage(&self) -> StreamUsage {
        let state = self.state.lock();
        StreamUsage {
            messages: state.committed.saturating_sub(state.first_offset()),
            octets: state.segments.octets(),
            segments: state.segments.len(),
        }
    }

    /// What it works by.
    pub fn settings(&self) -> StreamSettings {
        self.state.lock().settings
    }

    /// Other settings, from a policy. What is not retained any more goes with the next call of
    /// [`Stream::retain`], or when a segment is full.
    pub fn set_settings(&self, settings: StreamSettings) {
        self.state.lock().settings = settings;
    }

    /// What of it is kept.
    pub(crate) fn retention(&self) -> Retention {
        self.state.lock().settings.retention
    }

    /// Has `watcher` called after the committed offset has moved, and when the stream is deleted or
    /// closed, by the thread that did it, with no lock of the stream held. It may be called when
    /// nothing has changed. It must be quick and not append.
    pub fn watch(&self, watcher: Watching) -> WatchId {
        let id = self.next_watch.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        Arc::make_mut(&mut state.watchers).push((id, watcher));
        WatchId(id)
    }

    /// Ends that; a call may still be under way.
    pub fn unwatch(&self, id: WatchId) {
        let mut state = self.state.lock();
        Arc::make_mut(&mut state.watchers).retain(|(known, _)| *known != id.0);
    }

    /// Reports damage that a reader has come across.
    pub(crate) fn report(&self, segment: u64, damage: &Damage) {
        let is_news = self.state.lock().is_news(segment, damage);
        if let Some(watcher) = self.shared.options.damaged.as_ref().filter(|_| is_news) {
            watcher(damage);
        }
    }
}
