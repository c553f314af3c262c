//! What the consumers of a queue want that is not in it.

use std::sync::Arc;

use crate::base::wake::{Wake, Wakeups};
use crate::queue::{Queue, State};

/// Consumers of a lower priority take only what nobody else wants, and do not count.
const PRIORITY_MIN: i64 = 0;

impl State {
    /// Whether consumers could take more than there is.
    pub(in crate::queue) fn wants_more(&self) -> bool {
        self.ready.is_empty() && self.consumers().could_take(PRIORITY_MIN)
    }
}

impl Queue {
    /// From now on `watcher` is woken when the queue begins or ceases to want more, as long as
    /// somebody keeps it.
    pub(crate) fn watch_demand(&self, watcher: &Arc<dyn Wake>) {
        self.demand.get_or_init(Box::default).watch(watcher);
        let mut wakeups = Wakeups::default();
        self.look_at_demand(&self.state.lock(), &mut wakeups);
        wakeups.wake_all();
    }

    /// Under the queue's lock, whenever something has happened.
    #[inline]
    pub(in crate::queue) fn look_at_demand(&self, state: &State, wakeups: &mut Wakeups) {
        if let Some(demand) = self.demand.get() {
            demand.look(state.wants_more(), wakeups);
        }
    }

    /// Whether its consumers could take more than there is. Only of a queue that is watched.
    pub(crate) fn wants_more(&self) -> bool {
        let demand = self.demand.get();
        !self.is_deleted() && demand.is_some_and(|demand| demand.is_there())
    }
}
