//! The ready messages of one level, in their order: the first ones in memory, then maybe some that
//! were paged out, with those among them that came back since, then maybe the latest in memory
//! again.

use std::collections::BTreeMap;

use crate::base::long_deque::LongDeque;
use crate::limits::{PAGE_IN_AT, PAGE_IN_AT_PART, PAGE_OUT_KEPT_PART};
use crate::queue::fifo::entry::{Entry, Peeked};
use crate::queue::fifo::paged::Paged;

/// One FIFO.
#[derive(Debug, Default)]
pub(super) struct Level {
    front: LongDeque<Entry>,
    paged: Paged,
    /// Messages whose place is among those that are paged out.
    among: LongDeque<Entry>,
    /// Empty unless something is paged out.
    back: LongDeque<Entry>,
}

impl Level {
    /// Whether there is no message.
    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.paged.is_empty()
    }

    /// The message that is next; `None` also if it is paged out.
    #[inline]
    pub(super) fn head(&self) -> Option<&Entry> {
        self.front.front()
    }

    /// Takes the message that is next, unless it is paged out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.front.pop_front()?;
        self.settle_back();
        Some(entry)
    }

    /// When nothing is paged out any more, what is behind it joins what is before.
    #[inline]
    fn settle_back(&mut self) {
        if !self.back.is_empty() && self.paged.is_empty() {
            self.front.append(&mut self.back);
        }
    }

    /// Puts a message to its place by its sequence: nearly always that is the end.
    #[inline]
    pub(super) fn insert(&mut self, entry: Entry) {
        let sequence = entry.sequence;
        let part = if self.paged.first().is_none_or(|first| sequence < first) {
            &mut self.front
        } else if self.paged.last().is_none_or(|last| sequence > last) {
            &mut self.back
        } else {
            &mut self.among
        };
        insert(part, entry);
    }

    /// What was among those that were paged out, and is before the first of them by now, is next.
    fn settle_among(&mut self) {
        let first = self.paged.first().unwrap_or(u64::MAX);
        while self.among.front().is_some_and(|entry| entry.sequence < first) {
            self.front.extend(self.among.pop_front());
        }
    }

    /// Puts a message behind all others, whatever its sequence.
    pub(super) fn append(&mut self, entry: Entry) {
        if self.paged.is_empty() { &mut self.front } else { &mut self.back }.push_back(entry);
    }

    /// Whether messages are paged out, and few are left before them.
    pub(super) fn is_short(&self, memory_bytes_max: usize) -> bool {
        let octets = || self.front.iter().map(|entry| entry.message.footprint()).sum::<usize>();
        !self.paged.is_empty()
            && self.front.len() < PAGE_IN_AT
            && (self.front.is_empty() || octets() < memory_bytes_max / PAGE_IN_AT_PART)
    }

    /// The messages that are paged out.
    pub(super) fn paged(&self) -> &Paged {
        &self.paged
    }

    /// How many messages at the front stay in memory.
    fn kept(&self, memory_bytes_max: usize) -> usize {
        if !self.paged.is_empty() {
            return self.front.len();
        }
        let mut octets = 0;
        let kept = self.front.iter().take_while(|entry| {
            octets += entry.message.footprint();
            octets <= memory_bytes_max / PAGE_OUT_KEPT_PART
        });
        kept.count()
    }

    /// Messages that may be paged out, in order.
    fn candidates(&self, memory_bytes_max: usize) -> impl Iterator<Item = &Entry> {
        self.front.iter().skip(self.kept(memory_bytes_max)).chain(self.back.iter())
    }

    /// Messages that could be paged out but for not being in the store yet.
    pub(super) fn unstored(&self, memory_bytes_max: usize) -> impl Iterator<Item = &Entry> {
        self.candidates(memory_bytes_max).filter(|entry| !entry.stored)
    }

    /// The lowest sequence of those that may be paged out.
    pub(super) fn first_candidate(&self, memory_bytes_max: usize) -> Option<u64> {
        self.candidates(memory_bytes_max).next().map(|entry| entry.sequence)
    }

    /// These sequences are in the store from now on.
    pub(super) fn note_stored(&mut self, stored: &[u64], here: &mut impl FnMut(u64)) {
        let all = self.front.iter_mut().chain(self.among.iter_mut()).chain(self.back.iter_mut());
        for entry in all {
            if stored.binary_search(&entry.sequence).is_ok() {
                entry.stored = true;
                here(entry.sequence);
            }
        }
    }

    /// Pages out what need not stay, up to the first message that is not among those `written`;
    /// tells how many octets of memory that frees. `leaving` gets to see each.
    pub(super) fn page_out(
        &mut self,
        written: &[u64],
        memory_bytes_max: usize,
        leaving: &mut impl FnMut(&Entry),
    ) -> usize {
        if self.paged.is_empty() {
            self.back = self.front.split_off(self.kept(memory_bytes_max).min(self.front.len()));
        }
        let mut freed = 0;
        while let Some(entry) = self.back.front() {
            if !entry.stored || written.binary_search(&entry.sequence).is_err() {
                break;
            }
            let Some(entry) = self.back.pop_front() else { break };
            leaving(&entry);
            freed += entry.message.footprint();
            self.paged.push(entry.sequence, entry.body_bytes(), entry.history());
        }
        self.settle_back();
        self.shrink();
        freed
    }

    /// A message that was paged out is there again, or is lost. Tells whether it was the next one
    /// of them: if not, somebody was faster.
    pub(super) fn page_in(&mut self, sequence: u64, entry: Option<Entry>) -> bool {
        let body_bytes = entry.as_ref().map_or(0, Entry::body_bytes);
        let Some(history) = self.paged.take_first(sequence, body_bytes) else { return false };
        if let Some(mut entry) = entry {
            entry.delivery_count = history.delivery_count;
            entry.failures = history.failures;
            entry.redelivered |= history.redelivered;
            self.front.push_back(entry);
        }
        self.settle_among();
        self.settle_back();
        true
    }

    /// Takes messages out that are in memory before any that are paged out.
    pub(super) fn extract(&mut self, which: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let front = std::mem::take(&mut self.front);
        let (extracted, rest) = front.into_iter().partition::<Vec<_>, _>(&which);
        self.front = rest.into_iter().collect();
        extracted
    }

    /// Takes those of these messages out that are here, whose sequences are the keys. Of one that
    /// is paged out the entry is taken that is given. Tells how many octets of memory that frees.
    pub(super) fn take_out(
        &mut self,
        wanted: &mut BTreeMap<u64, Entry>,
        taken: &mut Vec<Entry>,
    ) -> usize {
        let before = taken.len();
        while let Some(head) = self.front.front()
            && wanted.remove(&head.sequence).is_some()
        {
            taken.extend(self.front.pop_front());
        }
        for part in [&mut self.front, &mut self.among, &mut self.back] {
            if part.iter().any(|entry| wanted.contains_key(&entry.sequence)) {
                let all = std::mem::take(part).into_iter();
                let is_wanted = |entry: &Entry| wanted.remove(&entry.sequence).is_some();
                let (out, rest) = all.partition::<LongDeque<_>, _>(is_wanted);
                taken.extend(out);
                *part = rest;
            }
        }
        let freed = taken.iter().skip(before).map(|entry| entry.message.footprint()).sum();
        if !self.paged.is_empty() {
            wanted.retain(|sequence, entry| {
                let is_here = self.paged.remove(*sequence, entry.body_bytes());
                taken.extend(is_here.then(|| entry.clone()));
                !is_here
            });
            self.settle_among();
        }
        self.settle_back();
        self.shrink();
        freed
    }

    /// Messages of an earlier life of the queue, in ascending order.
    pub(super) fn recover(&mut self, paged: Paged) {
        self.paged = paged;
    }

    /// Gives back memory that a long backlog left behind. Cheap when there is nothing to give.
    pub(super) fn shrink(&mut self) {
        for part in [&mut self.front, &mut self.among, &mut self.back] {
            part.shrink();
        }
    }

    /// All messages, in order, wherever they are.
    pub(super) fn peek(&self) -> impl Iterator<Item = Peeked> {
        let mut paged = self.paged.sequences().peekable();
        let mut among = self.among.iter().peekable();
        let between = std::iter::from_fn(move || {
            let next = paged.peek().copied().unwrap_or(u64::MAX);
            if let Some(entry) = among.next_if(|entry| entry.sequence < next) {
                return Some(Peeked::InMemory(entry.clone()));
            }
            paged.next().map(|sequence| Peeked::Paged(sequence, self.paged.history(sequence)))
        });
        in_memory(&self.front).chain(between).chain(in_memory(&self.back))
    }

    /// Takes up to `max` messages in memory out, without regard to those that are paged out.
    pub(super) fn drain(&mut self, max: usize, taken: &mut Vec<Entry>) {
        for part in [&mut self.front, &mut self.among, &mut self.back] {
            let count = part.len().min(max.saturating_sub(taken.len()));
            taken.extend(std::iter::from_fn(|| part.pop_front()).take(count));
        }
    }

    /// Every message in memory, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.front.iter().chain(self.among.iter()).chain(self.back.iter())
    }
}

fn in_memory(part: &LongDeque<Entry>) -> impl Iterator<Item = Peeked> {
    part.iter().cloned().map(Peeked::InMemory)
}

fn insert(part: &mut LongDeque<Entry>, entry: Entry) {
    if part.back().is_none_or(|back| back.sequence < entry.sequence) {
        part.push_back(entry);
    } else if part.front().is_some_and(|front| entry.sequence < front.sequence) {
        part.push_front(entry);
    } else {
        let sequence = entry.sequence;
        part.insert_behind(|other| other.sequence < sequence, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::stored::History;
    use crate::message::{Body, Message, Parts};
    use crate::time::clock::Timestamp;

    fn entry(sequence: u64) -> Entry {
        let parts = Parts {
            exchange: b"",
            routing_key: b"q",
            properties: &[0, 0],
            expiration_ms: None,
            body: Body::Borrowed(&[0; 100]),
        };
        let message = Message::new(parts, &mut Vec::new());
        Entry::stored(message, sequence, Timestamp::NEVER, History::default())
    }

    fn sequences(level: &Level) -> Vec<u64> {
        let sequence = |peeked| match peeked {
            Peeked::InMemory(entry) => entry.sequence,
            Peeked::Paged(sequence, _) => sequence,
        };
        level.peek().map(sequence).collect()
    }

    #[test]
    fn what_comes_back_among_those_on_disk_waits_for_its_turn() {
        let mut level = Level::default();
        [1, 2, 4, 6, 8].into_iter().for_each(|sequence| level.insert(entry(sequence)));
        level.page_out(
            &[2, 4, 6, 8],
            entry(1).message.footprint() * PAGE_OUT_KEPT_PART,
            &mut |_| {},
        );
        assert_eq!((level.front.len(), level.paged.len()), (1, 4));
        [5, 0, 3, 9, 7].into_iter().for_each(|sequence| level.insert(entry(sequence)));
        assert_eq!(sequences(&level), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut left = Vec::new();
        for sequence in [2, 4, 6, 8] {
            left.extend(std::iter::from_fn(|| level.pop()).map(|entry| entry.sequence));
            assert!(level.page_in(sequence, Some(entry(sequence))));
        }
        left.extend(std::iter::from_fn(|| level.pop()).map(|entry| entry.sequence));
        assert_eq!(left, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(level.is_empty());
    }
}
