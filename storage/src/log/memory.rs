//! Messages in memory.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::key::QueueId;
use crate::log::batch::LogBatch;
use crate::log::content::{self, Target};
use crate::log::frame::Kind;
use crate::log::options::Durability;
use crate::log::store::{MessageStore, StoredMessage};
use crate::log::usage::LogUsage;
use crate::log::writer::Done;

/// Keeps messages for as long as it lives. Batches are completed at once, on a thread that submits:
/// the caller's, or one that is just calling back.
#[derive(Default)]
pub struct MemoryLog(Mutex<State>);

impl fmt::Debug for MemoryLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryLog").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    messages: BTreeMap<Target, StoredMessage>,
    /// Callbacks that are due, in order.
    due: VecDeque<Done>,
    /// A thread is calling back.
    calling: bool,
    closed: bool,
}

/// The right to call back, given back even if a callback panics.
struct Calling<'a>(&'a MemoryLog);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.0.lock().calling = false;
    }
}

impl MemoryLog {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls back what is due, unless another thread does: so they come in order, with no lock
    /// held.
    fn call_back(&self) {
        let mut state = self.0.lock();
        while !state.calling && !state.due.is_empty() {
            state.calling = true;
            drop(state);
            let calling = Calling(self);
            loop {
                let done = self.0.lock().due.pop_front();
                let Some(done) = done else { break };
                done(Ok(()));
            }
            drop(calling);
            // Some may have come after the last look.
            state = self.0.lock();
        }
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
            drop(state);
            done(Err(Error::Closed));
            return Err(Error::Closed);
        }
        apply(&mut state.messages, batch);
        state.due.push_back(done);
        drop(state);
        self.call_back();
        Ok(())
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn read(&self, target: Target) -> Result<Option<StoredMessage>> {
        Ok(self.0.lock().messages.get(&target).cloned())
    }

    fn read_many(
        &self,
        queue: QueueId,
        sequences: &[u64],
        octets_max: usize,
    ) -> Vec<Result<Option<StoredMessage>>> {
        let state = self.0.lock();
        let (mut octets, mut found) = (0, Vec::new());
        for &sequence in sequences {
            let message = state.messages.get(&Target { queue, sequence }).cloned();
            octets += message.as_ref().map_or(0, |m| m.meta.len() + m.payload.len());
            found.push(Ok(message));
            if octets >= octets_max {
                break;
            }
        }
        found
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

    /// It has no segments and takes no octets of a disk.
    fn usage(&self) -> LogUsage {
        let messages = self.0.lock().messages.len() as u64;
        LogUsage { messages, ..LogUsage::default() }
    }

    fn close(&self) -> Result<()> {
        self.0.lock().closed = true;
        Ok(())
    }
}
