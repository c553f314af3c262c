//! Connections that wait for something that many wait for: memory, disk space.

use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::Wake;

/// Who is to be woken once.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<Vec<Weak<dyn Wake>>, rank::Waiters>);

impl Waiters {
    /// Wakes `waiter` next time. The caller looks once more after this whether there is still
    /// something to wait for.
    pub(crate) fn add(&self, waiter: &Arc<dyn Wake>) {
        let mut waiters = self.0.lock();
        if waiters.len() == waiters.capacity() {
            // Those who left in the meantime make room, so that the waiting may last.
            waiters.retain(|waiter| waiter.strong_count() > 0);
            let waiting = waiters.len();
            waiters.reserve(waiting + 1);
        }
        waiters.push(Arc::downgrade(waiter));
    }

    /// Wakes all.
    pub(crate) fn wake_all(&self) {
        let waiters = std::mem::take(&mut *self.0.lock());
        for waiter in waiters.iter().filter_map(Weak::upgrade) {
            waiter.wake();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
