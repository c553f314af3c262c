//! How many may be connected at a time, and who makes room for the next.
//!
//! Whoever connects and asks nothing that he may ask costs a place. When there are none left the
//! one goes that has come first of those that were never let in, or else of those whose requests
//! are answered, so that nobody can keep others out by connecting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::base::lock::Mutex;
use crate::base::rank;

/// How often somebody is looked for who may go, while all are at work.
const LOOK: Duration = Duration::from_millis(50);

/// The places for the connections of one broker.
pub(super) struct Places {
    permits: Arc<Semaphore>,
    guests: Mutex<Guests, rank::HttpGuests>,
}

#[derive(Default)]
struct Guests {
    next: u64,
    /// By the order in which they came.
    present: BTreeMap<u64, Arc<Guest>>,
}

/// Somebody who is connected.
#[derive(Default)]
pub(super) struct Guest {
    /// A request is worked on whose user may make it.
    is_served: AtomicBool,
    /// There was one.
    was_served: AtomicBool,
    has_to_go: Notify,
}

impl Guest {
    /// The user of the request that is worked on is known.
    pub(super) fn is_let_in(&self) {
        self.is_served.store(true, Ordering::Relaxed);
        self.was_served.store(true, Ordering::Relaxed);
    }

    /// The request is answered.
    pub(super) fn is_answered(&self) {
        self.is_served.store(false, Ordering::Relaxed);
    }

    /// Waits until the place is needed for somebody else.
    pub(super) async fn has_to_go(&self) {
        self.has_to_go.notified().await;
    }
}

impl Places {
    /// So many, at least one.
    pub(super) fn new(max: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(max.max(1)));
        Arc::new(Self { permits, guests: Mutex::default() })
    }

    /// Gives one to a newcomer, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            let permits = Arc::clone(&self.permits);
            if let Ok(permit) = permits.clone().try_acquire_owned() {
                return self.seat(permit);
            }
            self.make_room();
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = tokio::time::timeout(LOOK, permits.acquire_owned()).await {
                return self.seat(permit);
            }
        }
    }

    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let guest = Arc::<Guest>::default();
        let mut guests = self.guests.lock();
        let number = guests.next;
        guests.next += 1;
        guests.present.insert(number, Arc::clone(&guest));
        Place { guest, number, places: Arc::clone(self), _permit: permit }
    }

    /// Asks one to go, if there is one that may.
    fn make_room(&self) {
        let mut guests = self.guests.lock();
        let of = |is: fn(&Guest) -> &AtomicBool| {
            let first = |(_, guest): &(&u64, &Arc<Guest>)| !is(guest).load(Ordering::Relaxed);
            guests.present.iter().find(first).map(|(number, _)| *number)
        };
        let number = of(|guest| &guest.was_served).or_else(|| of(|guest| &guest.is_served));
        if let Some(guest) = number.and_then(|number| guests.present.remove(&number)) {
            guest.has_to_go.notify_one();
        }
    }
}

/// A place that is taken; given back when it is dropped.
pub(super) struct Place {
    pub guest: Arc<Guest>,
    number: u64,
    places: Arc<Places>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.guests.lock().present.remove(&self.number);
    }
}
