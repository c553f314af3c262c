//! Connections from outside whose handshake is not over: how many there may be, and who makes room
//! for the next.
//!
//! Whoever connects and says nothing costs a socket. When there are too many of these the one goes
//! that has been silent for longest, so that nobody can keep others out by connecting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use crate::base::lock::Mutex;
use crate::base::rank;

/// The connections of one listener whose handshake is not over.
pub(super) struct Handshakes {
    guests: Mutex<Guests, rank::Handshakes>,
    max: usize,
}

#[derive(Default)]
struct Guests {
    next: u64,
    /// By the order in which they came.
    present: BTreeMap<u64, Arc<Guest>>,
}

/// A connection whose handshake is not over.
#[derive(Default)]
struct Guest {
    has_spoken: AtomicBool,
    is_evicted: AtomicBool,
    waker: Mutex<Option<Waker>, rank::HandshakeWaker>,
}

impl Guest {
    fn evict(&self) {
        self.is_evicted.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Handshakes {
    /// None yet, and `max` at a time.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { guests: Mutex::default(), max: max.max(1) })
    }

    /// Lets one more in. If there are too many, the oldest of those that have said nothing goes,
    /// or else the oldest.
    pub(super) fn admit(self: &Arc<Self>) -> Admission {
        let guest = Arc::<Guest>::default();
        let mut guests = self.guests.lock();
        let number = guests.next;
        guests.next += 1;
        let evicted = guests.take_in(number, &guest, self.max);
        drop(guests);
        evicted.iter().for_each(|guest| guest.evict());
        Admission { handshakes: Arc::clone(self), number, guest }
    }

    /// Somebody is back who had to go, and has spoken meanwhile.
    fn readmit(&self, number: u64, guest: &Arc<Guest>) {
        guest.is_evicted.store(false, Ordering::SeqCst);
        let evicted = self.guests.lock().take_in(number, guest, self.max);
        evicted.iter().for_each(|guest| guest.evict());
    }
}

impl Guests {
    /// Lets one more in; who makes room for it.
    fn take_in(&mut self, number: u64, guest: &Arc<Guest>, max: usize) -> Option<Arc<Guest>> {
        let mut evicted = None;
        if self.present.len() >= max {
            let is_silent = |guest: &Guest| !guest.has_spoken.load(Ordering::Relaxed);
            let silent = self.present.iter().find(|(_, guest)| is_silent(guest));
            let number = silent.or(self.present.first_key_value()).map(|(number, _)| *number);
            evicted = number.and_then(|number| self.present.remove(&number));
        }
        self.present.insert(number, Arc::clone(guest));
        evicted
    }
}

/// That a connection may be there before its handshake is over; given back when it is.
pub(super) struct Admission {
    handshakes: Arc<Handshakes>,
    number: u64,
    guest: Arc<Guest>,
}

impl Admission {
    /// The client has said something. If it was to go because it had been silent, it stays: what it
    /// has sent was not read by then.
    pub(super) fn has_spoken(&self) {
        let is_first = !self.guest.has_spoken.swap(true, Ordering::SeqCst);
        if is_first && self.guest.is_evicted.load(Ordering::SeqCst) {
            self.handshakes.readmit(self.number, &self.guest);
        }
    }

    /// Whether it has to make room for others; if not, `waker` is woken when it has to.
    pub(super) fn is_evicted(&self, waker: &Waker) -> bool {
        let mut known = self.guest.waker.lock();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        self.guest.is_evicted.load(Ordering::SeqCst)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.handshakes.guests.lock().present.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_spoken_unheard_stays() {
        let handshakes = Handshakes::new(2);
        let is_evicted = |admission: &Admission| admission.is_evicted(Waker::noop());
        let [slow, silent, last] = [(); 3].map(|()| handshakes.admit());
        assert!(is_evicted(&slow));
        slow.has_spoken();
        assert_eq!([&slow, &silent, &last].map(is_evicted), [false, true, false]);
        drop((slow, silent, last));
        assert!(handshakes.guests.lock().present.is_empty());
    }

    #[test]
    fn the_oldest_silent_one_makes_room() {
        let handshakes = Handshakes::new(3);
        let is_evicted = |admission: &Admission| admission.is_evicted(Waker::noop());
        let honest = handshakes.admit();
        honest.has_spoken();
        let silent: Vec<_> = (0..5).map(|_| handshakes.admit()).collect();
        let gone: Vec<_> = silent.iter().map(is_evicted).collect();
        assert_eq!(gone, [true, true, true, false, false]);
        assert!(!is_evicted(&honest));
        drop(silent);
        let speak = |_| {
            let admission = handshakes.admit();
            admission.has_spoken();
            admission
        };
        let speaking: Vec<_> = (0..3).map(speak).collect();
        assert!(is_evicted(&honest), "all have spoken, and it was the first");
        assert!(!speaking.iter().any(is_evicted));
    }
}
