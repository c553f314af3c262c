//! What of a stream is kept `[rabbitmq streams#retention]`: whole segments, always the last one.

use crate::error::Result;
use crate::stream::Stream;
use crate::stream::segments::Segment;
use crate::stream::state::State;

impl Stream {
    /// Removes what is not retained any more, oldest first. Tells when, in milliseconds since
    /// 1970, something becomes too old, if nothing is appended.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn retain(&self, now_ms: i64) -> Result<Option<i64>> {
        let retention = self.retention();
        if retention.max_octets.is_none() && retention.max_age_ms.is_none() {
            return Ok(None);
        }
        self.know_all_ends()?;
        self.remove_what_is_too_much(now_ms);
        let state = self.state.lock();
        Ok(retention.max_age_ms.and_then(|age| too_old_at(&state, age)))
    }

    /// Removes segments whose sizes are known, as far as they are too much or too old.
    pub(crate) fn remove_what_is_too_much(&self, now_ms: i64) {
        let mut removed = Vec::new();
        let mut state = self.state.lock();
        while goes(&state, now_ms) {
            let Some(segment) = state.segments.remove_first() else { break };
            removed.push(segment);
        }
        drop(state);
        // What could not be said to be gone stays, and goes after the next start.
        if removed.is_empty() || !self.keep_first() {
            return;
        }
        let files = &self.shared.files;
        removed.iter().for_each(|segment: &Segment| files.remove(segment.name));
        // If they are there again after a crash they are removed again.
        let _ = files.disk.sync_directory();
    }
}

/// Whether the first segment is to go.
fn goes(state: &State, now_ms: i64) -> bool {
    let retention = state.settings.retention;
    let too_much = retention.max_octets.is_some_and(|max| state.segments.octets() > max);
    let too_old =
        retention.max_age_ms.and_then(|age| too_old_at(state, age)).is_some_and(|at| at <= now_ms);
    state.segments.len() > 1 && (too_much && has_others(state) || too_old)
}

/// Whether there are messages behind the first segment: the last one is begun when the one before
/// it is full, which does not go for what it has just taken.
fn has_others(state: &State) -> bool {
    let next = state.segments.iter().nth(1);
    next.is_some_and(|next| next.name.first_offset < state.committed)
}

/// When the first segment is too old; `None` if it is the last one, or nobody knows how old it is.
fn too_old_at(state: &State, max_age_ms: u64) -> Option<i64> {
    if state.segments.len() < 2 {
        return None;
    }
    let end = state.segments.first()?.end?;
    let age = i64::try_from(max_age_ms).unwrap_or(i64::MAX);
    // A segment is removed if its last message is older than that.
    Some(end.timestamp_ms.saturating_add(age).saturating_add(1))
}
