//! What a log does for those who use it.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::batch::LogBatch;
use crate::log::content::Target;
use crate::log::options::Durability;
use crate::log::usage::LogUsage;
use crate::log::writer::Done;

/// A message as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// What was stored beside it.
    pub meta: Bytes,
    /// Its payload.
    pub payload: Bytes,
}

/// Keeps messages. One broker at a time uses it, from any number of threads.
pub trait MessageStore: Send + Sync {
    /// Hands in a batch; never waits for the disk. The batch is applied all or none, after every
    /// batch whose `submit` returned before; `done` is called, in that same order, once it is as
    /// durable as [`MessageStore::durability`] says. While the disk fails `done` is not called:
    /// the batch is tried again until it is there or the store is closed.
    ///
    /// A batch without records is a barrier: its `done` is called once everything submitted
    /// before is completed. Nothing is written for it.
    ///
    /// # Errors
    /// [`Error::Closed`], as `done` is told, too.
    fn submit(&self, batch: LogBatch, done: Done) -> Result<()>;

    /// Whether more octets wait for the disk than
    /// [`LogOptions::backlog_octets`](crate::LogOptions::backlog_octets): whoever can should hold
    /// back.
    fn is_behind(&self) -> bool;

    /// A message that is live in a queue; none if it is settled or was never completed.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not what was written, [`Error::Io`] if the disk fails.
    fn read(&self, target: Target) -> Result<Option<StoredMessage>>;

    /// Messages of a queue by their sequences, which ascend: one result for each, in order, as
    /// [`MessageStore::read`] would give it. Ends early once `octets_max` octets of records were
    /// read, but gives at least one result. What lies together is read together.
    fn read_many(
        &self,
        queue: QueueId,
        sequences: &[u64],
        octets_max: usize,
    ) -> Vec<Result<Option<StoredMessage>>>;

    /// Up to `max` sequences of live messages of a queue, from this one on, in order.
    fn sequences(&self, queue: QueueId, from: u64, max: usize) -> Vec<u64>;

    /// What the completion of a batch promises.
    fn durability(&self) -> Durability;

    /// Why batches are not completed at present: the disk's failure, while it lasts.
    fn failure(&self) -> Option<String>;

    /// How much there is.
    fn usage(&self) -> LogUsage;

    /// Completes what was submitted and marks the store as closed in order. Later calls do
    /// nothing.
    ///
    /// # Errors
    /// If the disk fails; what could not be written is completed with [`Error::Failed`].
    fn close(&self) -> Result<()>;
}

/// Submits a batch and waits until it is completed.
///
/// # Errors
/// [`Error::Closed`], and [`Error::Failed`] if the store was closed while the disk failed.
pub fn commit(store: &dyn MessageStore, batch: LogBatch) -> Result<()> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let done = Box::new(move |result| {
        // The receiver is gone only if its thread is.
        let _ = sender.send(result);
    });
    store.submit(batch, done)?;
    receiver.recv().map_err(|_| Error::Closed)?
}
