//! What the threads of a run share: the phase, the counters and the first failure.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

use super::error::LoadError;

/// Part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Phase {
    /// Load that is not measured.
    Warmup,
    /// Load that is measured.
    Measured,
    /// No more load; the threads end.
    Over,
}

/// Counters of one thread; only that thread writes them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Messages written to the socket.
    pub published: AtomicU64,
    /// Messages the server confirmed.
    pub confirmed: AtomicU64,
    /// Messages the server refused with `basic.nack`.
    pub nacked: AtomicU64,
    /// Messages the server returned with `basic.return`.
    pub returned: AtomicU64,
    /// Messages delivered completely.
    pub consumed: AtomicU64,
}

/// Sums of all threads' counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Messages written to sockets.
    pub published: u64,
    /// Messages confirmed.
    pub confirmed: u64,
    /// Messages nacked.
    pub nacked: u64,
    /// Messages returned.
    pub returned: u64,
    /// Messages delivered.
    pub consumed: u64,
}

impl Totals {
    /// What the consumers still have to get of these messages and those `before`, of which each is
    /// consumed so often.
    pub(super) fn on_their_way(&self, before: u64, copies: u64) -> u64 {
        let routed = self.published.saturating_sub(self.nacked + self.returned) + before;
        routed.saturating_mul(copies).saturating_sub(self.consumed)
    }
}

/// State shared by all threads of a run.
#[derive(Debug)]
pub(super) struct Control {
    phase: AtomicU8,
    publishing: AtomicUsize,
    failure: Mutex<Option<LoadError>>,
    tallies: Vec<CachePadded<Tally>>,
}

impl Control {
    /// Begins in the warm-up, with counters for `threads` threads, `publishers` of them publishing.
    pub(super) fn new(threads: usize, publishers: usize) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Warmup as u8),
            publishing: AtomicUsize::new(publishers),
            failure: Mutex::new(None),
            tallies: (0..threads).map(|_| CachePadded::default()).collect(),
        }
    }

    /// The phase the run is in.
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Warmup,
            1 => Phase::Measured,
            _ => Phase::Over,
        }
    }

    /// Enters a phase.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Keeps the first failure and ends the run.
    pub(super) fn fail(&self, error: LoadError) {
        self.failure.lock().get_or_insert(error);
        self.enter(Phase::Over);
    }

    /// Takes the failure, if there was one.
    pub(super) fn take_failure(&self) -> Option<LoadError> {
        self.failure.lock().take()
    }

    /// The counters of thread `index`.
    pub(super) fn tally(&self, index: usize) -> Option<&Tally> {
        self.tallies.get(index).map(|tally| &**tally)
    }

    /// Says that one publisher has published its share.
    pub(super) fn publisher_done(&self) {
        self.publishing.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether all publishers have published their shares.
    pub(super) fn all_published(&self) -> bool {
        self.publishing.load(Ordering::Acquire) == 0
    }

    /// Adds up all counters.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for tally in &self.tallies {
            totals.published += tally.published.load(Ordering::Acquire);
            totals.confirmed += tally.confirmed.load(Ordering::Acquire);
            totals.nacked += tally.nacked.load(Ordering::Acquire);
            totals.returned += tally.returned.load(Ordering::Acquire);
            totals.consumed += tally.consumed.load(Ordering::Acquire);
        }
        totals
    }
}
