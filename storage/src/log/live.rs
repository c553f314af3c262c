//! Where the live messages of a queue are: eight octets each, in runs.

use std::collections::{BTreeMap, VecDeque};

/// Longest gap between sequences that a run bridges by empty places.
const GAP_MAX: u64 = 64;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// Octets of the record.
    pub(crate) span: u32,
}

/// A place of a run. A span of 0 means that nothing is there.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// In units of 8 octets.
    offset: u32,
    span: u32,
}

/// Messages in sequence that are in one segment.
#[derive(Clone, Debug)]
struct Run {
    segment: u64,
    places: VecDeque<Place>,
}

impl Run {
    fn new(location: Location) -> Self {
        Self { segment: location.segment, places: VecDeque::from([Place::new(location)]) }
    }

    fn locate(&self, index: u64) -> Option<Location> {
        let place = self.places.get(usize::try_from(index).ok()?)?;
        (place.span > 0).then(|| Location {
            segment: self.segment,
            offset: u64::from(place.offset) * 8,
            span: place.span,
        })
    }
}

impl Place {
    fn new(location: Location) -> Self {
        Self { offset: (location.offset / 8) as u32, span: location.span }
    }
}

/// The live messages of a queue. Runs do not overlap, and begin and end with a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    runs: BTreeMap<u64, Run>,
    count: u64,
}

impl Live {
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    pub(crate) fn get(&self, sequence: u64) -> Option<Location> {
        let (first, run) = self.runs.range(..=sequence).next_back()?;
        run.locate(sequence - first)
    }

    /// Sets where a message is, and returns where it was.
    pub(crate) fn insert(&mut self, sequence: u64, location: Location) -> Option<Location> {
        // Nearly always it follows the last one.
        if let Some(mut last) = self.runs.last_entry()
            && last.get().segment == location.segment
            && last.key() + last.get().places.len() as u64 == sequence
        {
            last.get_mut().places.push_back(Place::new(location));
            self.count += 1;
            return None;
        }
        let before = self.remove_one(sequence);
        self.count += 1;
        let next = self.runs.range(sequence..).next().map(|(first, _)| *first);
        if let Some((&first, run)) = self.runs.range_mut(..sequence).next_back() {
            let end = first + run.places.len() as u64;
            let gap = sequence.saturating_sub(end);
            let extends = sequence >= end && gap <= GAP_MAX && run.segment == location.segment;
            if extends && next.is_none_or(|next| next > sequence) {
                run.places.extend((0..gap).map(|_| Place::default()));
                run.places.push_back(Place::new(location));
                return before;
            }
            if sequence < end {
                self.split(first, sequence);
            }
        }
        self.runs.insert(sequence, Run::new(location));
        before
    }

    /// Splits the run that begins at `first` in what is before and what is after a sequence whose
    /// place is empty.
    fn split(&mut self, first: u64, sequence: u64) {
        let Some(mut left) = self.runs.remove(&first) else { return };
        let at = (sequence - first) as usize;
        let segment = left.segment;
        // The smaller part is moved: messages are moved one by one from the front of long runs.
        let right = if at * 2 < left.places.len() {
            let mut right = left.places;
            left.places = right.drain(..at).collect();
            right
        } else {
            left.places.split_off(at)
        };
        self.put_back(first, left);
        self.put_back(sequence, Run { segment, places: right });
    }

    /// Takes a run back without the empty places at its ends.
    fn put_back(&mut self, first: u64, mut run: Run) {
        let is_used = |place: &Place| place.span > 0;
        let Some(empty) = run.places.iter().position(is_used) else { return };
        let end = run.places.iter().rposition(is_used).map_or(0, |last| last + 1);
        run.places.truncate(end);
        run.places.drain(..empty);
        self.runs.insert(first + empty as u64, run);
    }

    fn remove_one(&mut self, sequence: u64) -> Option<Location> {
        let (&first, run) = self.runs.range_mut(..=sequence).next_back()?;
        let before = run.locate(sequence - first)?;
        if let Some(place) = run.places.get_mut((sequence - first) as usize) {
            *place = Place::default();
        }
        self.count -= 1;
        let ends = sequence == first || sequence + 1 == first + run.places.len() as u64;
        if ends && let Some(run) = self.runs.remove(&first) {
            self.put_back(first, run);
        }
        Some(before)
    }

    /// Removes the messages of a range, and calls `gone` with segments and how many were there.
    pub(crate) fn remove(&mut self, first: u64, last: u64, mut gone: impl FnMut(u64, u64)) {
        if first == last {
            self.remove_one(first).into_iter().for_each(|location| gone(location.segment, 1));
            return;
        }
        let begin = self.runs.range(..=first).next_back().map_or(first, |(begin, _)| *begin);
        if begin > last || first > last {
            return;
        }
        let touched: Vec<u64> = self.runs.range(begin..=last).map(|(first, _)| *first).collect();
        for run_first in touched {
            let Some(mut run) = self.runs.remove(&run_first) else { continue };
            let from = first.saturating_sub(run_first).min(run.places.len() as u64);
            let to = (last - run_first).saturating_add(1).min(run.places.len() as u64);
            let removed = run.places.range_mut(from as usize..to as usize);
            let count = removed.map(|place| u64::from(std::mem::take(place).span > 0)).sum();
            self.count -= count;
            if count > 0 {
                gone(run.segment, count);
            }
            self.put_back(run_first, run);
        }
    }

    /// Sequences and places from a sequence on, in order.
    pub(crate) fn iter_from(&self, sequence: u64) -> impl Iterator<Item = (u64, Location)> {
        let begin = self.runs.range(..=sequence).next_back().map_or(sequence, |(first, _)| *first);
        self.runs.range(begin..).flat_map(move |(&first, run)| {
            let skipped = sequence.saturating_sub(first).min(run.places.len() as u64);
            (skipped..run.places.len() as u64)
                .filter_map(move |index| Some((first + index, run.locate(index)?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in vec((0..3_u8, 0..200_u64, 0..30_u64), 0..200)) {
            let mut live = Live::default();
            let mut map = BTreeMap::new();
            for (number, (kind, sequence, more)) in (0..).zip(steps) {
                if kind == 0 {
                    let mut gone = 0;
                    live.remove(sequence, sequence + more, |_, count| gone += count as usize);
                    let before = map.len();
                    map.retain(|key, _| !(sequence..=sequence + more).contains(key));
                    prop_assert_eq!(before - map.len(), gone);
                } else {
                    let location = Location { segment: more % 3, offset: number * 8, span: 8 };
                    let before = map.insert(sequence, location);
                    prop_assert_eq!(live.insert(sequence, location), before);
                }
                prop_assert_eq!(live.len(), map.len() as u64);
                let from = more * 5;
                let found: Vec<_> = live.iter_from(from).collect();
                let rest = map.range(from..);
                let expected: Vec<_> = rest.map(|(key, value)| (*key, *value)).collect();
                prop_assert_eq!(found, expected);
                prop_assert_eq!(live.get(sequence), map.get(&sequence).copied());
            }
        }
    }
}
