//! Moving messages from queue to queue, as who runs the broker wants it: by hand, or dead letters
//! back to where they died.
//!
//! A message leaves its queue, enters the other, and only then the store forgets where it was: a
//! crash in between leaves it in one of them, or in both. If the other is a stream it is in one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use amq_protocol::types::AMQPValue;

use crate::base::field_value::{get, string};
use crate::base::names::QueueName;
use crate::error::Result;
use crate::insight::journal::DropReason;
use crate::limits::{MOVE_BATCH_MAX, MOVE_BYTES_MAX, MOVE_PASSED_MAX};
use crate::message::deaths::{DEATHS_HEADER, Deaths};
use crate::message::stored::Gone;
use crate::message::{Message, Parts};
use crate::persist;
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::Entry;
use crate::queue::{Enqueued, Queue};
use crate::vhost::VirtualHost;
use crate::vhost::flow::enqueue::Origin;

/// Where a message is to go.
pub(crate) struct Destination {
    /// The queue.
    pub queue: Arc<Queue>,
    /// The message as that gets it.
    pub message: Message,
}

/// What became of messages that were to be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// How many each queue got.
    pub to: BTreeMap<QueueName, usize>,
    /// How many a queue refused because it is full: they are where they were.
    pub refused: usize,
}

impl Moved {
    /// How many are elsewhere by now.
    pub(crate) fn count(&self) -> usize {
        self.to.values().sum()
    }
}

impl VirtualHost {
    /// Moves up to `max` ready messages out of a queue, of those that it has now. `choose` says of
    /// each in its order where it goes, or that it stays; those behind [`MOVE_PASSED_MAX`] that
    /// stay are not looked at. Errors: 541.
    pub(crate) fn move_messages(
        self: &Arc<Self>,
        source: &Arc<Queue>,
        max: usize,
        mut choose: impl FnMut(&Entry) -> Option<Destination>,
        effects: &mut Effects,
    ) -> Result<Moved> {
        let mut moved = Moved::default();
        let mut left = max.min(source.counts().ready);
        let mut stay = 0;
        while left > 0 && stay < MOVE_PASSED_MAX {
            let batch = self.peek_behind(source, stay, MOVE_BATCH_MAX, MOVE_BYTES_MAX)?;
            if batch.is_empty() {
                break;
            }
            let (mut chosen, mut destinations) = (Vec::new(), HashMap::new());
            for entry in batch {
                let may_go = chosen.len() < left;
                match may_go.then(|| choose(&entry)).flatten() {
                    Some(destination) => {
                        destinations.insert(entry.sequence, destination);
                        chosen.push(entry);
                    }
                    None => stay += 1,
                }
            }
            left -= chosen.len();
            let taken = source.take_out(chosen, self.now(), effects);
            let refused = self.hand_on(source, taken, destinations, &mut moved, effects);
            stay += refused.len();
            moved.refused += refused.len();
            source.put_back(refused, self.now(), effects);
            self.run_without_waking(effects);
        }
        Ok(moved)
    }

    /// Puts copies of up to `max` ready messages into another queue, of those that it has now.
    /// Errors: 541.
    pub(crate) fn copy_messages(
        self: &Arc<Self>,
        source: &Arc<Queue>,
        target: &Arc<Queue>,
        max: usize,
        means: impl Fn(&Entry) -> bool,
        effects: &mut Effects,
    ) -> Result<Moved> {
        let mut copied = Moved::default();
        let (mut left, mut seen) = (max, 0);
        let end = source.counts().ready.min(MOVE_PASSED_MAX);
        while left > 0 && seen < end {
            let size = MOVE_BATCH_MAX.min(end - seen);
            let batch = self.peek_behind(source, seen, size, MOVE_BYTES_MAX)?;
            if batch.is_empty() {
                break;
            }
            seen += batch.len();
            let meant = batch.into_iter().filter(&means).take(left);
            let mut messages: Vec<Message> = meant.map(|entry| entry.message).collect();
            left -= messages.len();
            let queues = [Arc::clone(target)];
            let mut accepted = 0;
            let note = |_, _, outcome| match outcome {
                Enqueued::Rejected => copied.refused += 1,
                _ => accepted += 1,
            };
            self.enqueue(Origin::Client, &queues, &mut messages, effects, persist::nothing, note);
            if accepted > 0 {
                *copied.to.entry(target.name().clone()).or_default() += accepted;
            }
            self.run_without_waking(effects);
        }
        Ok(copied)
    }

    /// Removes up to `max` ready messages for good, of those that a queue has now; tells how many.
    /// Errors: 541.
    pub(crate) fn drop_messages(
        self: &Arc<Self>,
        source: &Arc<Queue>,
        max: usize,
        means: impl Fn(&Entry) -> bool,
        effects: &mut Effects,
    ) -> Result<usize> {
        let mut left = max.min(source.counts().ready);
        let (mut dropped, mut stay) = (0, 0);
        while left > 0 && stay < MOVE_PASSED_MAX {
            let batch = self.peek_behind(source, stay, MOVE_BATCH_MAX, MOVE_BYTES_MAX)?;
            if batch.is_empty() {
                break;
            }
            let all = batch.len();
            let chosen: Vec<Entry> = batch.into_iter().filter(&means).take(left).collect();
            stay += all - chosen.len();
            left -= chosen.len();
            let now = self.now();
            let taken = source.take_out(chosen, now, effects);
            dropped += taken.len();
            for entry in taken {
                source.note_removed(&entry, effects);
                source.note_dropped(&entry.message, DropReason::Purged, now);
            }
            self.run_without_waking(effects);
        }
        Ok(dropped)
    }

    /// Gives messages that were taken out to their queues, in order; returns those that are
    /// refused.
    fn hand_on(
        &self,
        source: &Queue,
        taken: Vec<Entry>,
        mut destinations: HashMap<u64, Destination>,
        moved: &mut Moved,
        effects: &mut Effects,
    ) -> Vec<Entry> {
        let (id, mut refused) = (source.storage().id, Vec::new());
        let mut rest = taken.into_iter().filter_map(|entry| {
            let destination = destinations.remove(&entry.sequence)?;
            Some((entry, destination))
        });
        let mut next = rest.next();
        while let Some((entry, Destination { queue, message })) = next.take() {
            let (mut entries, mut messages) = (vec![entry], vec![message]);
            for (entry, destination) in rest.by_ref() {
                if !Arc::ptr_eq(&destination.queue, &queue) {
                    next = Some((entry, destination));
                    break;
                }
                entries.push(entry);
                messages.push(destination.message);
            }
            // A stream refuses nothing.
            let left = entries.iter().filter(|entry| entry.stored && queue.stream().is_some());
            let left: Vec<_> = left.map(|entry| Gone::one(id, entry.sequence)).collect();
            let queues = [queue];
            let mut accepted = Vec::with_capacity(entries.len());
            let note = |_, _, outcome| accepted.push(outcome != Enqueued::Rejected);
            let (now, from, stored) = (self.now(), left.as_slice().into(), persist::nothing);
            let origin = Origin::Client;
            self.enqueue_from(now, &from, origin, &queues, &mut messages, effects, stored, note);
            let [queue] = queues;
            for (entry, is_accepted) in entries.into_iter().zip(accepted) {
                if is_accepted {
                    source.note_moved(&entry, effects);
                    *moved.to.entry(queue.name().clone()).or_default() += 1;
                } else {
                    refused.push(entry);
                }
            }
        }
        refused
    }

    /// Where a dead letter goes that is to return: to the queue in which it died last, as it was
    /// published there. `None` if it never died, or that queue is gone or is this one.
    pub(crate) fn place_of_death(&self, source: &Queue, entry: &Entry) -> Option<Destination> {
        let message = &entry.message;
        let last = LastDeath::of(message)?;
        let queue = self.find_queue(&last.queue)?;
        if std::ptr::eq(&raw const *queue, source) || queue.is_deleted() {
            return None;
        }
        let deaths = message.deaths().map(|deaths| {
            let routing_keys = Arc::from(last.routing_keys.as_slice());
            let mut deaths: Deaths = deaths.clone();
            deaths.set_routing_keys(routing_keys);
            Box::new(deaths)
        });
        let parts = Parts {
            exchange: &last.exchange,
            routing_key: last.routing_keys.first()?,
            properties: message.raw_properties().0,
            expiration_ms: message.expiration_ms(),
            body: message.body_to_share(),
        };
        let message = Message::with_deaths(parts, deaths, &mut Vec::new());
        Some(Destination { queue, message })
    }
}

/// The last death of a message: as it remembers it, or else by its header `x-death`, which is all
/// that is left of it when it came from elsewhere.
struct LastDeath {
    queue: String,
    exchange: Vec<u8>,
    routing_keys: Vec<Vec<u8>>,
}

impl LastDeath {
    fn of(message: &Message) -> Option<Self> {
        if let Some(last) = message.deaths().and_then(|deaths| deaths.all().first()) {
            return Some(Self {
                queue: last.queue.to_string(),
                exchange: last.exchange.to_vec(),
                routing_keys: last.routing_keys.to_vec(),
            });
        }
        let headers = message.headers();
        let AMQPValue::FieldArray(deaths) = get(&headers, DEATHS_HEADER)? else { return None };
        let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
        let AMQPValue::FieldArray(keys) = get(last, "routing-keys")? else { return None };
        let keys = keys.as_slice().iter().filter_map(string);
        Some(Self {
            queue: string(get(last, "queue")?)?.to_owned(),
            exchange: string(get(last, "exchange")?)?.as_bytes().to_vec(),
            routing_keys: keys.map(|key| key.as_bytes().to_vec()).collect(),
        })
    }
}
