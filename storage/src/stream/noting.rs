//! Says how far a stream is, for the next start.

use crate::stream::Stream;
use crate::stream::engine::Engine;
use crate::stream::progress::Progress;

impl Stream {
    /// Something was written.
    pub(crate) fn note_progress(&self, engine: &Engine) {
        let mut file = self.progress.lock();
        if let Some(progress) = self.progress_of(engine) {
            // What is not said does not help.
            let _ = file.note(progress);
        }
    }

    /// A segment was begun, or the stream is closed: says so, durably. Tells whether that went
    /// well.
    pub(crate) fn keep_progress(&self, engine: &Engine) -> bool {
        let mut file = self.progress.lock();
        self.progress_of(engine).is_none_or(|progress| file.keep(progress).is_ok())
    }

    /// The first segments are going to be removed: says so, durably. Tells whether that went well.
    pub(crate) fn keep_first(&self) -> bool {
        let mut file = self.progress.lock();
        let Some(said) = file.said else { return true };
        let state = self.state.lock();
        let Some(first) = state.segments.first().map(|first| first.name) else { return true };
        if first.place.segment > said.last.place.segment {
            return false; // that the last one goes is not to be said before there is another
        }
        let segments = state.segments.count_up_to(said.last.place.segment);
        drop(state);
        let segments = u32::try_from(segments).unwrap_or(u32::MAX);
        file.keep(Progress { first, segments, ..said }).is_ok()
    }

    /// What can be said of a stream on disk, all of which is durable.
    fn progress_of(&self, engine: &Engine) -> Option<Progress> {
        let active = engine.active.as_ref().filter(|active| active.synced == active.used)?;
        let state = self.state.lock();
        let first = state.segments.first().filter(|_| !self.shared.is_in_memory())?.name;
        let segments = u32::try_from(state.segments.len()).unwrap_or(u32::MAX);
        let (last, used, next_offset) = (active.name, active.used, engine.next_offset);
        Some(Progress { first, last, segments, used, next_offset })
    }
}
