//! Ready messages in their order: one FIFO per level.

use std::collections::{BTreeMap, HashMap};

use crate::limits::PAGE_IN_MESSAGES;
use crate::message::Message;
use crate::message::stored::{Gone, History};
use crate::queue::fifo::entry::{Entry, Peeked};
use crate::queue::fifo::level::Level;
use crate::queue::fifo::paged::Paged;
use crate::queue::fifo::priority::{Occupied, Order};
use crate::queue::tally::Volume;
use crate::time::clock::Timestamp;

/// The ready messages of a queue, by level; [`Order`] says which level is served. What is asked of
/// it for each message comes last, beside what is asked of the settings.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Ready {
    levels: Vec<Level>,
    occupied: Occupied,
    order: Order,
    /// Those that were published as persistent, about: a message that was lost in the store is
    /// taken for one.
    persistent: Volume,
    /// How many of them are paged out.
    paged: usize,
    /// Octets of messages that may be in memory.
    memory_bytes_max: usize,
    body_bytes: u64,
    length: usize,
    /// Some that came since there was none have a time to live.
    some_expire: bool,
}

impl Ready {
    /// No messages yet.
    pub(crate) fn new(order: Order, memory_bytes_max: usize) -> Self {
        let levels = (0..order.levels()).map(|_| Level::default()).collect();
        let occupied = Occupied::default();
        Self {
            levels,
            occupied,
            order,
            length: 0,
            body_bytes: 0,
            persistent: Volume::default(),
            paged: 0,
            memory_bytes_max,
            some_expire: false,
        }
    }

    /// Messages.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether whatever message is next is in memory, and none expires.
    #[inline]
    pub(crate) fn is_lasting(&self) -> bool {
        !self.some_expire && self.paged == 0
    }

    /// Octets in the bodies.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Those that are persistent.
    pub(crate) fn persistent(&self) -> Volume {
        self.persistent
    }

    /// Those that are paged out.
    pub(crate) fn paged_out(&self) -> Volume {
        let paged = self.levels.iter().map(Level::paged);
        paged.fold(Volume::default(), |mut sum, paged| {
            sum.add(paged.len() as u64, paged.body_bytes());
            sum
        })
    }

    /// The message that is next; `None` also if it is paged out.
    #[inline]
    pub(crate) fn head(&self) -> Option<&Entry> {
        if self.length == 0 {
            return None;
        }
        self.levels.get(self.order.next(&self.occupied)?)?.head()
    }

    /// Takes the message that is next, unless it is paged out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let at = self.order.next(&self.occupied)?;
        let level = self.levels.get_mut(at)?;
        let entry = level.pop()?;
        if level.is_empty() {
            self.occupied.set(at, false);
        }
        self.order.taken(at);
        self.length -= 1;
        self.body_bytes -= entry.body_bytes();
        self.persistent.remove_persistent(&entry.message);
        Some(entry)
    }

    /// Adds a new message. Its sequence is the highest, or nearly so.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        self.insert(self.order.level(entry.message.priority()), entry);
    }

    /// Puts messages back that come back together, in order: to their original positions among the
    /// others of their levels, or behind what came back before.
    pub(crate) fn put_back(&mut self, returned: Vec<Entry>) {
        if let Some(at) = self.order.returned() {
            returned.into_iter().for_each(|entry| self.add(at, entry, Level::append));
            return;
        }
        // The last one first: then each finds its place at the front.
        for entry in returned.into_iter().rev() {
            self.push(entry);
        }
    }

    /// Puts a message that comes back behind all that arrived.
    pub(crate) fn append(&mut self, entry: Entry) {
        self.insert(self.order.level(0), entry);
    }

    fn insert(&mut self, at: usize, entry: Entry) {
        self.add(at, entry, Level::insert);
    }

    #[inline]
    fn add(&mut self, at: usize, entry: Entry, how: impl FnOnce(&mut Level, Entry)) {
        let Some(level) = self.levels.get_mut(at) else { return };
        let expires = entry.expires_at != Timestamp::NEVER;
        self.some_expire = expires || (self.some_expire && self.length > 0);
        self.length += 1;
        self.body_bytes += entry.body_bytes();
        self.persistent.add_persistent(&entry.message);
        self.occupied.set(at, true);
        how(level, entry);
    }

    /// The level of messages that come back, if they have one of their own.
    pub(crate) fn returned_level(&self) -> Option<usize> {
        self.order.returned()
    }

    /// Takes those out of the messages in memory that came back to a quorum queue.
    pub(crate) fn extract_returned(&mut self, which: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let Some(at) = self.order.returned() else { return Vec::new() };
        let Some(level) = self.levels.get_mut(at) else { return Vec::new() };
        let extracted = level.extract(which);
        self.length -= extracted.len();
        self.body_bytes -= extracted.iter().map(Entry::body_bytes).sum::<u64>();
        self.occupied.set(at, !level.is_empty());
        extracted
    }

    /// Takes those of these messages out that are still here, in this order. Of one that is paged
    /// out the entry is taken that is given. Tells also how many octets of memory that frees.
    pub(crate) fn take_out(&mut self, wanted: Vec<Entry>) -> (Vec<Entry>, usize) {
        let order = wanted.iter().enumerate().map(|(at, entry)| (entry.sequence, at));
        let order: HashMap<u64, usize> = order.collect();
        let wanted = wanted.into_iter().map(|entry| (entry.sequence, entry));
        let mut wanted: BTreeMap<u64, Entry> = wanted.collect();
        let (mut taken, mut freed) = (Vec::with_capacity(wanted.len()), 0);
        for (at, level) in self.levels.iter_mut().enumerate().rev() {
            freed += level.take_out(&mut wanted, &mut taken);
            self.occupied.set(at, !level.is_empty());
        }
        taken.sort_by_key(|entry| order.get(&entry.sequence));
        self.length -= taken.len();
        for entry in &taken {
            self.body_bytes = self.body_bytes.saturating_sub(entry.body_bytes());
            self.persistent.remove_persistent(&entry.message);
        }
        self.count_paged();
        (taken, freed)
    }

    /// The messages in memory that came back to a quorum queue, in order, and all others.
    pub(crate) fn by_return(&self) -> (impl Iterator<Item = &Entry>, impl Iterator<Item = &Entry>) {
        let returned = self.order.returned();
        let levels = || self.levels.iter().enumerate().rev();
        let of = move |wanted: bool| {
            let levels = levels().filter(move |(at, _)| (Some(*at) == returned) == wanted);
            levels.flat_map(|(_, level)| level.iter())
        };
        (of(true), of(false))
    }

    /// Takes all messages out.
    pub(crate) fn take(&mut self) -> Self {
        let none = Self::new(self.order, self.memory_bytes_max);
        std::mem::replace(self, none)
    }

    /// Takes up to `max` messages in memory, of messages that are to be dropped.
    pub(crate) fn drain(&mut self, max: usize) -> Vec<Entry> {
        let mut taken = Vec::new();
        self.levels.iter_mut().for_each(|level| level.drain(max, &mut taken));
        taken
    }

    /// The messages that are in the store, as ranges.
    pub(crate) fn stored(&self, queue: u64) -> impl Iterator<Item = Gone> {
        let one = move |sequence| Gone { queue, first: sequence, last: sequence };
        let in_memory =
            self.iter().filter(|entry| entry.stored).map(move |entry| one(entry.sequence));
        in_memory.chain(self.levels.iter().flat_map(move |level| level.paged().ranges(queue)))
    }

    /// What is to be remembered of messages that were delivered before, by sequence.
    pub(crate) fn histories(&self) -> impl Iterator<Item = (u64, History)> {
        let in_memory = self.iter().filter(|entry| entry.stored && entry.redelivered);
        in_memory
            .map(|entry| (entry.sequence, entry.history()))
            .chain(self.levels.iter().flat_map(|level| level.paged().histories()))
    }

    /// Messages that are paged out and come before this sequence.
    pub(crate) fn sequences_paged_below(&self, below: u64) -> impl Iterator<Item = u64> {
        let paged = self.levels.iter().flat_map(|level| level.paged().sequences());
        paged.filter(move |sequence| *sequence < below)
    }

    /// The first `max` messages, in the order in which they are served if no others come.
    pub(crate) fn peek(&self, max: usize) -> Vec<Peeked> {
        let (mut order, mut occupied) = (self.order, self.occupied);
        let mut levels: Vec<_> = self.levels.iter().map(|level| level.peek().peekable()).collect();
        let next = || {
            let at = order.next(&occupied)?;
            let level = levels.get_mut(at)?;
            let next = level.next();
            order.taken(at);
            occupied.set(at, level.peek().is_some());
            next
        };
        std::iter::from_fn(next).take(max).collect()
    }

    /// Gives back memory that a long backlog left behind. Cheap when there is nothing to give.
    pub(crate) fn shrink(&mut self) {
        self.levels.iter_mut().for_each(Level::shrink);
    }

    /// Every message in memory, highest level first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.levels.iter().rev().flat_map(Level::iter)
    }
}

/// Messages that are paged out, and come back.
impl Ready {
    /// The levels that messages are paged out from. Those of returned messages are short.
    fn pageable(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().take(self.order.levels_of_arrivals())
    }

    /// Where to begin looking for messages to page out; `None` if there are none.
    pub(crate) fn first_to_page_out(&self) -> Option<u64> {
        let max = self.memory_bytes_max;
        self.pageable().filter_map(|level| level.first_candidate(max)).min()
    }

    /// Messages that have to be stored before they can be paged out, up to `max`.
    pub(crate) fn unstored(&self, max: usize) -> Vec<(u64, Message, Timestamp)> {
        let unstored = |level| Level::unstored(level, self.memory_bytes_max);
        let found = self.pageable().flat_map(unstored).take(max);
        found.map(|entry| (entry.sequence, entry.message.clone(), entry.expires_at)).collect()
    }

    /// These sequences, in ascending order, are in the store from now on. Calls back with those
    /// that are still here.
    pub(crate) fn note_stored(&mut self, sequences: &[u64], mut here: impl FnMut(u64)) {
        self.levels.iter_mut().for_each(|level| level.note_stored(sequences, &mut here));
    }

    /// Pages out as many as are among those `written`, which are in ascending order; tells how
    /// many octets of memory that frees. `leaving` gets to see each.
    pub(crate) fn page_out(&mut self, written: &[u64], mut leaving: impl FnMut(&Entry)) -> usize {
        let levels = self.order.levels_of_arrivals();
        let levels = self.levels.iter_mut().take(levels);
        let max = self.memory_bytes_max;
        let freed = levels.map(|level| level.page_out(written, max, &mut leaving)).sum();
        self.count_paged();
        freed
    }

    fn count_paged(&mut self) {
        self.paged = self.levels.iter().map(|level| level.paged().len()).sum();
    }

    /// Whether the message that is next is paged out.
    pub(crate) fn head_is_paged(&self) -> bool {
        self.paged > 0 && self.length > 0 && self.head().is_none()
    }

    /// Whether messages are wanted back.
    pub(crate) fn is_short(&self) -> bool {
        self.paged > 0 && self.levels.iter().any(|level| level.is_short(self.memory_bytes_max))
    }

    /// The level that needs messages back, and which: the one that is served next first.
    pub(crate) fn wanted(&self) -> Option<(usize, Vec<u64>)> {
        if self.paged == 0 {
            return None;
        }
        let is_short = |(_, level): &(usize, &Level)| level.is_short(self.memory_bytes_max);
        let next = self.order.next(&self.occupied);
        let next = next.and_then(|at| Some((at, self.levels.get(at)?))).filter(is_short);
        let (at, level) = next.or_else(|| self.levels.iter().enumerate().rev().find(is_short))?;
        Some((at, level.paged().head(PAGE_IN_MESSAGES)))
    }

    /// A message is back from the store, or lost if there is no entry. Tells whether it is taken:
    /// if not, somebody else was faster.
    pub(crate) fn page_in(&mut self, at: usize, sequence: u64, entry: Option<Entry>) -> bool {
        let Some(level) = self.levels.get_mut(at) else { return false };
        let before = level.paged().body_bytes();
        let is_lost = entry.is_none();
        self.some_expire |= entry.as_ref().is_some_and(|it| it.expires_at != Timestamp::NEVER);
        let body_bytes = entry.as_ref().map_or(0, Entry::body_bytes);
        if !level.page_in(sequence, entry) {
            return false;
        }
        let after = level.paged().body_bytes();
        self.body_bytes = self.body_bytes.saturating_sub(before - after) + body_bytes;
        self.paged -= 1;
        if is_lost {
            self.length -= 1;
            self.persistent.remove(1, before - after);
        }
        if level.is_empty() {
            self.occupied.set(at, false);
        }
        true
    }

    /// Takes up messages of an earlier life of the queue, of one level.
    pub(crate) fn recover(&mut self, at: usize, paged: Paged) {
        let Some(level) = self.levels.get_mut(at).filter(|_| !paged.is_empty()) else { return };
        self.length += paged.len();
        self.body_bytes += paged.body_bytes();
        self.persistent.add(paged.len() as u64, paged.body_bytes());
        self.occupied.set(at, true);
        level.recover(paged);
        self.count_paged();
    }

    /// The level of new messages of this priority.
    pub(crate) fn level_of(&self, priority: u8) -> usize {
        self.order.level(priority)
    }
}
