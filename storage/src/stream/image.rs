//! All that a stream holds at one moment, and a new stream that holds it.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::stream::Stream;
use crate::stream::chunk::{self, Header};
use crate::stream::locate::Start;
use crate::stream::record::Draft;
use crate::stream::tracking::Tracking;

/// What a stream holds.
#[derive(Clone, Debug, Default)]
pub struct StreamImage {
    first_offset: u64,
    next_offset: u64,
    chunks: Vec<(Header, Bytes, Bytes)>,
    tracking: Tracking,
}

impl StreamImage {
    /// Number of messages.
    pub fn messages(&self) -> u64 {
        self.next_offset - self.first_offset
    }
}

impl Stream {
    /// All that is committed by now, in memory.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn image(self: &Arc<Self>) -> Result<StreamImage> {
        let state = self.state.lock();
        let (tracking, next_offset) = (state.tracking.clone(), state.committed);
        drop(state);
        let mut reader = self.reader(Start::First)?;
        let mut image = StreamImage { next_offset, tracking, ..StreamImage::default() };
        let mut first_offset = None;
        while let Some(chunk) = reader.next_chunk()? {
            if chunk.next_offset() > next_offset {
                break;
            }
            first_offset = first_offset.or(Some(chunk.first_offset()));
            // Of its own: it must not keep what was read along.
            let octets = Bytes::copy_from_slice(&chunk.octets);
            let filter = Bytes::copy_from_slice(&chunk.filter);
            image.chunks.push((chunk.header, filter, octets.slice(chunk::HEADER..)));
        }
        image.first_offset = first_offset.unwrap_or(next_offset);
        Ok(image)
    }

    /// Has a stream that was never used hold the same, with the same offsets and timestamps.
    ///
    /// # Errors
    /// [`Error::UnexpectedOffset`] if something was appended to it before.
    pub fn restore(self: &Arc<Self>, image: &StreamImage) -> Result<()> {
        let mut engine = self.engine.lock();
        let mut state = self.state.lock();
        if state.next_offset != 0 || engine.active.is_some() {
            let next = state.next_offset;
            return Err(Error::UnexpectedOffset { expected: 0, next });
        }
        let draft = |(header, filter, data): &(Header, Bytes, Bytes)| {
            let header = Header { trailer: 0, ..*header };
            Draft::new(header, filter.to_vec(), Vec::new(), data.to_vec())
        };
        engine.drafts = image.chunks.iter().map(draft).collect();
        engine.next_offset = image.first_offset;
        engine.tracking = image.tracking.clone();
        let last = image.chunks.last().map_or(i64::MIN, |(header, ..)| header.timestamp_ms);
        let octets = engine.drafts.iter().map(|draft| draft.data.len()).sum();
        state.begin_with(image.first_offset, image.next_offset, &image.tracking, last);
        state.note_drafts(engine.drafts.len());
        drop(engine);
        self.set_committed(image.first_offset);
        self.shared.note_waiting(octets);
        self.go_on(state);
        Ok(())
    }
}
