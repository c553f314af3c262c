//! What connections keep of what has come in part, as it counts towards the memory watermark.

use std::sync::Arc;

use crate::base::memory_alarm::MemoryAlarm;
use crate::limits::UNFINISHED_BYTES_FREE;

/// Octets that one connection keeps of frames and messages of which a part has come, and of input
/// that it has not come to yet.
pub(super) struct Kept {
    memory: Arc<MemoryAlarm>,
    counted: usize,
}

impl Kept {
    /// Nothing yet.
    pub(super) fn new(memory: &Arc<MemoryAlarm>) -> Self {
        Self { memory: Arc::clone(memory), counted: 0 }
    }

    /// It is as much as this now. A little is not counted: an open connection is said to take it.
    #[inline]
    pub(super) fn set(&mut self, octets: usize) {
        let octets = if octets > UNFINISHED_BYTES_FREE { octets } else { 0 };
        self.memory.add(octets as isize - self.counted as isize);
        self.counted = octets;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.set(0);
    }
}
