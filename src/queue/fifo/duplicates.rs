//! Queues that hold no two messages with one key: `x-message-deduplication`
//! `[rabbitmq message-deduplication]`.

use std::collections::HashSet;

use crate::message::Message;
use crate::message::duplicate_key::DuplicateKey;

/// The keys of the messages in a queue, ready or unacknowledged.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    keys: HashSet<DuplicateKey>,
    footprint: usize,
}

impl Duplicates {
    /// A message arrives. Tells whether it may enter: no other with its key is in the queue.
    pub(crate) fn admit(&mut self, message: &Message) -> bool {
        let Some(key) = DuplicateKey::of(message) else { return true };
        let footprint = key.footprint();
        let fresh = self.keys.insert(key);
        if fresh {
            self.footprint += footprint;
        }
        fresh
    }

    /// A message has left for good.
    pub(crate) fn forget(&mut self, message: &Message) {
        if let Some(key) = DuplicateKey::of(message)
            && self.keys.remove(&key)
        {
            self.footprint -= key.footprint();
        }
    }

    /// Octets that the keys occupy, about.
    pub(crate) fn footprint(&self) -> usize {
        self.footprint
    }
}
