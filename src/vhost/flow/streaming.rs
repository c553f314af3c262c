//! Streams and their consumers: reading a log for whoever takes messages. If it is in memory the
//! thread does it that has appended something, if not that which hears of what is committed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::base::wake::Wake;
use crate::error::{Error, Result};
use crate::queue::effects::Effects;
use crate::queue::stream::log_settings;
use crate::queue::{Queue, Settings};
use crate::vhost::VirtualHost;

/// A stream whose consumers are served when it is woken.
struct Served {
    host: Weak<VirtualHost>,
    queue: Weak<Queue>,
    /// What was committed when it was served last.
    served: AtomicU64,
}

impl Wake for Served {
    fn wake(&self) {
        // It is woken for every commit, and one time does for all that are there by then.
        let (Some(host), Some(queue)) = (self.host.upgrade(), self.queue.upgrade()) else { return };
        let committed = queue.stream().map_or(0, |stream| stream.log().committed_offset());
        if self.served.swap(committed, Ordering::AcqRel) != committed {
            let mut effects = Effects::new();
            effects.note_read(&queue);
            host.run(&mut effects);
        }
    }
}

impl VirtualHost {
    /// The queue with its log, if it is to be a stream. Errors: 541.
    pub(in crate::vhost) fn with_log(&self, queue: Queue) -> Result<Queue> {
        if !queue.kind().is_stream {
            return Ok(queue);
        }
        let logs = &self.shared.streams;
        let id = match queue.storage().id {
            0 => logs.new_id(),
            id => id,
        };
        let settings = log_settings(&Settings::new(&queue.attributes().arguments, &[]));
        let log = logs.open(id, settings).map_err(|error| Error::Storage(error.to_string()))?;
        Ok(queue.with_log(log, logs.are_in_memory(), self.now()))
    }

    /// Has the consumers of a stream served whenever more of it is committed.
    pub(in crate::vhost) fn watch_log(self: &Arc<Self>, queue: &Arc<Queue>) {
        let logs = &self.shared.streams;
        let Some(stream) = queue.stream().filter(|_| !logs.are_in_memory()) else { return };
        let (host, queue) = (Arc::downgrade(self), Arc::downgrade(queue));
        let served = Served { host, queue, served: AtomicU64::new(0) };
        logs.watch(stream.log(), Arc::new(served));
    }

    /// A stream was deleted: its log goes, once that is durable. After a crash either is there as
    /// it was, or nothing of it.
    pub(in crate::vhost) fn drop_log(&self, queue: &Queue, effects: &mut Effects) {
        let Some(stream) = queue.stream() else { return };
        let (logs, id) = (&self.shared.streams, stream.log().id());
        match self.persistence() {
            None => logs.delete(id),
            Some(store) => {
                logs.end(id);
                let logs = logs.clone();
                store.after_recorded(move || logs.delete(id));
            }
        }
        effects.footprint += stream.grown();
    }

    /// Reads a stream for its consumers, as far as they take messages, and removes what is not to
    /// be kept any more.
    pub(in crate::vhost) fn read_stream(
        self: &Arc<Self>,
        queue: &Arc<Queue>,
        effects: &mut Effects,
    ) {
        let Some(stream) = queue.stream().filter(|_| !queue.is_deleted()) else { return };
        let now = self.now();
        while queue.serve_reader(now, effects) {}
        let deadlines = [stream.retain(now), stream.time_out(now, &mut effects.timeouts)];
        let deadlines = deadlines.into_iter().flatten();
        effects.timers.extend(deadlines.map(|deadline| (deadline, Arc::clone(queue))));
        effects.footprint += stream.grown();
    }
}
