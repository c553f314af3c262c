//! How a queue tells its consumers apart.

/// Identifies a consumer for as long as the queue exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId {
    pub(crate) slot: usize,
    pub(in crate::queue) generation: u64,
}

impl ConsumerId {
    /// The consumer in this slot since so many others were registered.
    pub(in crate::queue) const fn new(slot: usize, generation: u64) -> Self {
        Self { slot, generation }
    }
}
