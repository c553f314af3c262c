//! Gates: what is appended behind one has its place at once, and is written once the gate is open.
//!
//! So a message can be stored elsewhere with the offset that it has got here, before it is here.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::log::Done;
use crate::stream::batch::StreamBatch;
use crate::stream::state::Appended;
use crate::stream::stream::Stream;

/// Keeps what was appended [behind it](Stream::append_gated), and all that was appended later, from
/// being written and committed. If it is dropped without having been opened that never is: the
/// stream takes nothing more, and who waits for what is behind the gate is told that it has failed.
#[must_use = "what is behind a gate that is dropped is lost"]
pub struct Gate {
    /// With its number; none if there is nothing to be written.
    stream: Option<(Arc<Stream>, u64)>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    pub(crate) fn new(stream: &Arc<Stream>, number: Option<u64>) -> Self {
        Self { stream: number.map(|number| (Arc::clone(stream), number)) }
    }

    /// Has written what is behind it, unless another one is closed. This does not wait for the
    /// disk.
    pub fn open(mut self) {
        if let Some((stream, number)) = self.stream.take() {
            stream.open_gate(number);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some((stream, number)) = self.stream.take() {
            stream.lose_gate(number);
        }
    }
}

impl Stream {
    /// Appends entries as [`Stream::append`] does, behind a gate: neither they nor what is appended
    /// later is written before that is [opened](Gate::open).
    ///
    /// # Errors
    /// Those of [`Stream::append`].
    pub fn append_gated(
        self: &Arc<Self>,
        batch: &StreamBatch,
        now_ms: i64,
        done: Done,
    ) -> Result<(Appended, Gate)> {
        let (appended, number) = self.append_with(batch, now_ms, done, true)?;
        Ok((appended, Gate::new(self, number)))
    }

    /// Opens a gate, and has written what it kept back.
    pub(crate) fn open_gate(self: &Arc<Self>, number: u64) {
        let mut state = self.state.lock();
        state.open_gate(number);
        self.go_on(state);
    }

    /// A gate is never opened.
    pub(crate) fn lose_gate(&self, number: u64) {
        self.state.lock().lose_gate(number);
        self.call_back();
    }
}
