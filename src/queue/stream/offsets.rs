//! Offsets by a name that somebody sets, and waits until that is durable.

use std::sync::mpsc;

use leveret_storage::{Done, Error as LogError};

use crate::base::blocking::pause_here;
use crate::error::{Error, Precondition, Result};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::queue::stream::StreamQueue;

/// Errors: 406 for a name that is empty or too long.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > STREAM_NAME_BYTES_MAX {
        let (octets, max) = (name.len(), STREAM_NAME_BYTES_MAX);
        return Err(Precondition::OffsetName { octets, max }.into());
    }
    Ok(())
}

impl StreamQueue {
    /// Keeps an offset by a name, whatever was kept before, or forgets it. Waits until that is
    /// durable. Errors: 320 if the broker is closed, 406 for the name, 541.
    pub(crate) fn set_offset(&self, name: &str, offset: Option<u64>) -> Result<()> {
        check_name(name)?;
        durably(|done| match offset {
            Some(offset) => self.log.store_offset(name, offset, Some(done)),
            None => self.log.forget_offset(name, Some(done)),
        })
    }
}

/// Waits until something is committed.
fn durably(change: impl FnOnce(Done) -> leveret_storage::Result<()>) -> Result<()> {
    let (sender, committed) = mpsc::sync_channel(1);
    let changed = change(Box::new(move |result| drop(sender.send(result))));
    let changed =
        changed.and_then(|()| pause_here(|| committed.recv()).unwrap_or(Err(LogError::Closed)));
    changed.map_err(|error| match error {
        LogError::Closed => Error::BrokerClosed,
        error => Error::Storage(error.to_string()),
    })
}
