//! Waiting on the broker's clock.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::time::clock::Timestamp;
use crate::time::timers::Timers;

/// Done when the broker's clock has reached a time; also when the broker is closed, so that nobody
/// waits for a clock that nobody moves. Made by [`Broker::sleep`](crate::Broker::sleep).
pub struct Sleep {
    timers: Arc<Timers>,
    id: u64,
    deadline: Timestamp,
    /// The timers may know of it.
    set: bool,
}

impl Sleep {
    pub(crate) fn until(timers: &Arc<Timers>, deadline: Timestamp) -> Self {
        Self { timers: Arc::clone(timers), id: timers.next_waker_id(), deadline, set: false }
    }

    /// When it ends.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Whether it ended because the broker was closed, or would.
    #[cfg(feature = "lapin")]
    pub(crate) fn is_over_for_good(&self) -> bool {
        self.timers.is_stopped()
    }

    /// Waits for another time from the next poll on.
    pub(crate) fn reset(&mut self, deadline: Timestamp) {
        self.deadline = deadline;
    }

    /// Waits for nothing until it is polled again.
    pub(crate) fn cancel(&mut self) {
        if std::mem::take(&mut self.set) {
            self.timers.unset_waker(self.id);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        if sleep.timers.now() >= sleep.deadline {
            sleep.cancel();
            return Poll::Ready(());
        }
        sleep.set = true;
        let waits = sleep.timers.set_waker(sleep.id, sleep.deadline, cx.waker());
        // The clock may have been moved on before the timers knew of the deadline.
        if waits && sleep.timers.now() < sleep.deadline {
            return Poll::Pending;
        }
        sleep.cancel();
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
