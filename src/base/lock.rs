//! Locks that know their place in the order of [`crate::base::rank`]. In debug builds each thread
//! keeps a list of what it holds, and panics when it takes a lock out of order, or a second one of
//! one rank; otherwise they are parking_lot's and nothing else.

#[cfg(debug_assertions)]
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use parking_lot::WaitTimeoutResult;

use crate::base::rank::Rank;

/// A lock that one thread has at a time.
pub(crate) struct Mutex<T, R>(parking_lot::Mutex<T>, PhantomData<fn() -> R>);

impl<T, R: Rank> Mutex<T, R> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::Mutex::new(value), PhantomData)
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let held = Held::take::<R>();
        MutexGuard(self.0.lock(), held)
    }
}

impl<T: Default, R: Rank> Default for Mutex<T, R> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug, R> fmt::Debug for Mutex<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lock that several threads may have to read, or one to write.
pub(crate) struct RwLock<T, R>(parking_lot::RwLock<T>, PhantomData<fn() -> R>);

impl<T, R: Rank> RwLock<T, R> {
    pub(crate) const fn new(value: T) -> Self {
        Self(parking_lot::RwLock::new(value), PhantomData)
    }

    #[inline]
    pub(crate) fn read(&self) -> ReadGuard<'_, T> {
        let held = Held::take::<R>();
        ReadGuard(self.0.read(), held)
    }

    #[inline]
    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        let held = Held::take::<R>();
        WriteGuard(self.0.write(), held)
    }
}

impl<T: Default, R: Rank> Default for RwLock<T, R> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug, R> fmt::Debug for RwLock<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Frees a [`Mutex`] when it goes.
pub(crate) struct MutexGuard<'a, T>(parking_lot::MutexGuard<'a, T>, #[allow(dead_code)] Held);

/// Frees a [`RwLock`] that was read when it goes.
pub(crate) struct ReadGuard<'a, T>(parking_lot::RwLockReadGuard<'a, T>, #[allow(dead_code)] Held);

/// Frees a [`RwLock`] that was written when it goes.
pub(crate) struct WriteGuard<'a, T>(parking_lot::RwLockWriteGuard<'a, T>, #[allow(dead_code)] Held);

macro_rules! guards {
    ($($guard:ident)*) => {
        $(impl<T> Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                &self.0
            }
        })*
    };
}

guards!(MutexGuard ReadGuard WriteGuard);

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// Waiting for what another thread does with a [`Mutex`]. Whoever waits holds no other lock.
#[derive(Debug, Default)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.0.wait(&mut guard.0);
    }

    /// Waits for as long as a condition holds.
    pub(crate) fn wait_while<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) {
        self.0.wait_while(&mut guard.0, condition);
    }

    pub(crate) fn wait_while_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
        limit: Duration,
    ) -> WaitTimeoutResult {
        self.0.wait_while_for(&mut guard.0, condition, limit)
    }

    pub(crate) fn wait_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        limit: Duration,
    ) -> WaitTimeoutResult {
        self.0.wait_for(&mut guard.0, limit)
    }

    pub(crate) fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        end: Instant,
    ) -> WaitTimeoutResult {
        self.0.wait_until(&mut guard.0, end)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// That this thread holds a lock.
#[cfg(debug_assertions)]
struct Held(u8);

#[cfg(debug_assertions)]
thread_local! {
    /// Places and names of the locks that this thread holds.
    static HELD: RefCell<Vec<(u8, &'static str)>> = const { RefCell::new(Vec::new()) };
}

#[cfg(debug_assertions)]
impl Held {
    fn take<R: Rank>() -> Self {
        // A thread that ends has no list any more.
        let _ = HELD.try_with(|held| {
            let mut held = held.borrow_mut();
            let inner = held.iter().max().filter(|_| !std::thread::panicking());
            if let Some((place, name)) = inner {
                assert!(
                    *place < R::PLACE,
                    "the lock {} was taken under {name}; src/base/rank.rs has the order",
                    R::NAME
                );
            }
            held.push((R::PLACE, R::NAME));
        });
        Self(R::PLACE)
    }
}

#[cfg(debug_assertions)]
impl Drop for Held {
    fn drop(&mut self) {
        let free = |held: &RefCell<Vec<_>>| held.borrow_mut().retain(|(place, _)| *place != self.0);
        let _ = HELD.try_with(free);
    }
}

/// Nothing, where nothing is checked.
#[cfg(not(debug_assertions))]
struct Held;

#[cfg(not(debug_assertions))]
impl Held {
    #[inline(always)]
    fn take<R: Rank>() -> Self {
        Self
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;
    use crate::base::rank::{Journal, Queue, Topology};

    #[test]
    fn locks_may_be_taken_in_order_and_freed_in_any() {
        let (topology, queue) = (Mutex::<_, Topology>::new(1), RwLock::<_, Queue>::new(2));
        let journal = Mutex::<u32, Journal>::default();
        for _ in 0..2 {
            let outer = topology.lock();
            let inner = queue.read();
            drop(outer);
            *journal.lock() += *inner;
            drop(inner);
            *queue.write() += 1;
            *topology.lock() += 1;
        }
        assert_eq!((*topology.lock(), *queue.read(), *journal.lock()), (3, 4, 5));
    }

    #[test]
    #[should_panic(expected = "the lock Topology was taken under Queue")]
    fn a_lock_out_of_order_is_found() {
        let (topology, queue) = (Mutex::<(), Topology>::new(()), RwLock::<(), Queue>::new(()));
        let _queue = queue.read();
        topology.lock();
    }

    #[test]
    #[should_panic(expected = "the lock Queue was taken under Queue")]
    fn two_locks_of_one_rank_are_found() {
        let (one, other) = (Mutex::<(), Queue>::new(()), Mutex::<(), Queue>::new(()));
        let _one = one.lock();
        other.lock();
    }

    #[test]
    #[should_panic(expected = "the lock Topology was taken under Journal")]
    fn a_lock_under_two_others_is_compared_with_the_inner_one() {
        let (topology, queue) = (Mutex::<(), Topology>::new(()), Mutex::<(), Queue>::new(()));
        let journal = Mutex::<(), Journal>::new(());
        let _queue = queue.lock();
        let _journal = journal.lock();
        topology.lock();
    }
}
