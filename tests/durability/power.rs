//! A machine whose power is cut while workers work: they are waited for, unless that happens.

use std::sync::Arc;

use leveret::storage::testing;
use leveret::storage::{Disk, Store};
use parking_lot::{Condvar, Mutex};

use crate::random::Random;

/// What a machine keeps while it has no power.
#[derive(Clone)]
pub(crate) struct Remains {
    remains: testing::Remains,
    /// A write or a sync has failed. What it leaves is reported as damage later, since the log
    /// does not know any more that nothing of it was completed.
    has_failed: bool,
}

impl Remains {
    pub(crate) fn nothing() -> Self {
        Self { remains: testing::Remains::default(), has_failed: false }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }
}

#[derive(Default)]
struct Work {
    is_off: bool,
    has_failed: bool,
    /// Who is still at work.
    working: usize,
}

#[derive(Clone)]
pub(crate) struct Machine {
    machine: testing::Machine,
    work: Arc<(Mutex<Work>, Condvar)>,
}

impl Machine {
    /// A machine that finds what an earlier one has left, and has power for so many writes.
    pub(crate) fn new(remains: &Remains, operations: u64, random: &mut Random) -> Self {
        let machine = testing::Machine::new(&remains.remains, random.next());
        machine.cut_after(operations);
        let work = Work { has_failed: remains.has_failed, ..Work::default() };
        let work = Arc::new((Mutex::new(work), Condvar::new()));
        let watched = Arc::clone(&work);
        machine.when_cut(move || {
            watched.0.lock().is_off = true;
            watched.1.notify_all();
        });
        Self { machine, work }
    }

    pub(crate) fn records(&self) -> Arc<dyn Store> {
        self.machine.records()
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        self.machine.disk()
    }

    /// Makes some writes or syncs fail.
    pub(crate) fn fail(&self, random: &mut Random) {
        self.work.0.lock().has_failed = true;
        let disk = self.machine.simulated_disk();
        if random.one_in(2) { disk.fail_syncs(1) } else { disk.fail_writes(1) }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.work.0.lock().is_off
    }

    pub(crate) fn begin_work(&self, workers: usize) {
        self.work.0.lock().working = workers;
    }

    pub(crate) fn end_work(&self) {
        self.work.0.lock().working -= 1;
        self.work.1.notify_all();
    }

    /// Waits until the power is cut or everybody has done his work.
    pub(crate) fn wait(&self) {
        let mut work = self.work.0.lock();
        while !work.is_off && work.working > 0 {
            self.work.1.wait(&mut work);
        }
    }

    /// Cuts the power, if it is not cut yet, and tells what is left.
    pub(crate) fn cut(&self) -> Remains {
        self.machine.cut();
        self.remains(self.machine.after_cut())
    }

    /// What is left when the process ends and the machine goes on.
    pub(crate) fn after_exit(&self) -> Remains {
        self.remains(self.machine.after_exit())
    }

    fn remains(&self, remains: testing::Remains) -> Remains {
        Remains { remains, has_failed: self.work.0.lock().has_failed }
    }
}
