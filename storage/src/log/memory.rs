//! Messages in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::batch::LogBatch;
use crate::log::content::{self, Target};
use crate::log::frame::Kind;
use crate::log::options::Durability;
use crate::log::store::{MessageStore, StoredMessage};
use crate::log::writer::Done;

/// Keeps messages for as long as it lives. Batches are completed at once, on the caller's thread.
#[derive(Debug, Default)]
pub struct MemoryLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    messages: BTreeMap<Target, StoredMessage>,
    closed: bool,
}

impl MemoryLog {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

fn apply(messages: &mut BTreeMap<Target, StoredMessage>, mut batch: LogBatch) {
    batch.stamp(0, 0, 0);
    for (at, header, head) in batch.records(0) {
        match header.kind {
            Kind::Message => {
                let Some((targets, meta)) = content::targets_and_meta(head) else { continue };
                let payload = batch.body_at(at, &header).unwrap_or_default();
                let message = StoredMessage {
                    meta: Bytes::copy_from_slice(meta),
                    payload: Bytes::copy_from_slice(payload),
                };
                messages.extend(targets.map(|target| (target, message.clone())));
            }
            Kind::Settled => {
                for range in content::ranges(head).into_iter().flatten() {
                    let first = Target { queue: range.queue, sequence: range.first };
                    let last = Target { queue: range.queue, sequence: range.last };
                    if first <= last {
                        let gone: Vec<_> = messages.range(first..=last).map(|(t, _)| *t).collect();
                        gone.iter().for_each(|target| {
                            messages.remove(target);
                        });
                    }
                }
            }
            Kind::CleanStop => {}
        }
    }
}

impl MessageStore for MemoryLog {
    fn submit(&self, batch: LogBatch, done: Done) -> Result<()> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        apply(&mut state.messages, batch);
        // Called under the lock, so that completions come in order.
        done(Ok(()));
        Ok(())
    }

    fn would_block(&self) -> bool {
        false
    }

    fn read(&self, target: Target) -> Result<Option<StoredMessage>> {
        Ok(self.0.lock().messages.get(&target).cloned())
    }

    fn sequences(&self, queue: QueueId, from: u64, max: usize) -> Vec<u64> {
        let (first, last) = (from, u64::MAX);
        let range = Target { queue, sequence: first }..=Target { queue, sequence: last };
        self.0.lock().messages.range(range).map(|(t, _)| t.sequence).take(max).collect()
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn failure(&self) -> Option<String> {
        None
    }

    fn close(&self) -> Result<()> {
        self.0.lock().closed = true;
        Ok(())
    }
}
