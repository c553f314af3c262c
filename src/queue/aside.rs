//! Messages that were published and wait for others that go to the same queues: who publishes to a
//! few queues by turns, or on many channels, has each queue locked once for many messages.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::insight::statistics::tally::Tally;
use crate::limits::{ASIDE_QUEUES_MAX, PUBLISH_BATCH_MAX};
use crate::message::Message;
use crate::message::run::Gathered;
use crate::queue::Queue;
use crate::time::clock::Timestamp;

/// So much room a lot keeps for its next messages.
const ROOM_KEPT: usize = 32;

/// Publishes of one channel that come one after the other, in numbers as its confirms have them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The channel's number.
    pub channel: u16,
    /// The number of the first one; 0 if the channel has no confirms.
    pub first: u64,
    /// How many.
    pub count: usize,
}

impl Part {
    /// Whether the other is what the channel published next.
    fn is_followed_by(&self, other: &Self) -> bool {
        let next = self.first + self.count as u64;
        self.channel == other.channel && (next == other.first || other.first == 0)
    }
}

/// What goes to one queue, in order.
#[derive(Default)]
pub(crate) struct Lot {
    queue: Option<Arc<Queue>>,
    /// Messages.
    pub messages: Gathered,
    /// Whose they are, one part after the other.
    pub parts: SmallVec<[Part; 1]>,
    /// The number of the first one, if what has to be stored of them is in the store.
    pub first: Option<u64>,
}

impl Lot {
    fn is_of(&self, queue: &Arc<Queue>) -> bool {
        self.queue.as_ref().is_some_and(|own| Arc::ptr_eq(own, queue))
    }

    /// Adds messages behind those that are there.
    fn add(&mut self, messages: &mut Gathered, part: Part) {
        self.messages.append(messages);
        match self.parts.last_mut() {
            Some(last) if last.is_followed_by(&part) => last.count += part.count,
            _ => self.parts.push(part),
        }
    }

    fn clear(&mut self) {
        self.first = None;
        self.messages.clear(ROOM_KEPT);
        match self.parts.len() {
            0..=ROOM_KEPT => self.parts.clear(),
            _ => self.parts = SmallVec::new(),
        }
    }
}

/// Which publish the message in this place is: its channel and its number. None if the channel has
/// no confirms.
pub(crate) fn publish_at(parts: &[Part], place: usize) -> Option<(u16, u64)> {
    let mut before = 0;
    let part = parts.iter().find_map(|part| {
        let at = place.checked_sub(before).filter(|&at| at < part.count);
        before += part.count;
        at.map(|at| (part.channel, part.first, at as u64))
    });
    part.filter(|(_, first, _)| *first > 0).map(|(channel, first, at)| (channel, first + at))
}

/// Where lots are, by the addresses of their queues: twice as many places as there are lots, in
/// which nobody looks long.
struct Places([u8; 2 * ASIDE_QUEUES_MAX]);

/// A place without a lot.
const NOWHERE: u8 = u8::MAX;

impl Default for Places {
    fn default() -> Self {
        Self([NOWHERE; 2 * ASIDE_QUEUES_MAX])
    }
}

impl Places {
    /// The lot of the queue with this address, or the place where it would be.
    fn find(&self, address: usize, is_it: impl Fn(u8) -> bool) -> Result<u8, usize> {
        // The low bits are the same for all; those above them are spread.
        let spread = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut place = (spread >> 32) as usize % self.0.len();
        loop {
            match self.0.get(place) {
                Some(&at) if at != NOWHERE && is_it(at) => return Ok(at),
                Some(&NOWHERE) | None => return Err(place),
                Some(_) => place = (place + 1) % self.0.len(),
            }
        }
    }

    fn set(&mut self, place: usize, lot: u8) {
        self.0.get_mut(place).into_iter().for_each(|at| *at = lot);
    }
}

/// All of it on one connection.
#[derive(Default)]
pub(crate) struct Aside {
    /// Lots that have messages, and behind them some that are empty, for their room.
    lots: Vec<Lot>,
    /// How many have some.
    filled: usize,
    /// Where these are, by the addresses of their queues.
    places: Places,
    messages: usize,
    /// How many of the latest one exchange has not counted yet, and where it does.
    uncounted: Option<(Arc<Tally>, usize)>,
    /// Publishes that their queue has refused, and that are not settled yet.
    refused: Vec<(u16, u64)>,
    /// When the last ones were enqueued.
    pub(crate) enqueued_at: Option<Timestamp>,
}

impl Aside {
    /// Whether no message waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Whether these messages and those that go to one more queue would be too many.
    pub(crate) fn is_full(&self) -> bool {
        self.messages >= PUBLISH_BATCH_MAX || self.filled >= ASIDE_QUEUES_MAX
    }

    /// So many messages that are added were published to the exchange that counts them there: it
    /// does so once for many, as all who publish write to it.
    #[inline]
    pub(crate) fn count(&mut self, tally: &Arc<Tally>, messages: usize) {
        match &mut self.uncounted {
            Some((last, count)) if Arc::ptr_eq(last, tally) => *count += messages,
            _ => {
                self.count_all();
                self.uncounted = Some((Arc::clone(tally), messages));
            }
        }
    }

    fn count_all(&mut self) {
        if let Some((tally, messages)) = self.uncounted.take() {
            tally.add_shared(messages as u64);
        }
    }

    /// Takes all of `messages`, which go to this queue.
    pub(crate) fn add(&mut self, queue: &Arc<Queue>, messages: &mut Gathered, part: Part) {
        self.messages += messages.len();
        let Self { lots, filled, places, .. } = self;
        let is_of = |at: u8| lots.get(usize::from(at)).is_some_and(|lot| lot.is_of(queue));
        let at = match places.find(Arc::as_ptr(queue).addr(), is_of) {
            Ok(at) => usize::from(at),
            Err(free) => {
                places.set(free, *filled as u8);
                *filled += 1;
                *filled - 1
            }
        };
        if at == lots.len() {
            lots.push(Lot::default());
        }
        if let Some(lot) = lots.get_mut(at) {
            lot.queue.get_or_insert_with(|| Arc::clone(queue));
            lot.add(messages, part);
        }
    }

    /// Has `store` store what has to be of each lot that goes to a queue which is there after a
    /// restart: it tells the number of the lot's first message.
    pub(crate) fn store(&mut self, mut store: impl FnMut(&Arc<Queue>, &[Message]) -> u64) {
        for lot in self.lots.iter_mut().take(self.filled) {
            if let Some(queue) = lot.queue.as_ref().filter(|queue| queue.is_recorded()) {
                lot.first = Some(store(queue, lot.messages.messages()));
            }
        }
    }

    /// Hands each lot to `enqueue`, in the order in which their first messages came: the queue, the
    /// lot, and where to note those that are refused.
    pub(crate) fn drain(
        &mut self,
        mut enqueue: impl FnMut(&Arc<Queue>, &mut Lot, &mut Vec<(u16, u64)>),
    ) {
        self.count_all();
        (self.places, self.messages) = (Places::default(), 0);
        for lot in self.lots.iter_mut().take(std::mem::take(&mut self.filled)) {
            if let Some(queue) = lot.queue.take() {
                enqueue(&queue, lot, &mut self.refused);
            }
            lot.clear();
        }
    }

    /// Takes the numbers of this channel's publishes that were refused.
    pub(crate) fn take_refused(&mut self, channel: u16) -> Vec<u64> {
        let mut own = Vec::new();
        if !self.refused.is_empty() {
            self.refused.retain(|&(of, number)| {
                let is_own = of == channel;
                own.extend(is_own.then_some(number));
                !is_own
            });
        }
        own
    }
}
