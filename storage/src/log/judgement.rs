//! Which of the records that a segment holds were completed.
//!
//! A group is written after the one before it was synced. So whatever is missing in a group that
//! is not the last one of the log was damaged later, and its other records count. In the last
//! group a batch counts if all of it is there, and all that is before it in the group: what is
//! missing was not completed. A disk may have written the end of a group and not its beginning, but
//! what was submitted later may rely on what was submitted before, as the settlement of a message
//! does on its copy in another queue.

use std::mem;

use crate::log::content::Content;
use crate::log::scan::{Hole, Record, Scanned};

/// What is known of a segment from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// Everything before this was durable.
    pub(crate) durable_to: u64,
    /// What is behind this does not count, if it is known.
    pub(crate) ends_at: Option<u64>,
}

/// A segment's records that count, and what to do with the rest.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) records: Vec<Record>,
    /// Lost.
    pub(crate) damage: Vec<Hole>,
    /// Not completed, for the report.
    pub(crate) torn: Vec<Hole>,
    /// Parts to be written over.
    pub(crate) cut: Vec<Hole>,
    /// Octets up to the end of the last record.
    pub(crate) used: u64,
    scanned: Scanned,
}

impl Judged {
    pub(crate) fn unjudged(scanned: Scanned) -> Self {
        Self { scanned, ..Self::default() }
    }

    pub(crate) fn into_scanned(self) -> Scanned {
        self.scanned
    }

    /// Takes the mark of a stop in order away, so that it does not stand for the next stop too;
    /// tells whether it is the last thing there.
    pub(crate) fn take_clean_stop(&mut self) -> bool {
        let last = self.records.pop_if(|record| record.content == Content::CleanStop);
        if let Some(record) = &last {
            self.cut.push(Hole::new(record.offset, record.end()));
        }
        last.is_some() && self.torn.is_empty()
    }
}

pub(crate) fn judge(
    mut scanned: Scanned,
    last_group: u64,
    is_last: bool,
    bounds: Bounds,
) -> Judged {
    if let Some(end) = bounds.ends_at {
        scanned.end_at(end);
    }
    let used = scanned.used();
    let mut judged = Judged { used, ..Judged::default() };
    if used < bounds.durable_to && scanned.holes.last().is_none_or(|hole| hole.from < used) {
        judged.damage.push(Hole::new(used, bounds.durable_to));
    }
    judged.take_holes(&scanned, last_group, is_last, bounds);
    let mut batch: Vec<Record> = Vec::new();
    for record in scanned.records {
        let follows = match batch.last() {
            None => record.ordinal == 0,
            Some(before) => {
                before.end() == record.offset
                    && before.group == record.group
                    && before.ordinal.checked_add(1) == Some(record.ordinal)
            }
        };
        if !follows {
            judged.take_part(mem::take(&mut batch), last_group);
            if record.ordinal > 0 {
                judged.take_part(vec![record], last_group);
                continue;
            }
        }
        let last = record.last;
        batch.push(record);
        if last {
            judged.records.append(&mut batch);
        }
    }
    judged.take_part(batch, last_group);
    judged.end_at_first_hole(last_group);
    judged
}

impl Judged {
    /// Tells which holes are damage and which are torn.
    fn take_holes(&mut self, scanned: &Scanned, last_group: u64, is_last: bool, bounds: Bounds) {
        for hole in &scanned.holes {
            let at = scanned.records.partition_point(|record| record.offset < hole.from);
            let before = at.checked_sub(1).and_then(|at| scanned.records.get(at));
            let after = scanned.records.get(at);
            let uncertain = match (before, after) {
                (_, Some(after)) => after.group >= last_group,
                // What is known to be durable ends here: the next group was torn before any of it.
                (Some(_), None) if is_last && (1..=hole.from).contains(&bounds.durable_to) => true,
                (Some(before), None) => before.group >= last_group,
                (None, None) => is_last,
            };
            if !uncertain {
                self.damage.push(*hole);
                continue;
            }
            let mut hole = *hole;
            if hole.from < bounds.durable_to {
                let durable_to = bounds.durable_to.min(hole.to);
                self.damage.push(Hole::new(hole.from, durable_to));
                hole.from = durable_to;
            }
            if hole.from == hole.to {
                continue;
            }
            self.torn.push(hole);
            // Behind the last record it is enough that all broken headers are gone: with a later
            // group in the log they would be taken for damage.
            let to = if after.is_some() { hole.to } else { hole.to.min(hole.broken_to) };
            self.cut.push(Hole::new(hole.from, to));
        }
    }

    /// What comes behind a hole in the last group does not count.
    fn end_at_first_hole(&mut self, last_group: u64) {
        let Some(end) = self.torn.iter().map(|hole| hole.from).min() else { return };
        let counts = |record: &Record| record.group < last_group || record.offset < end;
        let (records, behind) = mem::take(&mut self.records).into_iter().partition(counts);
        self.records = records;
        self.take_part(behind, last_group);
    }

    /// Takes what there is of a batch.
    fn take_part(&mut self, records: Vec<Record>, last_group: u64) {
        for record in records {
            if record.group < last_group {
                self.records.push(record);
            } else {
                let hole = Hole::new(record.offset, record.end());
                self.torn.push(hole);
                self.cut.push(hole);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64, group: u64) -> Record {
        let content = Content::Settled(Vec::new());
        Record { offset, span: 40, group, ordinal: 0, last: true, content }
    }

    #[test]
    fn the_last_group_ends_at_its_first_hole() {
        let scanned = Scanned {
            records: vec![record(0, 1), record(80, 1), record(120, 2), record(200, 2)],
            holes: vec![Hole::new(40, 80), Hole::new(160, 200)],
        };
        let judged = judge(scanned, 2, true, Bounds::default());
        let offsets: Vec<u64> = judged.records.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, [0, 80, 120]);
        assert_eq!(judged.damage, [Hole::new(40, 80)]);
        let rest = [Hole::new(160, 200), Hole::new(200, 240)];
        assert_eq!((judged.torn, judged.cut), (rest.to_vec(), rest.to_vec()));
    }
}
