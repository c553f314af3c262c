//! Connections that wait for something that many wait for: memory, disk space.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::base::wake::Wake;

/// Who is to be woken once.
#[derive(Default)]
pub struct Sleepers(Mutex<Vec<Weak<dyn Wake>>>);

impl Sleepers {
    /// Wakes `sleeper` next time. The caller looks once more after this whether there is still
    /// something to wait for.
    pub fn add(&self, sleeper: &Arc<dyn Wake>) {
        let mut sleepers = self.0.lock();
        if sleepers.len() == sleepers.capacity() {
            // Those who left in the meantime make room, so that the waiting may last.
            sleepers.retain(|sleeper| sleeper.strong_count() > 0);
            let waiting = sleepers.len();
            sleepers.reserve(waiting + 1);
        }
        sleepers.push(Arc::downgrade(sleeper));
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        let sleepers = std::mem::take(&mut *self.0.lock());
        for sleeper in sleepers.iter().filter_map(Weak::upgrade) {
            sleeper.wake();
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }
}
