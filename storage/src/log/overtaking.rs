//! Lets settlements get through while the disk is too full for the messages before them.

use crate::error::Result;
use crate::key::QueueMap;
use crate::log::batch::LogBatch;
use crate::log::content;
use crate::log::engine::Engine;
use crate::log::frame::Kind;
use crate::log::segment::{Hull, widen};

/// Octets of settlements that are written at a time.
const OCTETS_MAX: usize = 256 << 10;

/// Steps of the search for space after settlements got through.
const STEPS_MAX: usize = 64;

/// Batches that may be written before all that are with them, by their places; copies of them.
#[derive(Debug, Default)]
pub(crate) struct Overtaking {
    pub(crate) places: Vec<usize>,
    batches: Vec<LogBatch>,
}

/// Chooses among batches that wait, in order. A settlement does not overtake a message that it is
/// about.
pub(crate) fn choose<'a>(waiting: impl Iterator<Item = &'a LogBatch>) -> Overtaking {
    let mut overtaking = Overtaking::default();
    let mut octets = 0;
    let mut stuck: QueueMap<Hull> = QueueMap::default();
    for (place, batch) in waiting.enumerate().filter(|(_, batch)| !batch.is_empty()) {
        if batch.overtakes() && !is_about(batch, &stuck) {
            octets += batch.octets();
            if octets > OCTETS_MAX {
                break;
            }
            overtaking.places.push(place);
            overtaking.batches.push(batch.clone());
            continue;
        }
        for (_, head) in batch.heads().filter(|(kind, _)| *kind == Kind::Message) {
            let targets =
                content::targets_and_meta(head).into_iter().flat_map(|(targets, _)| targets);
            targets.for_each(|target| widen(&mut stuck, target.range()));
        }
    }
    overtaking
}

/// Whether a batch settles messages that are, or may be, among these.
fn is_about(batch: &LogBatch, stuck: &QueueMap<Hull>) -> bool {
    let settled = batch.heads().filter(|(kind, _)| *kind == Kind::Settled);
    settled.flat_map(|(_, head)| content::ranges(head).into_iter().flatten()).any(|range| {
        let hull = Hull { first: range.first, last: range.last };
        stuck.get(&range.queue).is_some_and(|stuck| stuck.overlaps(&hull))
    })
}

impl Engine {
    /// Writes what may overtake and looks for the space that it frees. Afterwards `places` are
    /// those of the batches that are durable.
    ///
    /// # Errors
    /// If the disk fails; `places` are right all the same.
    pub(crate) fn overtake(&mut self, overtaking: &mut Overtaking) -> Result<()> {
        let mut written = 0;
        let mut result = Ok(());
        while let Some(rest) = overtaking.batches.get_mut(written..).filter(|r| !r.is_empty()) {
            match self.commit_settlements(rest) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        overtaking.places.truncate(written);
        for _ in 0..STEPS_MAX {
            if !self.maintain().unwrap_or(false) {
                break;
            }
        }
        result
    }
}
