//! Ready messages in their order: one FIFO per level.

use std::collections::VecDeque;

use crate::clock::Timestamp;
use crate::message::Message;
use crate::queue::priority::{Occupied, Order};

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// Position in the queue: rises with every enqueue; a requeued message keeps it.
    pub sequence: u64,
    /// When it expires; [`Timestamp::NEVER`] if it does not.
    pub expires_at: Timestamp,
    /// How often it was returned to the queue.
    pub delivery_count: u32,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
}

impl Entry {
    /// Octets of the body: what `x-max-length-bytes` counts.
    pub fn body_bytes(&self) -> u64 {
        self.message.body().len() as u64
    }
}

/// The ready messages of a queue, by level; [`Order`] says which level is served.
#[derive(Debug)]
pub struct Ready {
    levels: Vec<VecDeque<Entry>>,
    occupied: Occupied,
    order: Order,
    length: usize,
    body_bytes: u64,
}

impl Ready {
    /// No messages yet.
    pub fn new(order: Order) -> Self {
        let levels = (0..order.levels()).map(|_| VecDeque::new()).collect();
        Self { levels, occupied: Occupied::default(), order, length: 0, body_bytes: 0 }
    }

    /// Messages.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Octets in the bodies.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// The message that is next.
    #[inline]
    pub fn head(&self) -> Option<&Entry> {
        if self.length == 0 {
            return None;
        }
        self.levels.get(self.order.next(&self.occupied)?)?.front()
    }

    /// Takes the message that is next.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        let at = self.order.next(&self.occupied)?;
        let level = self.levels.get_mut(at)?;
        let entry = level.pop_front()?;
        if level.is_empty() {
            self.occupied.set(at, false);
        }
        self.order.taken(at);
        self.length -= 1;
        self.body_bytes -= entry.body_bytes();
        Some(entry)
    }

    /// Appends a new message, whose sequence is the highest.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        let at = self.order.level(entry.message.priority());
        if let Some(level) = self.levels.get_mut(at) {
            self.length += 1;
            self.body_bytes += entry.body_bytes();
            self.occupied.set(at, true);
            level.push_back(entry);
        }
    }

    /// Puts a message back to its original position among the others of its level.
    pub fn put_back(&mut self, entry: Entry) {
        let at = self.order.level_returned(entry.message.priority());
        let Some(level) = self.levels.get_mut(at) else { return };
        self.length += 1;
        self.body_bytes += entry.body_bytes();
        self.occupied.set(at, true);
        if level.front().is_none_or(|front| entry.sequence < front.sequence) {
            level.push_front(entry);
        } else if level.back().is_some_and(|back| back.sequence < entry.sequence) {
            level.push_back(entry);
        } else {
            let at = level.partition_point(|other| other.sequence < entry.sequence);
            level.insert(at, entry);
        }
    }

    /// Drops all messages; tells how many there were and what they occupied.
    pub fn clear(&mut self) -> (usize, usize) {
        let dropped = self.length;
        let footprint = self.iter().map(|entry| entry.message.footprint()).sum();
        for level in &mut self.levels {
            *level = VecDeque::new();
        }
        self.occupied = Occupied::default();
        (self.length, self.body_bytes) = (0, 0);
        (dropped, footprint)
    }

    /// Gives back memory that a long backlog left behind. Cheap when there is nothing to give.
    pub fn shrink(&mut self) {
        /// Room for this many messages is kept.
        const KEPT: usize = 1024;
        for level in &mut self.levels {
            if level.capacity() > KEPT && level.len() < level.capacity() / 8 {
                level.shrink_to((level.len() * 2).max(KEPT));
            }
        }
    }

    /// Every message, highest level first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.levels.iter().rev().flatten()
    }
}
