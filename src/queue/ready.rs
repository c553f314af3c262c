//! Ready messages in their order: one FIFO per priority level `[rabbitmq priority]`.

use std::collections::VecDeque;

use crate::clock::Timestamp;
use crate::message::Message;

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

/// The ready messages of a queue. The highest non-empty level is served first.
#[derive(Debug)]
pub struct Ready {
    /// By priority; one level only without `x-max-priority`.
    levels: Vec<VecDeque<Entry>>,
    length: usize,
    body_bytes: u64,
}

impl Ready {
    /// An empty set of ready messages with the priorities 0 to `max_priority`.
    pub fn new(max_priority: u8) -> Self {
        let levels = (0..=max_priority).map(|_| VecDeque::new()).collect();
        Self { levels, length: 0, body_bytes: 0 }
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

    fn level_of(&mut self, entry: &Entry) -> &mut VecDeque<Entry> {
        let highest = self.levels.len() - 1; // there is always one
        let level = usize::from(entry.message.priority()).min(highest);
        &mut self.levels[level]
    }

    /// The message that is next.
    pub fn head(&self) -> Option<&Entry> {
        self.levels.iter().rev().find_map(|level| level.front())
    }

    /// Takes the message that is next.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = self.levels.iter_mut().rev().find_map(VecDeque::pop_front)?;
        self.length -= 1;
        self.body_bytes -= entry.body_bytes();
        Some(entry)
    }

    /// Appends a new message, whose sequence is the highest.
    pub fn push(&mut self, entry: Entry) {
        self.length += 1;
        self.body_bytes += entry.body_bytes();
        self.level_of(&entry).push_back(entry);
    }

    /// Puts a message back to its original position among the others of its level.
    pub fn put_back(&mut self, entry: Entry) {
        self.length += 1;
        self.body_bytes += entry.body_bytes();
        let level = self.level_of(&entry);
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
