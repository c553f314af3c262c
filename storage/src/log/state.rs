//! What the log knows in memory: where every live message is, and what each segment holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::DiskFile;
use crate::key::{QueueId, QueueMap};
use crate::log::content::{Range, Target};
use crate::log::live::{Live, Location};
use crate::log::segment::{Hull, Segment};
use crate::log::usage::IoUsage;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) segments: BTreeMap<u64, Segment>,
    queues: QueueMap<Live>,
    /// Messages that are gone since the last look for space.
    gone: u64,
    /// A segment has no live message any more.
    emptied: bool,
    /// Syncs, and how long they have taken, in microseconds.
    pub(crate) syncs: u64,
    pub(crate) sync_us: u64,
    pub(crate) writes: IoUsage,
    pub(crate) reads: IoUsage,
}

/// So many messages are worth a look for space when they are gone.
const GONE: u64 = 4096;

/// Shared between the writer and those who read.
pub(crate) type SharedState = Arc<Mutex<State>>;

impl State {
    pub(crate) fn live(&self, queue: QueueId) -> Option<&Live> {
        self.queues.get(&queue)
    }

    pub(crate) fn locate(&self, target: Target) -> Option<(Location, Arc<dyn DiskFile>)> {
        let location = self.queues.get(&target.queue)?.get(target.sequence)?;
        let segment = self.segments.get(&location.segment)?;
        Some((location, segment.file.clone()))
    }

    pub(crate) fn is_at(&self, target: Target, segment: u64, offset: u64) -> bool {
        let location = self.queues.get(&target.queue).and_then(|live| live.get(target.sequence));
        location.is_some_and(|found| found.segment == segment && found.offset == offset)
    }

    /// A message is at this place from now on.
    pub(crate) fn message(
        &mut self,
        location: Location,
        targets: impl Iterator<Item = Target> + Clone,
    ) {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live += segment.note_message(targets.clone(), u64::from(location.span));
        }
        targets.for_each(|target| self.set_place(location, target));
    }

    /// Sets where a message is, whose record the segment knows.
    pub(crate) fn place(&mut self, location: Location, target: Target) {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live += 1;
        }
        self.set_place(location, target);
    }

    fn set_place(&mut self, location: Location, target: Target) {
        let live = self.queues.entry(target.queue).or_default();
        if let Some(before) = live.insert(target.sequence, location)
            && let Some(segment) = self.segments.get_mut(&before.segment)
        {
            segment.live = segment.live.saturating_sub(1);
        }
    }

    /// Messages are gone, as a record of this segment says.
    pub(crate) fn settled(&mut self, segment: u64, range: Range) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.note_settled(range);
        }
        self.remove(range);
    }

    pub(crate) fn remove(&mut self, range: Range) {
        let Some(live) = self.queues.get_mut(&range.queue) else { return };
        let (segments, gone, emptied) = (&mut self.segments, &mut self.gone, &mut self.emptied);
        live.remove(range.first, range.last, |segment, count| {
            *gone += count;
            if let Some(segment) = segments.get_mut(&segment) {
                segment.live = segment.live.saturating_sub(count);
                *emptied |= segment.live == 0;
            }
        });
        if live.len() == 0 {
            self.queues.remove(&range.queue);
        }
    }

    /// Whether so much has changed that a look for space is worth it.
    pub(crate) fn take_changed(&mut self) -> bool {
        let changed = self.emptied || self.gone >= GONE;
        if changed {
            (self.emptied, self.gone) = (false, 0);
        }
        changed
    }

    /// Whether a segment's settlements may be about messages that earlier segments hold.
    pub(crate) fn settlements_matter(&self, number: u64) -> bool {
        let Some(segment) = self.segments.get(&number) else { return false };
        segment.settled.iter().any(|(queue, hull)| self.hull_matters(number, *queue, *hull))
    }

    fn hull_matters(&self, number: u64, queue: QueueId, hull: Hull) -> bool {
        self.segments
            .range(..number)
            .filter_map(|(_, earlier)| earlier.present.get(&queue))
            .any(|present| present.overlaps(&hull))
    }

    /// Whether a settlement of a segment may be about messages that earlier segments hold.
    pub(crate) fn range_matters(&self, number: u64, range: Range) -> bool {
        let hull = Hull { first: range.first, last: range.last };
        self.hull_matters(number, range.queue, hull)
    }
}
