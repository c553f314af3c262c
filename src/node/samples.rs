//! What a node remembers of what it has counted, while somebody wants rates.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::insight::statistics::history::{History, Resolution};
use crate::insight::statistics::totals::{Churn, HostTotals, NodeTotals};
use crate::node::departed::Departed;
use crate::time::clock::Timestamp;

/// What a node remembers of itself.
pub(crate) struct Statistics {
    /// When it was started.
    pub started_at: Timestamp,
    /// How many want rates.
    watchers: AtomicUsize,
    pub samples: Mutex<Samples, rank::Rates>,
    /// Virtual hosts that are deleted.
    pub departed: Mutex<Departed, rank::Departed>,
}

/// Of all virtual hosts together.
pub(crate) struct Samples {
    pub messages: History<HostTotals>,
    pub churn: History<Churn>,
    pub figures: History<NodeTotals>,
    /// Nothing was remembered lately, of anything.
    pub is_first: bool,
    /// Samples are taken at every interval.
    is_running: bool,
}

impl Statistics {
    /// Of a node that starts now.
    pub(crate) fn new(now: Timestamp) -> Self {
        let samples = Samples {
            messages: History::new(Resolution::GLOBAL, None),
            churn: History::new(Resolution::GLOBAL, None),
            figures: History::new(Resolution::GLOBAL, None),
            is_first: true,
            is_running: false,
        };
        Self {
            started_at: now,
            watchers: AtomicUsize::new(0),
            samples: Mutex::new(samples),
            departed: Mutex::default(),
        }
    }

    /// Somebody wants rates; tells whether samples have to be taken from now on.
    pub(crate) fn watch(&self) -> bool {
        self.watchers.fetch_add(1, Ordering::SeqCst);
        let mut samples = self.samples.lock();
        let begins = !std::mem::replace(&mut samples.is_running, true);
        samples.is_first |= begins;
        begins
    }

    /// Somebody wants them no more.
    pub(crate) fn unwatch(&self) {
        self.watchers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether somebody still wants rates. If not, no further sample has to be taken.
    pub(crate) fn is_watched(&self) -> bool {
        let mut samples = self.samples.lock();
        // With the lock, so that whoever comes now begins anew.
        samples.is_running = self.watchers.load(Ordering::SeqCst) > 0;
        samples.is_running
    }
}
