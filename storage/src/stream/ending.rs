//! How a stream ends: closed with the others, or deleted.
//!
//! What is deleted [ends](Stream::finish) at once, and its files [go](Stream::delete) when it is
//! certain that nobody asks for them after a crash: until then it is whole.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use crate::error::Result;
use crate::stream::engine::Engine;
use crate::stream::state::State;
use crate::stream::stream::Stream;

impl Stream {
    /// Nothing more is written.
    pub(crate) fn give_up(&self) {
        let mut engine = self.engine.lock();
        let drafts = std::mem::take(&mut engine.drafts);
        drop(engine);
        let mut state = self.state.lock();
        state.closed = true;
        let octets = state.give_up() + drafts.iter().map(|draft| draft.data.len()).sum::<usize>();
        drop(state);
        self.shared.note_written(octets);
        self.call_back();
        self.tell_watchers();
    }

    /// Writes everything and syncs it.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        self.state.lock().closed = true;
        let mut written = Ok(true);
        while let Ok(true) = written {
            written = self.write_some();
        }
        let is_gated = self.state.lock().is_gated();
        if written.is_err() || is_gated || self.is_deleted() {
            self.give_up();
        }
        let mut engine = self.engine.lock();
        engine.sync()?;
        self.keep_progress(&engine);
        self.keep_index(1, false);
        drop(engine);
        written.map(|_| ())
    }

    /// Writes nothing more; its readers find that it ends. What waits goes on to wait until the
    /// stream is removed, or closed, which leaves it as it is.
    pub(crate) fn finish(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.deleted = true;
        self.is_deleted.store(true, Ordering::Release);
        self.have_written(state);
    }

    /// Removes the stream; its files go soon.
    pub(crate) fn delete(self: &Arc<Self>) {
        let mut state = self.state.lock();
        (state.deleted, state.forgotten) = (true, true);
        self.is_deleted.store(true, Ordering::Release);
        self.shared.note_written(state.give_up());
        self.have_written(state);
    }

    /// Has it looked at by who writes, whether there is something to write or not.
    fn have_written(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let queued = std::mem::replace(&mut state.queued, true);
        drop(state);
        if self.shared.is_in_memory() {
            // There is nothing to fail.
            let _ = self.write_some();
        } else {
            if !queued {
                self.shared.enqueue(Arc::clone(self));
            }
            self.call_back();
        }
    }

    pub(crate) fn remove_files(&self, engine: &mut Engine) {
        engine.active = None;
        let drafts: usize = engine.drafts.drain(..).map(|draft| draft.data.len()).sum();
        let mut state = self.state.lock();
        let octets = drafts + state.give_up();
        let segments = state.segments.remove_all();
        drop(state);
        self.shared.note_written(octets);
        let files = &self.shared.files;
        segments.iter().for_each(|segment| files.remove(segment.name));
        files.remove_progress(self.id);
        // Without it they may be there again after a crash, and go then.
        let _ = files.disk.sync_directory();
    }
}
