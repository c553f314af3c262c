//! A map from rising numbers to values that are mostly removed in the order they came: delivery
//! tags of a channel, deliveries of a queue.

use std::collections::VecDeque;

/// Removed slots are kept until this many and three quarters of all have piled up.
const COMPACT_AT: usize = 64;

/// Values by strictly rising keys. Insertion at the end and removal near the front take constant
/// time; a few old survivors do not keep the memory of everything that came after them.
#[derive(Debug)]
pub(crate) struct SequenceMap<T> {
    slots: VecDeque<(u64, Option<T>)>,
    live: usize,
}

impl<T> Default for SequenceMap<T> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), live: 0 }
    }
}

impl<T> SequenceMap<T> {
    /// Values held.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Appends a value. `key` must be above every key that was ever appended.
    pub(crate) fn push(&mut self, key: u64, value: T) {
        debug_assert!(self.slots.back().is_none_or(|(last, _)| *last < key));
        self.slots.push_back((key, Some(value)));
        self.live += 1;
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        let at = self.position(key)?;
        self.slots.get(at)?.1.as_ref()
    }

    /// Removes and returns the value of `key`.
    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let is_first = self.slots.front().is_some_and(|(first, _)| *first == key);
        let value = if is_first {
            self.slots.pop_front()?.1?
        } else {
            let at = self.position(key)?;
            self.slots.get_mut(at)?.1.take()?
        };
        self.live -= 1;
        self.tidy();
        Some(value)
    }

    /// Removes every value up to and including `key`, in order, and hands each to `each`.
    pub(crate) fn remove_up_to(&mut self, key: u64, mut each: impl FnMut(u64, T)) {
        while let Some((first, _)) = self.slots.front() {
            if *first > key {
                break;
            }
            if let Some((first, Some(value))) = self.slots.pop_front() {
                self.live -= 1;
                each(first, value);
            }
        }
        self.tidy();
    }

    /// Removes everything, in order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (u64, T)> + use<T> {
        self.live = 0;
        std::mem::take(&mut self.slots)
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| (key, value)))
    }

    /// The values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().filter_map(|(key, value)| value.as_ref().map(|value| (*key, value)))
    }

    /// The values in order, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// Without gaps the place follows from the key; with them it is searched for.
    fn position(&self, key: u64) -> Option<usize> {
        let (first, _) = self.slots.front()?;
        let guess = usize::try_from(key.checked_sub(*first)?).ok()?;
        if self.slots.get(guess).is_some_and(|(found, _)| *found == key) {
            return Some(guess);
        }
        self.slots.binary_search_by_key(&key, |(key, _)| *key).ok()
    }

    fn tidy(&mut self) {
        while let Some((_, None)) = self.slots.front() {
            self.slots.pop_front();
        }
        if self.slots.len() > COMPACT_AT && self.live < self.slots.len() / 4 {
            self.slots.retain(|(_, value)| value.is_some());
        }
        if self.live == 0 && self.slots.capacity() > 16 * COMPACT_AT {
            self.slots.shrink_to(COMPACT_AT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(
            steps in prop::collection::vec((0u8..10, 1u64..4, any::<prop::sample::Index>()), 1..400)
        ) {
            let (mut ring, mut model) = (SequenceMap::default(), BTreeMap::new());
            let mut next = 0;
            for (step, gap, which) in steps {
                match step {
                    0..5 => {
                        next += gap;
                        ring.push(next, next * 10);
                        model.insert(next, next * 10);
                    }
                    5..9 => {
                        let key = which.index(next as usize + 2) as u64;
                        prop_assert_eq!(ring.get(key), model.get(&key));
                        prop_assert_eq!(ring.remove(key), model.remove(&key));
                    }
                    _ => {
                        let key = which.index(next as usize + 2) as u64;
                        let mut removed = Vec::new();
                        ring.remove_up_to(key, |key, value| removed.push((key, value)));
                        let rest = model.split_off(&(key + 1));
                        prop_assert_eq!(removed, model.into_iter().collect::<Vec<_>>());
                        model = rest;
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                let pairs: Vec<_> = ring.iter().map(|(key, value)| (key, *value)).collect();
                prop_assert_eq!(pairs, model.clone().into_iter().collect::<Vec<_>>());
            }
        }

        #[test]
        fn memory_follows_what_is_held(count in 100u64..5000) {
            let mut ring = SequenceMap::default();
            ring.push(0, ());
            for key in 1..count {
                ring.push(key, ());
                ring.remove(key);
            }
            prop_assert!(ring.slots.len() <= COMPACT_AT + 1);
        }
    }
}
