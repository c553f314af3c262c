//! What a stream keeps by name: offsets of consumers, and how far publishers are.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::log::Done;
use crate::stream::Stream;
use crate::stream::tracking::Name;

impl Stream {
    /// Keeps an offset by a name: the last call wins. With `done` it is made as durable as a
    /// message, and `done` is called then; else within
    /// [a while](crate::StreamOptions::wait_at_most).
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a name over 255 octets, [`Error::Closed`]; `done` is not called.
    pub fn store_offset(
        self: &Arc<Self>,
        name: &str,
        offset: u64,
        done: Option<Done>,
    ) -> Result<()> {
        self.change(name, Some(offset), done)
    }

    /// Forgets the offset of a name.
    ///
    /// # Errors
    /// Those of [`Stream::store_offset`].
    pub fn forget_offset(self: &Arc<Self>, name: &str, done: Option<Done>) -> Result<()> {
        self.change(name, None, done)
    }

    fn change(self: &Arc<Self>, name: &str, offset: Option<u64>, done: Option<Done>) -> Result<()> {
        let name = Name::new(name)?;
        let mut state = self.state.lock();
        if state.closed || state.deleted {
            return Err(Error::Closed);
        }
        state.change(name, offset, done.is_some());
        match done {
            Some(done) => {
                state.wait(done);
                self.go_on(state);
            }
            None if self.shared.is_in_memory() => self.go_on(state),
            None => {
                let queued = state.queued || std::mem::replace(&mut state.queued_lazily, true);
                drop(state);
                if !queued {
                    self.shared.enqueue_lazily(Arc::clone(self));
                }
            }
        }
        Ok(())
    }

    /// The offset that is kept by a name.
    pub fn stored_offset(&self, name: &str) -> Option<u64> {
        self.state.lock().tracking.offset(&Name::new(name).ok()?)
    }

    /// All offsets that are kept by a name, in the order of names.
    pub fn stored_offsets(&self) -> Vec<(String, u64)> {
        let state = self.state.lock();
        let offsets = state.tracking.offsets();
        offsets.map(|(name, offset)| (name.as_str().to_owned(), offset)).collect()
    }

    /// The highest publishing ids of all publishers that have a name, in the order of names.
    pub fn publisher_sequences(&self) -> Vec<(String, u64)> {
        let state = self.state.lock();
        let sequences = state.tracking.publishing_ids();
        sequences.map(|(name, id)| (name.as_str().to_owned(), id)).collect()
    }

    /// The highest publishing id of a publisher, of messages that may not be committed yet.
    pub fn publisher_sequence(&self, reference: &str) -> Option<u64> {
        self.state.lock().tracking.publishing_id(&Name::new(reference).ok()?)
    }
}
