//! Messages enter queues: what has to survive is stored first, then each queue takes its part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use leveret_storage::{Done, Error, Gate};
use smallvec::SmallVec;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::message::Message;
use crate::message::stored::Gone;
use crate::persist::{self, Moved, Persistence, Place, Places};
use crate::queue::aside::{Lot, publish_at};
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::{Arrival, Enqueued, Queue, Room};
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
    /// A queue that keeps its dead letters, to those which have promised room.
    Promised,
    /// The same, to those which have not: they refuse what they get, and it is not stored for them.
    Denied,
}

impl Origin {
    fn room(self) -> Room {
        match self {
            Self::Client => Room::Refused,
            Self::Broker => Room::Forced,
            Self::Promised => Room::Promised,
            Self::Denied => Room::Denied,
        }
    }
}

impl VirtualHost {
    /// The store, if there is one.
    pub(crate) fn persistence(&self) -> Option<&Arc<Persistence>> {
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
        outcome: impl FnMut(usize, usize, Enqueued),
    ) -> Timestamp {
        let now = self.now();
        self.enqueue_from(
            now,
            &Moved::default(),
            origin,
            queues,
            messages,
            effects,
            stored,
            outcome,
        );
        now
    }

    /// The same with messages that come `now` and have been in the store elsewhere: what is stored
    /// of them is not there any more from the same moment on. The caller notes all the same that
    /// they are moved, for what is not stored. Tells whether something was.
    #[expect(clippy::too_many_arguments, reason = "it is the way of every message")]
    pub(crate) fn enqueue_from(
        &self,
        now: Timestamp,
        moved: &Moved<'_>,
        origin: Origin,
        queues: &[Arc<Queue>],
        messages: &mut Vec<Message>,
        effects: &mut Effects,
        stored: impl FnOnce() -> Done,
        mut outcome: impl FnMut(usize, usize, Enqueued),
    ) -> bool {
        let mut together = Together::new(self.persistence().is_some(), stored);
        let place =
            |queue: &Arc<Queue>| Place { first: queue.reserve(messages.len()), offset: None };
        let mut places: Places = queues.iter().map(place).collect();
        let store = self.persistence().filter(|_| origin != Origin::Denied);
        let is_in_log = store.is_some_and(|store| {
            let mut gates = Gates::new();
            if !moved.left.is_empty() {
                let part = || together.part(queues);
                gates = append_gated(store, queues, &mut places, messages, now, effects, part);
            }
            let gates = &mut gates;
            let stored = store.store(queues, &places, messages, moved, now, || {
                opening(std::mem::take(gates), together.part(queues))
            });
            std::mem::take(gates).into_iter().for_each(Gate::open);
            stored
        });
        for (at, (queue, &Place { first, offset })) in queues.iter().zip(&places).enumerate() {
            if let Some(stream) = queue.stream() {
                if offset.is_none() {
                    let done = together.part(queues);
                    queue.append_to_log(stream, messages, now, effects, done);
                }
                (0..messages.len()).for_each(|place| outcome(at, place, Enqueued::Accepted));
                continue;
            }
            let arrival = |(sequence, message)| Arrival {
                sequence,
                room: origin.room(),
                stored: is_in_log && queue.must_store(&message),
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
        is_in_log
    }

    /// Puts what was set [aside](crate::queue::aside) into its queues, one after the other; what
    /// has to be stored of it is handed to the store before. What queues refuse is noted there.
    pub(crate) fn enqueue_aside(self: &Arc<Self>, effects: &mut Effects) {
        self.hand_to_store(effects);
        let now = self.now();
        let mut aside = std::mem::take(&mut effects.aside);
        if let Some(store) = self.persistence() {
            store.store_aside(&mut aside, now);
        }
        aside.drain(|queue, lot, refused| {
            let Lot { messages, parts, first, .. } = lot;
            if let Some(message) = messages.take_only() {
                match queue.hand_directly(message, now, now, &mut effects.wakeups) {
                    Ok(left) => return effects.add_left(queue, left),
                    Err(message) => messages.push(message),
                }
            }
            let messages = messages.messages();
            let (room, is_numbered) = (Origin::Client.room(), first.is_some());
            let arrival = |(sequence, message)| {
                let stored = is_numbered && queue.must_store(&message);
                Arrival { message, sequence, stored, room }
            };
            let first = first.unwrap_or_else(|| queue.reserve(messages.len()));
            let mut place = 0;
            let note = |outcome| {
                if outcome == Enqueued::Rejected {
                    refused.extend(publish_at(parts, place));
                }
                place += 1;
            };
            let arrivals = (first..).zip(messages.drain(..)).map(arrival);
            queue.enqueue(arrivals, now, effects, note);
            self.run_uncounted(effects);
        });
        aside.enqueued_at = Some(now);
        effects.aside = aside;
        self.run_uncounted(effects);
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
        let (mut to_store, mut moved) = (Vec::new(), Vec::new());
        let first = queue.reserve(entries.len());
        for (entry, sequence) in entries.iter_mut().zip(first..) {
            if entry.stored {
                effects.note_moved(id, entry.sequence);
                moved.push(Gone { queue: id, first: entry.sequence, last: entry.sequence });
                to_store.push((sequence, entry.message.clone(), entry.expires_at));
            }
            entry.sequence = sequence;
        }
        if let Some(store) = self.persistence().filter(|_| !to_store.is_empty()) {
            store.put(id, &to_store, &moved, false);
        }
        queue.append(entries, self.now(), effects);
    }
}

/// Gates of streams.
type Gates = SmallVec<[Gate; 1]>;

/// Appends messages, which were stored elsewhere, to the streams among these queues, each behind a
/// gate, and notes their offsets. A stream has a log of its own: so they are stored under these
/// offsets with the write that settles them where they were, before the stream has them, and until
/// it has them. `part` says what else is to be called back when a stream has them.
fn append_gated(
    store: &Persistence,
    queues: &[Arc<Queue>],
    places: &mut Places,
    messages: &[Message],
    now: Timestamp,
    effects: &mut Effects,
    mut part: impl FnMut() -> Done,
) -> Gates {
    let mut gates = Gates::new();
    for (queue, place) in queues.iter().zip(places) {
        let Some(stream) = queue.stream().filter(|_| queue.is_recorded()) else { continue };
        let (first, count) = (place.first, messages.len() as u64);
        let staged = Gone { queue: queue.storage().id, first, last: first + count - 1 };
        let done = store.unstage(staged, part());
        if let Some((offset, gate)) = queue.append_gated(stream, messages, now, effects, done) {
            place.offset = Some(offset);
            gates.push(gate);
        }
    }
    gates
}

/// Opens gates when it is called back, and calls `done` back.
fn opening(gates: Gates, done: Done) -> Done {
    if gates.is_empty() {
        return done;
    }
    Box::new(move |result| {
        if result.is_ok() {
            gates.into_iter().for_each(Gate::open);
        }
        done(result);
    })
}

/// What is to be called back once everything is stored, in the log of messages and in those of
/// streams.
struct Together<F> {
    /// Logs in memory have everything at once.
    waits: bool,
    stored: Option<F>,
    shared: Option<Arc<Parts>>,
}

struct Parts {
    /// Parts that are not there yet, and one while more may be added.
    left: AtomicUsize,
    failed: AtomicBool,
    done: Mutex<Option<Done>, rank::Stored>,
}

impl Parts {
    fn settle(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let done = self.done.lock().take();
        if let Some(done) = done {
            done(if self.failed.load(Ordering::Acquire) { Err(Error::Failed) } else { Ok(()) });
        }
    }
}

impl<F: FnOnce() -> Done> Together<F> {
    fn new(waits: bool, stored: F) -> Self {
        Self { waits, stored: Some(stored), shared: None }
    }

    /// What is called back when one more log has it. If none of the queues is a stream there is
    /// only one.
    fn part(&mut self, queues: &[Arc<Queue>]) -> Done {
        if !self.waits {
            return persist::nothing();
        }
        if let Some(stored) = self.stored.take() {
            let done = stored();
            if !queues.iter().any(|queue| queue.stream().is_some()) {
                return done;
            }
            let (left, failed) = (AtomicUsize::new(1), AtomicBool::new(false));
            self.shared = Some(Arc::new(Parts { left, failed, done: Mutex::new(Some(done)) }));
        }
        let Some(parts) = &self.shared else { return persist::nothing() };
        parts.left.fetch_add(1, Ordering::AcqRel);
        let parts = Arc::clone(parts);
        Box::new(move |result| {
            parts.failed.fetch_or(result.is_err(), Ordering::AcqRel);
            parts.settle();
        })
    }
}

impl<F> Drop for Together<F> {
    /// No more parts are added.
    fn drop(&mut self) {
        if let Some(parts) = &self.shared {
            parts.settle();
        }
    }
}
