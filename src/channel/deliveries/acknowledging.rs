//! Acknowledgements that are gathered: the channel has done with the deliveries, and their queues
//! are told later.

use crate::channel::counted::Delivered;
use crate::channel::deliveries::credit::Credit;
use crate::channel::deliveries::sources::Sources;
use crate::channel::deliveries::{Deliveries, FORGOTTEN, State, Unacked};
use crate::error::{Error, Result};
use crate::queue::acked::Acked;

impl Deliveries {
    /// Deliveries are acknowledged, as [`Deliveries::take`] takes them, and count as settled; their
    /// queues have to be told. Errors: 406 unknown delivery tag.
    #[inline]
    pub(in crate::channel) fn acknowledge(
        &self,
        tag: u64,
        multiple: bool,
        acked: &mut Acked,
    ) -> Result<()> {
        let mut state = self.state.lock();
        let State { unacked, sources, credit, delivered, .. } = &mut *state;
        let mut run =
            AckedRun { sources, credit, delivered, acked, source: 0, count: 0, counted: 0 };
        if !multiple {
            run.add(unacked.remove(tag).ok_or(Error::UnknownDeliveryTag(tag))?);
        } else if tag == 0 {
            unacked.drain().for_each(|(_, unacked)| run.add(unacked));
        } else {
            if unacked.get(tag).is_none() {
                return Err(Error::UnknownDeliveryTag(tag));
            }
            unacked.remove_up_to(tag, |_, unacked| run.add(unacked));
        }
        run.finish();
        Ok(())
    }
}

/// Deliveries of one source that are acknowledged one after the other.
struct AckedRun<'a> {
    sources: &'a mut Sources,
    credit: &'a mut Credit,
    delivered: &'a mut Delivered,
    acked: &'a mut Acked,
    source: u32,
    count: usize,
    /// So many of them are known to their queue.
    counted: u32,
}

impl AckedRun<'_> {
    #[inline]
    fn add(&mut self, Unacked { source, id }: Unacked) {
        if source != self.source {
            self.finish();
            self.source = source;
        }
        self.acked.add(id);
        self.count += 1;
        self.counted += u32::from(id != FORGOTTEN);
    }

    /// No more come of this source.
    #[inline]
    fn finish(&mut self) {
        let (count, counted) = (std::mem::take(&mut self.count), std::mem::take(&mut self.counted));
        if count == 0 {
            return;
        }
        self.delivered.ack += count as u64;
        let known = self.sources.get(self.source);
        self.acked.give(known.map(|known| &known.queue), count);
        if self.sources.settle(self.source, count) {
            self.credit.release(counted);
        }
    }
}
