//! Long backlogs live in the store: reads and writes for the queues that ask for it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::ids::StoreId;
use crate::error::{Error, Result};
use crate::limits::{PAGE_IN_BYTES, PAGE_IN_MESSAGES, PAGE_OUT_MESSAGES, PEEK_PART};
use crate::persist::messages::{self, Decoded};
use crate::queue::Queue;
use crate::queue::effects::Effects;
use crate::queue::fifo::entry::{Entry, Peeked};
use crate::queue::fifo::paging::PagedIn;
use crate::vhost::VirtualHost;

impl VirtualHost {
    /// Does what queues asked for while they were locked.
    pub(in crate::vhost) fn page(self: &Arc<Self>, effects: &mut Effects) {
        for queue in std::mem::take(&mut effects.page_outs) {
            self.page_out(&queue, effects);
        }
        for queue in std::mem::take(&mut effects.page_ins) {
            self.page_in(&queue, effects);
        }
    }

    /// Memory is scarce: all queues keep no more than their first messages there.
    pub(in crate::vhost) fn page_out_all(&self, effects: &mut Effects) {
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

    /// The first `max` ready messages of a queue, in the order in which they are served if no
    /// others come. Those that are in the store are read and stay there. Errors: 541.
    pub(crate) fn peek(&self, queue: &Queue, max: usize) -> Result<Vec<Entry>> {
        self.peek_behind(queue, 0, max, u64::MAX)
    }

    /// The same without the first `skip` messages, and no more than those whose bodies have
    /// `bytes_max` octets, about. Errors: 541.
    pub(crate) fn peek_behind(
        &self,
        queue: &Queue,
        skip: usize,
        max: usize,
        bytes_max: u64,
    ) -> Result<Vec<Entry>> {
        let all = skip.saturating_add(max);
        if queue.stream().is_some() {
            return queue.read_first(all).map(|entries| entries.into_iter().skip(skip).collect());
        }
        let mut peeked = queue.peek(all);
        peeked.drain(..skip.min(peeked.len()));
        let (mut entries, mut octets) = (Vec::with_capacity(peeked.len()), 0);
        for part in peeked.chunks(PEEK_PART) {
            let mut paged = self.read_paged(queue, part)?;
            entries.extend(part.iter().filter_map(|peeked| match peeked {
                Peeked::InMemory(entry) => Some(entry.clone()),
                // What is not there was taken meanwhile.
                Peeked::Paged(sequence, history) => {
                    let PagedIn { message, expires_at } = paged.remove(sequence)?;
                    Some(Entry::stored(message, *sequence, expires_at, *history))
                }
            }));
            let new = entries.iter().rev().take(part.len());
            octets += new.map(Entry::body_bytes).sum::<u64>();
            if octets > bytes_max {
                break;
            }
        }
        Ok(entries)
    }

    /// Those of the messages that are in the store alone, by sequence.
    fn read_paged(&self, queue: &Queue, peeked: &[Peeked]) -> Result<HashMap<u64, PagedIn>> {
        let sequences = peeked.iter().filter_map(|peeked| match peeked {
            Peeked::Paged(sequence, _) => Some(*sequence),
            Peeked::InMemory(_) => None,
        });
        let mut sequences: Vec<u64> = sequences.collect();
        sequences.sort_unstable();
        let mut found = HashMap::with_capacity(sequences.len());
        self.read_stored(queue.storage().id, &sequences, |sequence, stored| {
            found.extend(stored.map(|Decoded { message, deadline, .. }| {
                (sequence, PagedIn { message, expires_at: deadline })
            }));
        })?;
        Ok(found)
    }

    /// Reads messages of a queue or an exchange from the store, in order; one that is not there
    /// is `None`. Errors: 541.
    pub(in crate::vhost) fn read_stored(
        &self,
        id: StoreId,
        sequences: &[u64],
        mut each: impl FnMut(u64, Option<Decoded>),
    ) -> Result<()> {
        let Some(store) = self.persistence() else { return Ok(()) };
        let mut scratch = Vec::new();
        let mut rest = sequences;
        while !rest.is_empty() {
            let chunk = rest.get(..PAGE_IN_MESSAGES.min(rest.len())).unwrap_or_default();
            let stored = store.look_up(id, chunk, PAGE_IN_BYTES).map_err(Error::Storage)?;
            let (read, left) = rest.split_at(stored.len().clamp(1, rest.len()));
            rest = left;
            for (sequence, stored) in read.iter().zip(stored) {
                let decoded = stored.and_then(|s| messages::decode(&s, id, &mut scratch));
                each(*sequence, decoded);
            }
        }
        Ok(())
    }
}
