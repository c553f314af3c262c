//! Sets of destinations: those a binding table holds, and those a message goes to.

use std::collections::HashSet;
use std::hash::Hash;

use indexmap::IndexMap;
use smallvec::SmallVec;

/// Up to so many destinations a list is searched from front to back; above, it is hashed.
const SCANNED_MAX: usize = 16;

/// Distinct destinations, each with the number of bindings that lead to it.
#[derive(Debug, Clone)]
pub(super) enum Destinations<D> {
    Few(SmallVec<[(D, u32); 1]>),
    Many(Box<IndexMap<D, u32>>),
}

impl<D: Clone + Eq + Hash> Destinations<D> {
    pub(super) fn new() -> Self {
        Self::Few(SmallVec::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The destination at a position below [`len`](Self::len).
    pub(super) fn get(&self, position: usize) -> Option<&D> {
        match self {
            Self::Few(list) => list.get(position).map(|(destination, _)| destination),
            Self::Many(map) => map.get_index(position).map(|(destination, _)| destination),
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &D> {
        (0..self.len()).filter_map(|position| self.get(position))
    }

    /// Counts one more binding to a destination.
    pub(super) fn add(&mut self, destination: &D) {
        match self {
            Self::Few(list) => {
                if let Some((_, count)) = list.iter_mut().find(|(each, _)| each == destination) {
                    *count += 1;
                } else if list.len() < SCANNED_MAX {
                    list.push((destination.clone(), 1));
                } else {
                    let mut map: IndexMap<_, _> = list.drain(..).collect();
                    map.insert(destination.clone(), 1);
                    *self = Self::Many(Box::new(map));
                }
            }
            Self::Many(map) => *map.entry(destination.clone()).or_insert(0) += 1,
        }
    }

    /// Counts one binding less to a destination; with the last one the destination goes.
    pub(super) fn remove(&mut self, destination: &D) {
        match self {
            Self::Few(list) => {
                let Some(position) = list.iter().position(|(each, _)| each == destination) else {
                    return;
                };
                list[position].1 -= 1;
                if list[position].1 == 0 {
                    list.swap_remove(position);
                }
            }
            Self::Many(map) => {
                let Some(count) = map.get_mut(destination) else { return };
                *count -= 1;
                if *count == 0 {
                    map.swap_remove(destination);
                }
            }
        }
    }

    /// Adds all of them to what a message goes to.
    pub(super) fn collect(&self, out: &mut Collector<'_, D>) {
        match self {
            Self::Few(list) => out.extend(list.iter().map(|(destination, _)| destination)),
            Self::Many(map) => out.extend(map.keys()),
        }
    }
}

/// Appends destinations to a list, each at most once.
pub(super) struct Collector<'a, D> {
    out: &'a mut Vec<D>,
    /// What `out` holds, once that is too much to search from front to back.
    seen: Option<HashSet<D>>,
}

impl<'a, D: Clone + Eq + Hash> Collector<'a, D> {
    pub(super) fn new(out: &'a mut Vec<D>) -> Self {
        Self { out, seen: None }
    }

    pub(super) fn push(&mut self, destination: &D) {
        if self.seen.is_none() && self.out.len() <= SCANNED_MAX {
            if !self.out.contains(destination) {
                self.out.push(destination.clone());
            }
            return;
        }
        let seen = self.seen.get_or_insert_with(|| self.out.iter().cloned().collect());
        if seen.insert(destination.clone()) {
            self.out.push(destination.clone());
        }
    }

    /// Adds destinations of which no two are the same.
    fn extend<'d>(&mut self, distinct: impl Iterator<Item = &'d D>)
    where
        D: 'd,
    {
        if self.out.is_empty() {
            self.out.extend(distinct.cloned());
        } else {
            distinct.for_each(|destination| self.push(destination));
        }
    }
}
