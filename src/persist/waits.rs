//! Threads that wait for the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use crate::base::wake::Wake;
use crate::persist::Persistence;

struct Parked(Thread);

impl Wake for Parked {
    fn wake(&self) {
        self.0.unpark();
    }
}

/// This thread, to be woken.
fn parked() -> Arc<dyn Wake> {
    Arc::new(Parked(std::thread::current()))
}

impl Persistence {
    /// Waits while the disk does not keep up.
    pub(crate) fn wait_for_room(&self) {
        while self.is_behind() {
            self.wake_when_changed(&parked());
            std::thread::park();
        }
    }

    /// Waits until everything that was appended to streams before is committed, or the disk fails.
    pub(crate) fn wait_for_streams(&self) {
        let (is_done, parked) = (Arc::new(AtomicBool::new(false)), parked());
        let (told, woken) = (Arc::clone(&is_done), Arc::clone(&parked));
        self.streams.barrier(Box::new(move |_| {
            told.store(true, Ordering::Release);
            woken.wake();
        }));
        loop {
            self.health.waiting.add(&parked);
            if is_done.load(Ordering::Acquire) || self.failure().is_some() {
                break;
            }
            std::thread::park();
        }
    }
}
