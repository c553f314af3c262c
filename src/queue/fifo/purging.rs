//! Purging `[amqp 0-9-1 queue.purge]`: the ready messages leave at once, however many they are, and
//! are dropped some at a time, so that nobody waits for the queue meanwhile.

use std::sync::Arc;

use crate::base::blocking::pause_if_long;
use crate::error::Result;
use crate::limits::STEP;
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::fifo::ready::Ready;
use crate::queue::fifo::state::State;
use crate::time::clock::Timestamp;

impl State {
    /// Takes all ready messages out. What they occupy is counted until they are
    /// [forgotten](Self::forget_some).
    pub(super) fn purge(&mut self, now: Timestamp, effects: &mut Effects) -> Ready {
        self.expire(now, effects);
        let purged = self.ready.take();
        self.counted.totals.purged += purged.len() as u64;
        purged
    }

    /// Some that were purged are to be dropped; none if all that were in memory have been.
    pub(super) fn forget_some(
        &mut self,
        purged: &mut Ready,
        max: usize,
        effects: &mut Effects,
    ) -> Vec<Entry> {
        let some = purged.drain(max);
        for entry in &some {
            self.footprint -= entry.message.footprint();
            self.note_gone(entry, effects);
            if let Some(duplicates) = &mut self.duplicates {
                duplicates.forget(&entry.message);
            }
        }
        some
    }
}

impl Queue {
    /// Drops all ready messages; tells how many. Errors: 540 for streams.
    pub fn purge(self: &Arc<Self>, now: Timestamp, effects: &mut Effects) -> Result<usize> {
        self.refuse_if_stream("queue.purge")?;
        let mut purged = self.apply(now, effects, |state, effects| {
            self.note_purge(state, now);
            state.purge(now, effects)
        });
        let count = purged.len();
        pause_if_long(count, || while self.drop_some(&mut purged, effects) {});
        effects.gone.extend(purged.stored(self.storage.id));
        Ok(count)
    }

    /// Drops some messages that were purged; tells whether there were any.
    fn drop_some(&self, purged: &mut Ready, effects: &mut Effects) -> bool {
        let mut state = self.state.lock();
        let some = state.forget_some(purged, STEP, effects);
        effects.footprint += state.take_growth();
        drop(state);
        !some.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Message, Parts};
    use crate::queue::QueueStorage;
    use crate::queue::arguments::QueueArguments;
    use crate::queue::fifo::state::{Arrival, Room};

    #[test]
    fn a_purged_queue_is_empty_at_once_and_gives_its_memory_back_in_steps() {
        let (now, mut effects) = (Timestamp::from_millis(0), Effects::default());
        let mut state = State::new(&QueueArguments::default(), QueueStorage::default(), now);
        let enqueue = |state: &mut State, sequence: u64| {
            let parts = Parts {
                exchange: b"",
                routing_key: b"q",
                properties: &[0, 0],
                expiration_ms: None,
                body: Body::Borrowed(b"body"),
            };
            let message = Message::new(parts, &mut Vec::new());
            let arrival = Arrival { message, sequence, stored: false, room: Room::Refused };
            state.enqueue(arrival, now, &mut Effects::default());
        };
        let count = 5 * STEP as u64 / 2;
        enqueue(&mut state, 0);
        let each = state.footprint();
        (1..count).for_each(|sequence| enqueue(&mut state, sequence));
        let mut purged = state.purge(now, &mut effects);
        assert_eq!((purged.len() as u64, state.counts().ready), (count, 0));
        assert_eq!(state.footprint(), each * count as usize, "nothing is dropped yet");
        enqueue(&mut state, count);
        let mut steps = Vec::new();
        while let some @ 1.. = state.forget_some(&mut purged, STEP, &mut effects).len() {
            steps.push(some);
        }
        assert_eq!(steps, [STEP, STEP, STEP / 2]);
        assert_eq!((state.footprint(), state.counts().ready), (each, 1), "what came meanwhile");
    }
}
