//! A stream that a connection publishes to or reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leveret_storage::{Stream, WatchId};

use crate::base::wake::Wake;
use crate::gateway::stream::inbox::Inbox;
use crate::queue::Queue;

/// A stream in use. The connection is woken whenever more of it is committed, and when it is
/// deleted.
pub(super) struct StreamUse {
    pub queue: Arc<Queue>,
    log: Arc<Stream>,
    watch: WatchId,
    has_moved: Arc<AtomicBool>,
}

impl StreamUse {
    /// Begins to use a queue, if it is a stream.
    pub(super) fn begin(queue: Arc<Queue>, inbox: &Arc<Inbox>) -> Option<Arc<Self>> {
        let log = Arc::clone(queue.stream()?.log());
        let has_moved = Arc::new(AtomicBool::new(true));
        let (moved, inbox) = (Arc::clone(&has_moved), Arc::downgrade(inbox));
        let watch = log.watch(Arc::new(move || {
            if !moved.swap(true, Ordering::SeqCst)
                && let Some(inbox) = inbox.upgrade()
            {
                inbox.wake();
            }
        }));
        Some(Arc::new(Self { queue, log, watch, has_moved }))
    }

    pub(super) fn name(&self) -> &str {
        self.queue.name().as_str()
    }

    pub(super) fn log(&self) -> &Arc<Stream> {
        &self.log
    }

    /// Whether something has happened to it since this was asked last.
    pub(super) fn take_moved(&self) -> bool {
        self.has_moved.swap(false, Ordering::SeqCst)
    }

    /// Whether it is no more.
    pub(super) fn is_gone(&self) -> bool {
        self.log.is_deleted() || self.queue.is_deleted()
    }
}

impl Drop for StreamUse {
    fn drop(&mut self) {
        self.log.unwatch(self.watch);
    }
}
