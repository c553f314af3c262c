//! Long backlogs live in the store: reads and writes for the queues that ask for it.

use std::sync::Arc;

use crate::limits::{PAGE_IN_BYTES, PAGE_OUT_MESSAGES};
use crate::persist::messages;
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::queue::paging::PagedIn;
use crate::vhost::VirtualHost;

impl VirtualHost {
    /// Does what queues asked for while they were locked.
    pub(super) fn page(self: &Arc<Self>, effects: &mut Effects) {
        for queue in std::mem::take(&mut effects.page_outs) {
            self.page_out(&queue, effects);
        }
        for queue in std::mem::take(&mut effects.page_ins) {
            self.page_in(&queue, effects);
        }
    }

    /// Memory is scarce: all queues keep no more than their first messages there.
    pub(super) fn page_out_all(&self, effects: &mut Effects) {
        for queue in self.queues() {
            self.page_out(&queue, effects);
        }
    }

    /// Takes messages out of memory that can be read from the store. Those that are not there yet
    /// are handed in, to go another time.
    fn page_out(&self, queue: &Arc<Queue>, effects: &mut Effects) {
        let Some(store) = self.persistence() else { return };
        let id = queue.storage().id;
        let unstored = queue.to_store();
        if !unstored.is_empty() {
            store.spill(id, &unstored);
            let sequences: Vec<u64> = unstored.iter().map(|(sequence, ..)| *sequence).collect();
            queue.note_stored(sequences, effects);
        }
        // As long as it helps.
        loop {
            let Some(from) = queue.first_to_page_out() else { return };
            let before = effects.footprint;
            queue.page_out(&store.written(id, from, PAGE_OUT_MESSAGES), effects);
            if effects.footprint >= before {
                return;
            }
        }
    }

    /// Brings messages back that are due soon. Tells whether any came; if not, the store fails or
    /// there are none.
    pub(crate) fn page_in(self: &Arc<Self>, queue: &Arc<Queue>, effects: &mut Effects) -> bool {
        let (Some(store), Some(wanted)) = (self.persistence(), queue.wanted()) else {
            return false;
        };
        let id = queue.storage().id;
        let Some(stored) = store.read(id, &wanted.sequences, PAGE_IN_BYTES) else { return false };
        let mut scratch = Vec::new();
        let messages = stored.iter().map(|stored| {
            let decoded = messages::decode(stored.as_ref()?, id, &mut scratch)?;
            Some(PagedIn { message: decoded.message, expires_at: decoded.deadline })
        });
        let messages: Vec<_> = messages.collect();
        let any = !messages.is_empty();
        queue.page_in(&wanted, messages, self.now(), effects);
        any
    }
}
