//! Acknowledgements that are gathered: the channel has done with the deliveries, and their queues
//! are told later.

use std::ops::RangeInclusive;

use crate::channel::counted::Delivered;
use crate::channel::deliveries::credit::Credit;
use crate::channel::deliveries::sources::Sources;
use crate::channel::deliveries::{Deliveries, FORGOTTEN, State, Unacked};
use crate::error::{Error, Result};
use crate::queue::acked::Acked;

impl Deliveries {
    /// Deliveries are acknowledged one after the other, as [`Deliveries::take`] takes each, and
    /// count as settled; their queues have to be told. Errors: 406 unknown delivery tag; those
    /// before it are acknowledged.
    #[inline]
    pub(in crate::channel) fn acknowledge(
        &self,
        tags: RangeInclusive<u64>,
        multiple: bool,
        acked: &mut Acked,
    ) -> Result<()> {
        let mut state = self.state.lock();
        let State { unacked, sources, credit, delivered, .. } = &mut *state;
        let mut run =
            AckedRun { sources, credit, delivered, acked, source: 0, count: 0, counted: 0 };
        let last = *tags.end();
        let result = if !multiple {
            unacked.remove_each(tags, |tag, unacked| {
                run.add(unacked.ok_or(Error::UnknownDeliveryTag(tag))?);
                Ok(())
            })
        } else if last == 0 {
            unacked.drain().for_each(|(_, unacked)| run.add(unacked));
            Ok(())
        } else if unacked.get(last).is_none() {
            Err(Error::UnknownDeliveryTag(last))
        } else {
            unacked.remove_up_to(last, |_, unacked| run.add(unacked));
            Ok(())
        };
        run.finish();
        result
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
