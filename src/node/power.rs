//! The power of the machine in memory that a broker is on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leveret_storage::testing;

/// A machine from when it is switched on until the broker on it ends.
#[derive(Clone, Debug)]
pub(crate) struct Power {
    machine: testing::Machine,
    in_use: Arc<AtomicBool>,
}

impl Power {
    /// Switches a machine on, with what is left on it from `before`; `None` if a broker is still
    /// at work there. The seed says what becomes of writes that are not synced when the power is
    /// cut.
    pub(crate) fn on(before: Option<&Self>, seed: u64) -> Option<Self> {
        let remains = match before {
            None => testing::Remains::default(),
            Some(before) if before.machine.is_off() => before.machine.after_cut(),
            Some(before) if before.in_use.load(Ordering::SeqCst) => return None,
            Some(before) => before.machine.after_exit(),
        };
        let machine = testing::Machine::new(&remains, seed);
        Some(Self { machine, in_use: Arc::new(AtomicBool::new(true)) })
    }

    /// The machine, for its stores.
    pub(crate) fn machine(&self) -> &testing::Machine {
        &self.machine
    }

    /// The power is cut: nothing is written any more.
    pub(crate) fn cut(&self) {
        self.machine.cut();
    }

    /// The broker has ended; another one may come.
    pub(crate) fn leave(&self) {
        self.in_use.store(false, Ordering::SeqCst);
    }
}
