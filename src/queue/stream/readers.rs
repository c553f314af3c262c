//! The consumers of a stream: each reads for itself, as far as its window is open. Knows neither
//! the log nor the disk: what is read is handed in.

use std::sync::Arc;

use crate::base::ids::ChannelId;
use crate::base::names::ConsumerTag;
use crate::base::sequence_map::SequenceMap;
use crate::limits::{STREAM_READ_MESSAGES, STREAM_WINDOW};
use crate::queue::consumers::{ConsumerId, ConsumerSpec, Delivery, Outlet};
use crate::queue::fifo::counted::Counted;
use crate::queue::fifo::entry::Entry;
use crate::queue::stream::cursor::{Cursor, Read};
use crate::queue::stream::groups::MemberId;
use crate::queue::stream::overdue::Overdue;
use crate::queue::stream::progress::{Outcome, Progress};
use crate::queue::stream::turns::Standing;
use crate::time::clock::Timestamp;

/// A consumer of a stream.
pub(crate) struct Reader {
    pub spec: ConsumerSpec,
    pub id: ConsumerId,
    /// Where it is; somebody reads with it if it is not here.
    cursor: Option<Box<Cursor>>,
    /// Deliveries that wait for acknowledgement.
    pub unacked: u32,
    /// One of them waited for too long: its channel is told once.
    pub(super) timed_out: bool,
    /// It has read everything up to here.
    at_end: Option<u64>,
    started: bool,
    /// Its channel takes nothing at present.
    waits_for_room: bool,
    /// The name by which its offset is kept, and how far it is.
    pub(super) progress: Option<(Arc<str>, Progress)>,
    /// Whether it is its turn.
    pub(super) standing: Standing,
    /// It has to go behind what was acknowledged by its name before it gets anything.
    pub(super) seeks: bool,
}

impl Reader {
    /// The name by which its offset is kept.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.progress.as_ref().map(|(name, _)| Arc::clone(name))
    }

    /// Most deliveries that wait for acknowledgement.
    fn window(&self) -> u32 {
        match self.spec.prefetch_count {
            0 => STREAM_WINDOW,
            count => count,
        }
    }

    /// Whether it takes messages, if there are any.
    pub(super) fn is_able(&self) -> bool {
        let may_read = self.started && self.standing.reads();
        may_read && !self.waits_for_room && self.unacked < self.window()
    }

    /// How many messages it takes now.
    fn room(&self, committed: u64) -> usize {
        let is_ready = self.is_able() && self.cursor.is_some() && self.at_end != Some(committed);
        let room = self.window().saturating_sub(self.unacked);
        if is_ready { room as usize } else { 0 }
    }
}

/// A delivery that is not settled.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub consumer: ConsumerId,
    channel: ChannelId,
    offset: u64,
    /// Octets of the body.
    octets: u64,
    pub delivered_at: Timestamp,
}

/// The same, as it is told, but for its message.
pub(crate) struct Unsettled {
    pub consumer_tag: Option<ConsumerTag>,
    pub channel: ChannelId,
    pub delivered_at: Timestamp,
}

/// Somebody who is to be read for.
pub(crate) struct Turn {
    pub consumer: ConsumerId,
    pub cursor: Box<Cursor>,
    /// Messages, at most.
    pub max: usize,
    /// It has to go behind what was acknowledged by this name first.
    pub seek: Option<Arc<str>>,
}

/// The consumers of a stream.
pub(crate) struct Readers {
    slots: Vec<Option<Reader>>,
    count: usize,
    generation: u64,
    pub(super) outstanding: SequenceMap<Outstanding>,
    /// Deliveries that were ever made.
    delivered: u64,
    /// Whose turn it was last.
    turn: usize,
    /// It is held: so many messages may go out yet.
    hold: Option<usize>,
    /// How many of them take messages, if there are any.
    pub(super) able: usize,
    pub(super) counted: Counted,
    pub(super) overdue: Overdue,
    /// Who has stopped, as it had to, with the name of the group.
    pub(super) stopped: Vec<(Arc<str>, MemberId)>,
}

impl Readers {
    /// Nobody. A delivery may wait so many milliseconds for its acknowledgement.
    pub(crate) fn new(timeout_ms: u64, now: Timestamp) -> Self {
        Self {
            slots: Vec::new(),
            count: 0,
            generation: 0,
            outstanding: SequenceMap::default(),
            delivered: 0,
            turn: 0,
            hold: None,
            able: 0,
            counted: Counted::new(now),
            overdue: Overdue::new(timeout_ms),
            stopped: Vec::new(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Reader> {
        self.slots.iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Deliveries that are not settled.
    pub(crate) fn unsettled_count(&self) -> usize {
        self.outstanding.len()
    }

    /// The offsets of those of these deliveries that are not settled.
    pub(crate) fn offsets(&self, ids: &[u64]) -> Vec<u64> {
        let outstanding = ids.iter().filter_map(|id| self.outstanding.get(*id));
        outstanding.map(|outstanding| outstanding.offset).collect()
    }

    /// The same, oldest first: their offsets, and what makes them of their messages.
    pub(crate) fn unsettled(&self) -> Vec<(u64, Unsettled)> {
        let unsettled = self.outstanding.iter().map(|(_, outstanding)| {
            let reader = self.get(outstanding.consumer);
            let unsettled = Unsettled {
                consumer_tag: reader.map(|reader| reader.spec.tag.clone()),
                channel: outstanding.channel,
                delivered_at: outstanding.delivered_at,
            };
            (outstanding.offset, unsettled)
        });
        unsettled.collect()
    }

    fn get(&self, id: ConsumerId) -> Option<&Reader> {
        self.slots.get(id.slot)?.as_ref().filter(|reader| reader.id == id)
    }

    pub(super) fn get_mut(&mut self, id: ConsumerId) -> Option<&mut Reader> {
        self.slots.get_mut(id.slot)?.as_mut().filter(|reader| reader.id == id)
    }

    /// The tag of the consumer in a slot.
    pub(crate) fn tag_at(&self, slot: usize) -> Option<&ConsumerTag> {
        self.slots.get(slot)?.as_ref().map(|reader| &reader.spec.tag)
    }

    /// Registers a consumer, which gets nothing before it is resumed. Its offset is kept by a name,
    /// if it has one, which has acknowledged everything up to an offset.
    pub(crate) fn add(
        &mut self,
        spec: ConsumerSpec,
        cursor: Cursor,
        name: Option<(Arc<str>, Option<u64>)>,
        standing: Standing,
        now: Timestamp,
    ) -> ConsumerId {
        if self.len() == 0 {
            self.counted.capacity.start(now);
        }
        self.generation += 1;
        let gap = (self.count < self.slots.len())
            .then(|| self.slots.iter().position(Option::is_none))
            .flatten();
        let slot = gap.unwrap_or(self.slots.len());
        self.slots.resize_with(self.slots.len().max(slot + 1), || None);
        self.count += 1;
        let id = ConsumerId::new(slot, self.generation);
        let progress = name.map(|(name, stored)| {
            let mut progress = Progress::default();
            progress.begin(stored);
            (name, progress)
        });
        let reader = Reader {
            spec,
            id,
            cursor: Some(Box::new(cursor)),
            unacked: 0,
            timed_out: false,
            at_end: None,
            started: false,
            waits_for_room: false,
            progress,
            standing,
            seeks: false,
        };
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(reader);
        }
        self.count_use(now);
        id
    }

    /// Removes a consumer. Its deliveries stay with its channel.
    pub(crate) fn remove(&mut self, id: ConsumerId, now: Timestamp) -> Option<Reader> {
        self.get_mut(id)?;
        let reader = self.slots.get_mut(id.slot)?.take()?;
        self.count -= 1;
        self.able -= usize::from(reader.is_able());
        self.count_use(now);
        Some(reader)
    }

    /// A consumer has room again, or starts.
    pub(crate) fn resume(&mut self, id: ConsumerId, now: Timestamp) {
        if let Some(reader) = self.get_mut(id) {
            let was_able = reader.is_able();
            (reader.started, reader.waits_for_room) = (true, false);
            let is_able = reader.is_able();
            self.note_able(was_able, is_able);
        }
        self.count_use(now);
    }

    pub(super) fn note_able(&mut self, was_able: bool, is_able: bool) {
        self.able = self.able + usize::from(is_able) - usize::from(was_able);
    }

    /// Holds everybody, or lets them go on.
    pub(crate) fn set_held(&mut self, held: bool) {
        self.hold = held.then_some(0);
    }

    /// Whether everybody is held.
    pub(crate) fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// Lets so many messages more go out; false if it is not held.
    pub(crate) fn release(&mut self, count: usize) -> bool {
        match &mut self.hold {
            Some(left) => {
                *left = left.saturating_add(count);
                true
            }
            None => false,
        }
    }

    /// Takes somebody out who takes messages, after whoever it was last, of a stream that is
    /// committed up to an offset.
    pub(crate) fn next_turn(&mut self, committed: u64) -> Option<Turn> {
        let held = self.hold.unwrap_or(usize::MAX);
        if held == 0 {
            return None;
        }
        let count = self.slots.len();
        let place = |step: usize| (self.turn + step) % count.max(1);
        let ready = |at: &usize| {
            let reader = self.slots.get(*at).and_then(Option::as_ref);
            reader.is_some_and(|reader| reader.room(committed) > 0)
        };
        let at = (1..=count).map(place).find(ready)?;
        self.turn = at;
        let reader = self.slots.get_mut(at)?.as_mut()?;
        let max = reader.room(committed).min(STREAM_READ_MESSAGES).min(held);
        let cursor = reader.cursor.take()?;
        let seek = std::mem::take(&mut reader.seeks).then(|| reader.name()).flatten();
        Some(Turn { consumer: reader.id, cursor, max, seek })
    }

    /// Takes back a cursor with what was read by it, of a stream that was committed up to an offset
    /// before. What the consumer takes is in `deliveries`.
    pub(crate) fn hand_over(
        &mut self,
        turn: Turn,
        read: Vec<Read>,
        committed: u64,
        now: Timestamp,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<Arc<dyn Outlet>> {
        let Turn { consumer, mut cursor, max, .. } = turn;
        let hold = self.hold;
        let (mut delivered, mut next) = (self.delivered, Vec::new());
        let reader = self.get_mut(consumer)?;
        reader.at_end = read.is_empty().then_some(committed);
        let room = (reader.window().saturating_sub(reader.unacked) as usize).min(max);
        // It may have had to stop meanwhile.
        let may_read = reader.standing.reads() && !reader.seeks;
        let room = if may_read { room.min(hold.unwrap_or(usize::MAX)) } else { 0 };
        let was_able = reader.is_able();
        let (mut taken, mut after) = (0, None);
        for read in read.into_iter().take(room) {
            if !reader.spec.outlet.reserve(false) {
                reader.waits_for_room = true;
                break;
            }
            after = Some(read.after);
            taken += 1;
            delivered += 1;
            reader.unacked += 1;
            if let Some((_, progress)) = &mut reader.progress {
                progress.delivered(read.offset);
            }
            next.push(Outstanding {
                consumer,
                channel: reader.spec.channel,
                offset: read.offset,
                octets: read.message.body_len() as u64,
                delivered_at: now,
            });
            deliveries.push(Delivery {
                slot: consumer.slot,
                source: reader.spec.source,
                id: delivered,
                entry: entry(read),
            });
        }
        if let Some(after) = after {
            cursor.advance(after);
        }
        reader.cursor = Some(cursor);
        let is_able = reader.is_able();
        let (outlet, timeout_ms) = (Arc::clone(&reader.spec.outlet), reader.spec.timeout_ms);
        self.note_able(was_able, is_able);
        self.hold = hold.map(|left| left.saturating_sub(taken));
        if taken > 0 {
            self.overdue.note_delivery(timeout_ms, now);
        }
        for outstanding in next {
            self.delivered += 1;
            self.counted.totals.deliver += 1;
            self.counted.unacked.all.add(1, outstanding.octets);
            self.outstanding.push(self.delivered, outstanding);
        }
        self.count_use(now);
        Some(outlet)
    }

    /// Deliveries are settled, which opens windows. Tells how far consumers with names are now.
    pub(crate) fn settle(
        &mut self,
        ids: impl IntoIterator<Item = u64>,
        outcome: Option<Outcome>,
        is_ack: bool,
        now: Timestamp,
    ) -> Vec<(Arc<str>, u64)> {
        let mut moved: Vec<ConsumerId> = Vec::new();
        for id in ids {
            let Some(outstanding) = self.outstanding.remove(id) else { continue };
            let Outstanding { consumer, offset, octets, .. } = outstanding;
            self.counted.unacked.all.remove(1, octets);
            self.counted.totals.ack += u64::from(is_ack);
            let Some(reader) = self.get_mut(consumer) else { continue };
            let was_able = reader.is_able();
            reader.unacked = reader.unacked.saturating_sub(1);
            let is_able = reader.is_able();
            if let (Some((_, progress)), Some(outcome)) = (&mut reader.progress, outcome) {
                progress.settled(offset, outcome);
                if moved.last() != Some(&consumer) {
                    moved.push(consumer);
                }
            }
            self.note_able(was_able, is_able);
            self.note_stopped(consumer);
        }
        self.count_use(now);
        let news = moved.into_iter().filter_map(|consumer| {
            let (name, progress) = self.get_mut(consumer)?.progress.as_mut()?;
            Some((Arc::clone(name), progress.news()?))
        });
        news.collect()
    }
}

/// A message of a stream as consumers get it: it never counts as delivered before.
pub(crate) fn entry(read: Read) -> Entry {
    Entry {
        message: read.message,
        sequence: read.offset,
        expires_at: Timestamp::NEVER,
        delivery_count: 0,
        failures: 0,
        redelivered: false,
        stored: false,
    }
}
