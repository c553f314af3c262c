//! A deque for as many values as there may be. It grows and shrinks in blocks: no step takes long
//! because there are many, and what is in it is not moved for the sake of room.

use std::collections::{VecDeque, vec_deque};

/// Values in a block.
const BLOCK: usize = 2048;

/// Room for this many values is kept.
const KEPT: usize = BLOCK / 2;

/// Values in order, to be taken from the front.
#[derive(Debug)]
pub(crate) struct LongDeque<T> {
    /// The first ones: empty only if there are none at all.
    head: VecDeque<T>,
    /// Those behind them, in blocks of which none is empty.
    rest: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> Default for LongDeque<T> {
    fn default() -> Self {
        Self { head: VecDeque::new(), rest: VecDeque::new(), len: 0 }
    }
}

impl<T> LongDeque<T> {
    /// Values.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first one.
    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.head.front()
    }

    /// The last one.
    #[inline]
    pub(crate) fn back(&self) -> Option<&T> {
        self.rest.back().unwrap_or(&self.head).back()
    }

    /// Takes the first one.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let value = self.head.pop_front()?;
        self.len -= 1;
        if self.head.is_empty() {
            self.settle_head();
        }
        Some(value)
    }

    /// What is next comes to the front.
    #[inline]
    fn settle_head(&mut self) {
        match self.rest.pop_front() {
            Some(next) => self.head = next,
            None => self.head.clear(), // the next one takes the first place, which is in the cache
        }
    }

    /// Adds one behind all others.
    #[inline]
    pub(crate) fn push_back(&mut self, value: T) {
        self.len += 1;
        if self.rest.is_empty() && self.head.len() < BLOCK {
            return self.head.push_back(value);
        }
        self.push_far_back(value);
    }

    fn push_far_back(&mut self, value: T) {
        match self.rest.back_mut() {
            Some(last) if last.len() < BLOCK => last.push_back(value),
            _ => {
                let mut block = VecDeque::with_capacity(BLOCK);
                block.push_back(value);
                self.rest.push_back(block);
            }
        }
    }

    /// Adds one before all others.
    pub(crate) fn push_front(&mut self, value: T) {
        if self.head.len() >= BLOCK {
            let block = VecDeque::with_capacity(BLOCK);
            self.rest.push_front(std::mem::replace(&mut self.head, block));
        }
        self.head.push_front(value);
        self.len += 1;
    }

    /// Adds one behind those that are to be before it, which are the first ones.
    pub(crate) fn insert_behind(&mut self, is_before: impl Fn(&T) -> bool, value: T) {
        let passes = |block: &VecDeque<T>| block.back().is_some_and(&is_before);
        if !self.head.is_empty() && !passes(&self.head) {
            let second = insert_into(&mut self.head, is_before, value);
            second.into_iter().for_each(|block| self.rest.push_front(block));
        } else {
            let at = self.rest.partition_point(passes);
            let Some(block) = self.rest.get_mut(at) else { return self.push_back(value) };
            if let Some(second) = insert_into(block, is_before, value) {
                self.rest.insert(at + 1, second);
            }
        }
        self.len += 1;
    }

    /// Takes all of the other behind its own.
    pub(crate) fn append(&mut self, other: &mut Self) {
        let Self { head, rest, len } = std::mem::take(other);
        self.len += len;
        self.rest.extend(Some(head).into_iter().chain(rest).filter(|block| !block.is_empty()));
        if self.head.is_empty() {
            self.settle_head();
        }
    }

    /// Leaves so many of the first ones, and gives the others.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let mut tail = Self::default();
        while self.rest.back().is_some_and(|last| self.len - last.len() >= at)
            && let Some(last) = self.rest.pop_back()
        {
            self.len -= last.len();
            tail.len += last.len();
            tail.rest.push_front(last);
        }
        let last = self.rest.back_mut().unwrap_or(&mut self.head);
        let left = last.len().saturating_sub(self.len.saturating_sub(at));
        let cut = last.split_off(left);
        self.len -= cut.len();
        tail.len += cut.len();
        tail.head = cut;
        if tail.head.is_empty() {
            tail.settle_head();
        }
        tail
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.head.iter().chain(self.rest.iter().flatten())
    }

    /// All of them, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.head.iter_mut().chain(self.rest.iter_mut().flatten())
    }

    /// Gives back memory that is not needed any more. Cheap when there is nothing to give.
    #[inline]
    pub(crate) fn shrink(&mut self) {
        if self.head.capacity() > KEPT || self.rest.capacity() > 0 {
            self.shrink_room();
        }
    }

    fn shrink_room(&mut self) {
        if self.head.capacity() > KEPT && self.head.len() < self.head.capacity() / 8 {
            self.head.shrink_to(KEPT);
        }
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
    }
}

/// Puts a value into a block behind those that are to be before it. What is too much for one block
/// is returned.
fn insert_into<T>(
    block: &mut VecDeque<T>,
    is_before: impl Fn(&T) -> bool,
    value: T,
) -> Option<VecDeque<T>> {
    let at = block.partition_point(is_before);
    block.insert(at, value);
    (block.len() >= 2 * BLOCK).then(|| block.split_off(BLOCK))
}

impl<T> Extend<T> for LongDeque<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push_back(value));
    }
}

impl<T> FromIterator<T> for LongDeque<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut deque = Self::default();
        deque.extend(values);
        deque
    }
}

impl<T> IntoIterator for LongDeque<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<
        vec_deque::IntoIter<T>,
        std::iter::Flatten<vec_deque::IntoIter<VecDeque<T>>>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.head.into_iter().chain(self.rest.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    /// What is wrong with how it is kept, if anything.
    fn check(deque: &LongDeque<u64>) -> Result<(), TestCaseError> {
        let blocks = || std::iter::once(&deque.head).chain(&deque.rest);
        prop_assert_eq!(deque.len, blocks().map(VecDeque::len).sum::<usize>());
        prop_assert!(blocks().all(|block| block.len() < 2 * BLOCK));
        prop_assert!(deque.rest.iter().all(|block| !block.is_empty()));
        prop_assert!(deque.len == 0 || !deque.head.is_empty());
        Ok(())
    }

    proptest! {
        #[test]
        fn it_is_a_deque(
            steps in prop::collection::vec((0..8, 1..5 * BLOCK, any::<Index>()), 1..40),
        ) {
            let (mut deque, mut model) = (LongDeque::default(), VecDeque::new());
            // In ascending order, with gaps to insert into.
            let (mut low, mut high) = (1u64 << 40, 1u64 << 40);
            for (step, count, which) in steps {
                match step {
                    0 | 1 => for _ in 0..count {
                        high += 1000;
                        deque.push_back(high);
                        model.push_back(high);
                    },
                    2 => for _ in 0..count {
                        low -= 1000;
                        deque.push_front(low);
                        model.push_front(low);
                    },
                    3 | 4 => for _ in 0..count {
                        prop_assert_eq!(deque.pop_front(), model.pop_front());
                    },
                    5 => for n in 0..count.min(3000) as u64 {
                        let before = model.get(which.index(model.len().max(1)));
                        let value = before.map_or(low, |before| before + n % 999 + 1);
                        deque.insert_behind(|other| *other < value, value);
                        let at = model.partition_point(|other| *other < value);
                        model.insert(at, value);
                        high = high.max(value);
                    },
                    6 => {
                        let at = which.index(model.len() + 1);
                        let mut tail = deque.split_off(at);
                        check(&tail)?;
                        let rest = model.split_off(at);
                        prop_assert!(tail.iter().eq(&rest));
                        check(&deque)?;
                        deque.append(&mut tail);
                        model.extend(rest);
                        prop_assert!(tail.is_empty());
                    }
                    _ => {
                        deque.shrink();
                        deque.iter_mut().zip(&mut model).for_each(|(it, other)| {
                            (*it, *other) = (*it + 1, *other + 1);
                        });
                        high += 1;
                    }
                }
                check(&deque)?;
                prop_assert_eq!((deque.front(), deque.back()), (model.front(), model.back()));
            }
            prop_assert!(deque.iter().eq(&model));
            let again: LongDeque<_> = deque.into_iter().collect();
            check(&again)?;
            prop_assert!(again.into_iter().eq(model));
        }
    }
}
