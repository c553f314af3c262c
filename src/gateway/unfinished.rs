//! What connections keep of what has come in part, as it counts towards the memory watermark.

use std::sync::Arc;

use crate::base::hoards::Hoard;
use crate::base::memory_alarm::MemoryAlarm;
use crate::limits::UNFINISHED_BYTES_FREE;

/// What a connection is told that has to go for what it keeps.
pub(super) const TOO_MUCH: &str = "memory is short, and too much of it is messages of which the \
                                   rest has not come";

/// Octets that one connection keeps of frames and messages of which a part has come, and of input
/// that it has not come to yet.
pub(super) struct Kept {
    memory: Arc<MemoryAlarm>,
    counted: usize,
    /// The same as it is known to others while memory is short.
    hoard: Option<Hoard>,
}

impl Kept {
    /// Nothing yet.
    pub(super) fn new(memory: &Arc<MemoryAlarm>) -> Self {
        Self { memory: Arc::clone(memory), counted: 0, hoard: None }
    }

    /// It is as much as this now. A little is not counted: an open connection is said to take it.
    #[inline]
    pub(super) fn set(&mut self, octets: usize) {
        let octets = if octets > UNFINISHED_BYTES_FREE { octets } else { 0 };
        self.memory.add(octets as isize - self.counted as isize);
        self.counted = octets;
    }

    /// Whether it is so much that it counts.
    #[inline]
    pub(super) fn is_counted(&self) -> bool {
        self.counted > 0
    }

    /// Whether the connection has to go: memory is short, and too much of it is what this and
    /// others keep. Asked whenever its task wakes, and now and then.
    #[inline]
    pub(super) fn has_to_go(&mut self, now_ms: u64) -> bool {
        if self.counted == 0 || !self.memory.is_alarmed() {
            self.leave();
            return false;
        }
        if self.hoard.is_none_or(|hoard| hoard.octets() != self.counted) {
            self.leave();
            self.hoard = Some(self.memory.hoards().enter(self.counted));
        }
        self.hoard.is_some_and(|hoard| self.memory.has_to_go(hoard, now_ms))
    }

    /// The connection is being closed, and keeps so much until it is.
    pub(super) fn close(&mut self, octets: usize) {
        self.leave();
        self.set(octets);
    }

    #[inline]
    fn leave(&mut self) {
        if let Some(hoard) = self.hoard.take() {
            self.memory.hoards().leave(hoard);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.set(0);
        self.leave();
    }
}
