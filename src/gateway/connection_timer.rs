//! What wakes the task of a connection when its next heartbeat or timeout is due: tokio's timer on
//! real time, the broker's timers on a manual clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::time::clock::{Clock, Timestamp};
use crate::time::timers::Timers;

/// The one timer of a connection. All times are milliseconds of its clock.
pub(super) enum ConnectionTimer {
    Real {
        sleep: Pin<Box<Sleep>>,
        wake_at_ms: u64,
    },
    /// The timers have to run on the connection's clock.
    Manual(crate::Sleep),
}

impl ConnectionTimer {
    /// A timer that is not set, for a connection on this clock.
    pub(super) fn new(clock: &Clock, timers: &Arc<Timers>) -> Self {
        match clock {
            Clock::System(_) => {
                let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
                Self::Real { sleep, wake_at_ms: 0 }
            }
            Clock::Manual(_) => Self::Manual(crate::Sleep::until(timers, Timestamp::NEVER)),
        }
    }

    /// Has the task woken at the deadline, or before; ready if that is now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now_ms: u64, deadline_ms: u64) -> Poll<()> {
        match self {
            Self::Manual(sleep) => {
                sleep.reset(Timestamp::from_millis(deadline_ms));
                Pin::new(sleep).poll(cx)
            }
            Self::Real { sleep, wake_at_ms } => {
                // The deadline moves on with all traffic: the sleep only follows when it ends.
                if *wake_at_ms > now_ms && *wake_at_ms <= deadline_ms {
                    let _ = sleep.as_mut().poll(cx);
                    return Poll::Pending;
                }
                *wake_at_ms = deadline_ms;
                let wake_in = Duration::from_millis(deadline_ms.saturating_sub(now_ms));
                sleep.as_mut().reset(from_now(wake_in));
                let result = sleep.as_mut().poll(cx);
                if result.is_ready() {
                    *wake_at_ms = 0;
                }
                result
            }
        }
    }

    /// Nothing is due any more.
    pub(super) fn cancel(&mut self) {
        if let Self::Manual(sleep) = self {
            // A program that asks for the next deadline should not hear of this one.
            sleep.cancel();
        }
    }
}

#[allow(clippy::disallowed_methods)] // the runtime's own timer, which only takes its own time
fn from_now(duration: Duration) -> Instant {
    Instant::now() + duration
}
