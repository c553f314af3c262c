//! What there is to be told of a shovel.

use super::machine::{Counts, Machine};
use crate::time::clock::Timestamp;

/// What a shovel does at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It connects.
    Starting,
    /// It carries messages between these brokers.
    Running { source: String, destination: String },
    /// Something went wrong; it tries again at that time, or not at all.
    Terminated { reason: String, next_attempt: Option<Timestamp> },
}

/// What there is to be told of a shovel.
#[derive(Clone, Debug)]
pub(crate) struct ShovelStatus {
    /// What it does.
    pub state: State,
    /// Since when.
    pub changed_at: Timestamp,
    /// Why the destination takes nothing at present, if it says so.
    pub blocked: Option<String>,
    /// What went wrong last, and when.
    pub last_error: Option<(String, Timestamp)>,
    /// What was counted since it was set.
    pub counts: Counts,
    /// Messages that are published and not confirmed.
    pub pending: usize,
    /// Messages that have still to arrive, and of these how many have still to be published.
    pub remaining: Option<(u64, u64)>,
}

impl ShovelStatus {
    pub(super) fn starting(now: Timestamp) -> Self {
        Self {
            state: State::Starting,
            changed_at: now,
            blocked: None,
            last_error: None,
            counts: Counts::default(),
            pending: 0,
            remaining: None,
        }
    }

    /// What the machine has counted.
    pub(crate) fn follow(&mut self, machine: &Machine) {
        self.counts = machine.counts();
        self.pending = machine.pending();
        self.remaining = machine.remaining();
    }
}
