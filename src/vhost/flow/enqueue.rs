//! Messages enter queues: what has to survive is stored first, then each queue takes its part.

use std::sync::Arc;

use leveret_storage::Done;

use crate::message::Message;
use crate::persist::{Persistence, Places};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::{Arrival, Enqueued, Queue};
use crate::time::clock::Timestamp;
use crate::vhost::VirtualHost;

/// Who sends messages to queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client, which hears whether they were taken; or a queue that keeps its dead letters until
    /// they are.
    Client,
    /// The broker, which asks nobody: dead letters, and what exchanges have kept.
    Broker,
}

impl VirtualHost {
    /// The store, if there is one.
    pub fn persistence(&self) -> Option<&Arc<Persistence>> {
        self.shared.persistence.as_ref()
    }

    /// Puts messages into each of these queues, in order. `outcome` is called for each queue and
    /// message, with their places in the lists. Only if something has to be stored `stored` is
    /// asked for what is to be called back. Tells at what time they came.
    pub(crate) fn enqueue(
        &self,
        origin: Origin,
        queues: &[Arc<Queue>],
        messages: &mut Vec<Message>,
        effects: &mut Effects,
        stored: impl FnOnce() -> Done,
        mut outcome: impl FnMut(usize, usize, Enqueued),
    ) -> Timestamp {
        let now = self.now();
        let firsts: Places = queues.iter().map(|queue| queue.reserve(messages.len())).collect();
        let is_stored = self
            .persistence()
            .is_some_and(|store| store.store(queues, &firsts, messages, now, stored));
        for (at, (queue, first)) in queues.iter().zip(firsts).enumerate() {
            let arrival = |(sequence, message)| Arrival {
                sequence,
                is_forced: origin == Origin::Broker,
                stored: is_stored && queue.must_store(&message),
                message,
            };
            let mut place = 0;
            let outcome = |enqueued| {
                outcome(at, place, enqueued);
                place += 1;
            };
            if at + 1 == queues.len() {
                let arrivals = (first..).zip(messages.drain(..)).map(arrival);
                queue.enqueue(arrivals, now, effects, outcome);
            } else {
                let arrivals = (first..).zip(messages.iter().cloned()).map(arrival);
                queue.enqueue(arrivals, now, effects, outcome);
            }
        }
        messages.clear();
        now
    }

    /// Messages come back to their queue as if they were new: they get new numbers, under which
    /// those are stored again that were stored.
    pub(crate) fn enqueue_anew(
        &self,
        queue: &Arc<Queue>,
        mut entries: Vec<Entry>,
        effects: &mut Effects,
    ) {
        let id = queue.storage().id;
        let mut to_store = Vec::new();
        let first = queue.reserve(entries.len());
        for (entry, sequence) in entries.iter_mut().zip(first..) {
            if entry.stored {
                effects.note_moved(id, entry.sequence);
                to_store.push((sequence, entry.message.clone(), entry.expires_at));
            }
            entry.sequence = sequence;
        }
        if let Some(store) = self.persistence().filter(|_| !to_store.is_empty()) {
            store.put(id, &to_store, false);
        }
        queue.append(entries, self.now(), effects);
    }
}
