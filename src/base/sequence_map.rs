//! A map from rising numbers to values that are mostly removed in the order they came: delivery
//! tags of a channel, deliveries of a queue.

use std::collections::VecDeque;

/// Most slots of a block.
const BLOCK: usize = 2048;

/// A block with fewer slots is joined to one beside it.
const SPARSE: usize = BLOCK / 8;

/// Removed slots of a block are kept until this many and three quarters of all have piled up.
const COMPACT_AT: usize = 64;

/// Values by strictly rising keys. Insertion at the end and removal near the front take constant
/// time; a few old survivors do not keep the memory of everything that came after them. It grows
/// and shrinks in blocks: no step takes long because there are many.
#[derive(Debug)]
pub(crate) struct SequenceMap<T> {
    /// The first ones: empty only if there are none at all.
    head: Block<T>,
    /// Those behind them, if there are any.
    rest: Option<Box<Rest<T>>>,
}

/// Values in blocks of which none is empty.
#[derive(Debug)]
struct Rest<T> {
    blocks: VecDeque<Block<T>>,
    live: usize,
}

/// Slots in order, of which the first is a value.
#[derive(Debug)]
struct Block<T> {
    slots: VecDeque<(u64, Option<T>)>,
    live: usize,
}

impl<T> Default for Block<T> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), live: 0 }
    }
}

impl<T> Default for SequenceMap<T> {
    fn default() -> Self {
        Self { head: Block::default(), rest: None }
    }
}

impl<T> Default for Rest<T> {
    fn default() -> Self {
        Self { blocks: VecDeque::new(), live: 0 }
    }
}

impl<T> Block<T> {
    #[inline]
    fn push(&mut self, key: u64, value: T) {
        self.slots.push_back((key, Some(value)));
        self.live += 1;
    }

    #[inline]
    fn first(&self) -> Option<u64> {
        self.slots.front().map(|(key, _)| *key)
    }

    #[inline]
    fn last(&self) -> Option<u64> {
        self.slots.back().map(|(key, _)| *key)
    }

    /// Without gaps the place follows from the key; with them it is searched for.
    #[inline]
    fn position(&self, key: u64) -> Option<usize> {
        let guess = usize::try_from(key.checked_sub(self.first()?)?).ok()?;
        if self.slots.get(guess).is_some_and(|(found, _)| *found == key) {
            return Some(guess);
        }
        self.slots.binary_search_by_key(&key, |(key, _)| *key).ok()
    }

    #[inline]
    fn get(&self, key: u64) -> Option<&T> {
        let guess = usize::try_from(key.checked_sub(self.first()?)?).ok()?;
        match self.slots.get(guess) {
            Some((found, value)) if *found == key => value.as_ref(),
            _ => self.slots.get(self.position(key)?)?.1.as_ref(),
        }
    }

    /// Takes the first value if this is its key. The next one need not be there then.
    #[inline]
    fn pop(&mut self, key: u64) -> Option<T> {
        if self.first() != Some(key) {
            return None;
        }
        let value = self.slots.pop_front()?.1?;
        self.live -= 1;
        Some(value)
    }

    #[inline]
    fn tidy(&mut self) {
        while let Some((_, None)) = self.slots.front() {
            self.slots.pop_front();
        }
        if self.slots.is_empty() {
            self.slots.clear(); // the next one takes the first place, which is in the cache
        }
        if self.slots.capacity() > COMPACT_AT && self.live < self.slots.capacity() / 4 {
            self.compact();
        }
    }

    #[cold]
    fn compact(&mut self) {
        if self.slots.len() > COMPACT_AT && self.live < self.slots.len() / 4 {
            self.slots.retain(|(_, value)| value.is_some());
        }
        if self.live == 0 && self.slots.capacity() > 16 * COMPACT_AT {
            self.slots.shrink_to(COMPACT_AT);
        }
    }
}

impl<T> SequenceMap<T> {
    /// Values held.
    pub(crate) fn len(&self) -> usize {
        self.head.live + self.rest.as_ref().map_or(0, |rest| rest.live)
    }

    /// Appends a value. `key` must be above every key that was ever appended.
    #[inline]
    pub(crate) fn push(&mut self, key: u64, value: T) {
        debug_assert!(self.blocks().last().and_then(Block::last).is_none_or(|last| last < key));
        if self.rest.is_none() && self.head.slots.len() < BLOCK {
            return self.head.push(key, value);
        }
        self.push_far_back(key, value);
    }

    fn push_far_back(&mut self, key: u64, value: T) {
        let rest = self.rest.get_or_insert_default();
        rest.live += 1;
        match rest.blocks.back_mut() {
            Some(last) if last.slots.len() < BLOCK => last.push(key, value),
            _ => {
                let mut block = Block { slots: VecDeque::with_capacity(BLOCK), live: 0 };
                block.push(key, value);
                rest.blocks.push_back(block);
            }
        }
    }

    /// The value of `key`.
    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        let block = match &self.rest {
            Some(rest) if !self.is_in_head(key) => rest.blocks.get(rest.block_of(key))?,
            _ => &self.head,
        };
        block.get(key)
    }

    /// Removes and returns the value of `key`.
    #[inline]
    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let value = if self.head.first() == Some(key) {
            self.head.slots.pop_front()?.1?
        } else if self.is_in_head(key) {
            let at = self.head.position(key)?;
            self.head.slots.get_mut(at)?.1.take()?
        } else {
            return self.remove_far_back(key);
        };
        self.head.live -= 1;
        self.tidy_head();
        Some(value)
    }

    /// Removes the values of these keys one after the other, and hands each to `each`, until that
    /// fails: `None` if there is none.
    #[inline]
    pub(crate) fn remove_each<E>(
        &mut self,
        keys: impl IntoIterator<Item = u64>,
        mut each: impl FnMut(u64, Option<T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = keys.into_iter().try_for_each(|key| {
            let mut value = self.head.pop(key);
            if value.is_none() || self.head.live == 0 {
                self.tidy_head();
                value = value.or_else(|| self.remove(key));
            }
            each(key, value)
        });
        self.tidy_head();
        result
    }

    fn remove_far_back(&mut self, key: u64) -> Option<T> {
        let rest = self.rest.as_mut()?;
        let value = rest.remove(key);
        if rest.blocks.is_empty() {
            self.rest = None;
        }
        value
    }

    /// Removes every value up to and including `key`, in order, and hands each to `each`.
    pub(crate) fn remove_up_to(&mut self, key: u64, mut each: impl FnMut(u64, T)) {
        while let Some((first, _)) = self.head.slots.front()
            && *first <= key
        {
            if let Some((first, Some(value))) = self.head.slots.pop_front() {
                self.head.live -= 1;
                each(first, value);
            }
            if self.head.live == 0 {
                self.settle_head();
            }
        }
        self.tidy_head();
    }

    /// Removes everything, in order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (u64, T)> + use<T> {
        let Self { head, rest } = std::mem::take(self);
        std::iter::once(head)
            .chain(rest.map(|rest| rest.blocks).into_iter().flatten())
            .flat_map(|block| block.slots)
            .filter_map(|(key, value)| value.map(|value| (key, value)))
    }

    /// The values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let slots = self.blocks().flat_map(|block| &block.slots);
        slots.filter_map(|(key, value)| value.as_ref().map(|value| (*key, value)))
    }

    /// The values in order, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let rest = self.rest.iter_mut().flat_map(|rest| &mut rest.blocks);
        let blocks = std::iter::once(&mut self.head).chain(rest);
        blocks.flat_map(|block| &mut block.slots).filter_map(|(_, value)| value.as_mut())
    }

    fn blocks(&self) -> impl Iterator<Item = &Block<T>> {
        std::iter::once(&self.head).chain(self.rest.iter().flat_map(|rest| &rest.blocks))
    }

    #[inline]
    fn is_in_head(&self, key: u64) -> bool {
        self.rest.is_none() || self.head.last().is_some_and(|last| key <= last)
    }

    #[inline]
    fn tidy_head(&mut self) {
        self.head.tidy();
        if self.head.live == 0 && self.rest.is_some() {
            self.settle_head();
        }
    }

    /// What is next comes to the front.
    fn settle_head(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        if let Some(next) = rest.blocks.pop_front() {
            rest.live -= next.live;
            self.head = next;
        }
        if rest.blocks.is_empty() {
            self.rest = None;
        }
    }
}

impl<T> Rest<T> {
    /// Which of the blocks has it if one has.
    fn block_of(&self, key: u64) -> usize {
        self.blocks.partition_point(|block| block.last().is_some_and(|last| last < key))
    }

    fn remove(&mut self, key: u64) -> Option<T> {
        let at = self.block_of(key);
        let block = self.blocks.get_mut(at)?;
        let place = block.position(key)?;
        let value = block.slots.get_mut(place)?.1.take()?;
        self.live -= 1;
        block.live -= 1;
        block.tidy();
        if block.live == 0 {
            self.blocks.remove(at);
        } else if block.slots.len() < SPARSE {
            block.slots.shrink_to(SPARSE);
            self.merge(at);
            self.merge(at.wrapping_sub(1));
        }
        Some(value)
    }

    /// Puts a block and the next one together if they have room in one.
    fn merge(&mut self, at: usize) {
        let slots = |at: usize| self.blocks.get(at).map(|block| block.slots.len());
        let (Some(first), Some(second)) = (slots(at), slots(at.wrapping_add(1))) else { return };
        if first + second <= BLOCK
            && let Some(next) = self.blocks.remove(at + 1)
            && let Some(block) = self.blocks.get_mut(at)
        {
            block.slots.extend(next.slots);
            block.live += next.live;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn behaves_as_an_ordered_map(
            steps in prop::collection::vec((0u8..12, 1u64..4, any::<prop::sample::Index>()), 1..100)
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
                    5 => {
                        // More than a block.
                        for _ in 0..BLOCK + 9 {
                            next += gap;
                            ring.push(next, next * 10);
                            model.insert(next, next * 10);
                        }
                    }
                    6 => {
                        // All but one in a hundred of a range.
                        let from = which.index(next as usize + 2) as u64;
                        for key in (from..from + 3000).filter(|key| key % 100 > 0) {
                            prop_assert_eq!(ring.remove(key), model.remove(&key));
                        }
                    }
                    7 => {
                        // Some that follow each other, from the first one on or from another.
                        let first = ring.iter().next().map_or(0, |(key, _)| key);
                        let any = which.index(next as usize + 2) as u64;
                        let from = if gap > 1 { first } else { any };
                        let keys = from..from + 1 + which.index(3000) as u64;
                        let result = ring.remove_each(keys.clone(), |key, value| {
                            assert_eq!(value, model.remove(&key));
                            if gap == 3 && value.is_none() { Err(key) } else { Ok(()) }
                        });
                        prop_assert!(result.is_ok() || !model.contains_key(&result.unwrap_err()));
                    }
                    8..11 => {
                        let key = which.index(next as usize + 2) as u64;
                        prop_assert_eq!(ring.get(key), model.get(&key));
                        prop_assert_eq!(ring.remove(key), model.remove(&key));
                    }
                    _ => {
                        let key = which.index(next as usize + 2) as u64;
                        let mut removed = Vec::new();
                        ring.remove_up_to(key, |key, value| removed.push((key, value)));
                        let rest = model.split_off(&(key + 1));
                        let gone = std::mem::replace(&mut model, rest);
                        prop_assert_eq!(removed, gone.into_iter().collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert!(ring.iter().eq(model.iter().map(|(key, value)| (*key, value))));
                prop_assert!(ring.blocks().skip(1).all(|block| block.live > 0));
                prop_assert!(ring.len() == 0 || ring.head.live > 0);
            }
            prop_assert!(ring.drain().eq(model));
            prop_assert_eq!(ring.len(), 0);
        }

        #[test]
        fn memory_follows_what_is_held(count in 100u64..5000) {
            let mut ring = SequenceMap::default();
            ring.push(0, ());
            for key in 1..count {
                ring.push(key, ());
                ring.remove(key);
            }
            prop_assert!(ring.rest.is_none() && ring.head.slots.len() <= COMPACT_AT + 1);
        }
    }

    #[test]
    fn the_first_slot_is_a_value_after_some_were_removed() {
        let mut ring = SequenceMap::default();
        (1..=3).for_each(|key| ring.push(key, ()));
        assert!(ring.remove(2).is_some());
        assert_eq!(ring.remove_each([1], |_, value| value.ok_or(())), Ok(()));
        assert!(matches!(ring.head.slots.front(), Some((3, Some(())))));
    }

    #[test]
    fn old_survivors_keep_no_room_for_others() {
        for every in [100, 3000] {
            let mut ring = SequenceMap::default();
            for key in 0..100 * every {
                ring.push(key, ());
                if key >= 10_000 && (key - 10_000) % every > 0 {
                    ring.remove(key - 10_000);
                }
            }
            let room = ring.blocks().skip(1).map(|block| block.slots.capacity()).sum::<usize>();
            let last = 10_000 + 2 * BLOCK;
            assert!(room <= 8 * 100 + 2 * last, "{room} for {}", ring.len());
        }
    }
}
