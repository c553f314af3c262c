//! The consumers of a stream: each reads for itself, as far as its window is open. Knows neither
//! the log nor the disk: what is read is handed in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::base::ids::ChannelId;
use crate::base::names::ConsumerTag;
use crate::base::sequence_map::SequenceMap;
use crate::limits::STREAM_WINDOW;
use crate::queue::consumers::{ConsumerId, ConsumerSpec};
use crate::queue::fifo::counted::Counted;
use crate::queue::stream::cursor::Cursor;
use crate::queue::stream::groups::MemberId;
use crate::queue::stream::line::{Line, Stand};
use crate::queue::stream::overdue::Overdue;
use crate::queue::stream::progress::{Outcome, Progress};
use crate::queue::stream::turns::Standing;
use crate::time::clock::Timestamp;

/// A consumer of a stream.
pub(crate) struct Reader {
    pub spec: ConsumerSpec,
    pub id: ConsumerId,
    /// Where it is; somebody reads with it if it is not here.
    pub(super) cursor: Option<Box<Cursor>>,
    /// Deliveries that wait for acknowledgement.
    pub unacked: u32,
    /// One of them waited for too long: its channel is told once.
    pub(super) timed_out: bool,
    /// It has read everything up to here.
    pub(super) at_end: Option<u64>,
    started: bool,
    /// Its channel takes nothing at present.
    pub(super) waits_for_room: bool,
    /// The name by which its offset is kept, and how far it is.
    pub(super) progress: Option<(Arc<str>, Progress)>,
    /// Whether it is its turn.
    pub(super) standing: Standing,
    /// It has to go behind what was acknowledged by its name before it gets anything.
    pub(super) seeks: bool,
    /// It counts as one that takes messages, if there are any.
    counts_as_able: bool,
    /// Where it stands in line for its turn, if it does.
    stand: Option<Stand>,
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

    /// How many messages its window lets through.
    pub(super) fn room(&self) -> usize {
        self.window().saturating_sub(self.unacked) as usize
    }

    /// It goes on somewhere else, once it is its turn.
    pub(super) fn goes_elsewhere(&mut self) {
        (self.seeks, self.at_end) = (true, None);
    }
}

/// A delivery that is not settled.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub consumer: ConsumerId,
    pub channel: ChannelId,
    pub offset: u64,
    /// Octets of the body.
    pub octets: u64,
    pub delivered_at: Timestamp,
}

/// The same, as it is told, but for its message.
pub(crate) struct Unsettled {
    pub consumer_tag: Option<ConsumerTag>,
    pub channel: ChannelId,
    pub delivered_at: Timestamp,
}

/// The consumers of a stream.
///
/// No step takes longer because there are many, but those that are about all of them.
pub(crate) struct Readers {
    pub(super) slots: Vec<Option<Reader>>,
    /// Slots that nobody has, the first one on top.
    free: BinaryHeap<Reverse<usize>>,
    count: usize,
    generation: u64,
    pub(super) outstanding: SequenceMap<Outstanding>,
    /// Deliveries that were ever made.
    pub(super) delivered: u64,
    /// Those who take messages, and are not being read for.
    pub(super) line: Line,
    /// It is held: so many messages may go out yet.
    pub(super) hold: Option<usize>,
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
            free: BinaryHeap::new(),
            count: 0,
            generation: 0,
            outstanding: SequenceMap::default(),
            delivered: 0,
            line: Line::default(),
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
        let slot = self.free.pop().map_or(self.slots.len(), |Reverse(slot)| slot);
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
            counts_as_able: false,
            stand: None,
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
        self.free.push(Reverse(id.slot));
        self.count -= 1;
        self.able -= usize::from(reader.counts_as_able);
        self.line.leave(reader.stand);
        self.count_use(now);
        Some(reader)
    }

    /// A consumer has room again, or starts.
    pub(crate) fn resume(&mut self, id: ConsumerId, now: Timestamp) {
        if let Some(reader) = self.get_mut(id) {
            (reader.started, reader.waits_for_room) = (true, false);
            self.review(id);
        }
        self.count_use(now);
    }

    /// Something has changed that says whether a consumer takes messages: puts it in line, or takes
    /// it out.
    pub(super) fn review(&mut self, id: ConsumerId) {
        let reader = self.slots.get_mut(id.slot).and_then(Option::as_mut);
        let Some(reader) = reader.filter(|reader| reader.id == id) else { return };
        let is_able = reader.is_able();
        let was_able = std::mem::replace(&mut reader.counts_as_able, is_able);
        self.able = self.able + usize::from(is_able) - usize::from(was_able);
        let stands = is_able && reader.cursor.is_some();
        if !stands || reader.stand.is_some_and(|stand| stand.at_end() != reader.at_end) {
            self.line.leave(reader.stand.take());
        }
        if stands && reader.stand.is_none() {
            reader.stand = Some(self.line.join(id.slot, reader.at_end));
        }
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
            reader.unacked = reader.unacked.saturating_sub(1);
            if let (Some((_, progress)), Some(outcome)) = (&mut reader.progress, outcome) {
                progress.settled(offset, outcome);
                if moved.last() != Some(&consumer) {
                    moved.push(consumer);
                }
            }
            self.review(consumer);
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
