//! Whether the consumers of a queue could take more than there is in it: then whoever brings
//! messages from elsewhere is told `[rabbitmq federated-queues]`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::base::wake::{Wake, Wakeups};

/// Whether a queue wants more, and who is told when that changes.
#[derive(Default)]
pub(crate) struct Demand {
    is_there: AtomicBool,
    watchers: Mutex<Vec<Weak<dyn Wake>>, rank::Demand>,
}

impl Demand {
    /// From now on `watcher` is woken when it begins or ends, as long as somebody keeps it.
    pub(in crate::queue) fn watch(&self, watcher: &Arc<dyn Wake>) {
        self.watchers.lock().push(Arc::downgrade(watcher));
    }

    /// Whether it is there.
    pub(in crate::queue) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::SeqCst)
    }

    /// Under the queue's lock.
    pub(in crate::queue) fn look(&self, is_there: bool, wakeups: &mut Wakeups) {
        if self.is_there.swap(is_there, Ordering::SeqCst) != is_there {
            let mut watchers = self.watchers.lock();
            watchers.retain(|watcher| watcher.strong_count() > 0);
            watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| wakeups.add(watcher));
        }
    }
}
