//! Acknowledgements that queues have not heard of, of all channels of a connection: a queue is
//! locked once for those that follow each other.

use std::sync::Arc;

use crate::limits::ACK_BATCH_MAX;
use crate::queue::Queue;
use crate::time::clock::Timestamp;

/// So much room is kept for the next ones.
const ROOM_KEPT: usize = 2 * ACK_BATCH_MAX;

/// Deliveries that were acknowledged, in order.
#[derive(Default)]
pub(crate) struct Acked {
    /// The numbers by which their queues know them.
    ids: Vec<u64>,
    /// Whose they are, and how many, one after the other.
    runs: Vec<(Arc<Queue>, usize)>,
    /// When the first of them came.
    since: Option<Timestamp>,
    /// The channels of which consumers were turned away, and may be resumed once queues have heard.
    starved: Vec<u16>,
}

impl Acked {
    /// Whether there is nothing to be done.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.starved.is_empty()
    }

    /// Whether queues should hear of them before more come.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.ids.len() >= ACK_BATCH_MAX
    }

    /// When the first of them came: if there is none, `now`.
    #[inline]
    pub(crate) fn since(&mut self, now: impl FnOnce() -> Timestamp) -> Timestamp {
        if self.runs.is_empty() {
            self.since = None;
        }
        *self.since.get_or_insert_with(now)
    }

    /// A delivery, whose queue is [given](Acked::give) once all are there that follow it.
    #[inline]
    pub(crate) fn add(&mut self, id: u64) {
        self.ids.push(id);
    }

    /// The last `count` are those of this queue, or of none that is known.
    #[inline]
    pub(crate) fn give(&mut self, queue: Option<&Arc<Queue>>, count: usize) {
        match (queue, self.runs.last_mut()) {
            (None, _) => self.ids.truncate(self.ids.len() - count),
            (Some(queue), Some((last, known))) if Arc::ptr_eq(last, queue) => *known += count,
            (Some(queue), _) => self.runs.push((Arc::clone(queue), count)),
        }
    }

    /// Consumers of this channel were turned away.
    pub(crate) fn note_starved(&mut self, channel: u16) {
        if self.starved.last() != Some(&channel) {
            self.starved.push(channel);
        }
    }

    /// Takes the channels of which consumers were turned away.
    pub(crate) fn take_starved(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.starved)
    }

    /// Hands all to `settle`: the queue, the numbers, and when they came.
    pub(crate) fn drain(&mut self, mut settle: impl FnMut(&Arc<Queue>, &[u64], Timestamp)) {
        let Some(now) = self.since.take() else { return };
        let mut rest = self.ids.as_slice();
        for (queue, count) in self.runs.drain(..) {
            let (own, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            settle(&queue, own, now);
            rest = others;
        }
        self.ids.clear();
        self.ids.shrink_to(ROOM_KEPT);
        self.runs.shrink_to(ROOM_KEPT);
    }
}
