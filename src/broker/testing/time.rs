//! Moving the clock of a broker, and waiting by it.

use std::time::Duration;

use crate::broker::Broker;
use crate::broker::testing::wait::next_turn;
use crate::limits::{REST_ROUNDS_MAX, REST_TURNS};
use crate::time::clock::{Clock, ManualClock, Timestamp};
use crate::time::sleep::Sleep;

impl Broker {
    /// Whether time is moved by [`Broker::advance`] alone.
    pub fn has_manual_clock(&self) -> bool {
        matches!(self.node().clock(), Clock::Manual(_))
    }

    /// The broker's time.
    pub fn now(&self) -> Timestamp {
        self.node().clock().now()
    }

    /// Moves a [manual clock](crate::ManualClock) on, stopping at every deadline on the way:
    /// messages and queues expire, heartbeats of connections on this clock are sent or missed, and
    /// what follows from it has happened when this returns. What clients on in-memory streams had
    /// written before is taken first. What clients then do they do in their own time; those that
    /// are tasks of the caller's runtime may be let act by [`Broker::advance_async`].
    ///
    /// # Panics
    /// On the system's clock, which nobody can move.
    #[track_caller]
    pub fn advance(&self, duration: Duration) {
        let clock = self.manual_clock("Broker::advance");
        self.node().timers().advance_to(clock, clock.now() + duration);
    }

    /// As [`Broker::advance`], and lets the other tasks of the caller's runtime act before the
    /// clock goes on from a deadline: those that wait by [`Broker::sleep`], or for a delivery. If
    /// the runtime has several threads, or the client threads of its own, as lapin has, there may
    /// be more to come: wait for it, by [`Broker::wait_until_idle_async`] for one.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use leveret::{Broker, Publish};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = std::sync::Arc::new(Broker::for_tests());
    /// let channel = broker.connect()?.open_channel()?;
    /// channel.queue_declare("ticks")?;
    /// let program = broker.clone();
    /// tokio::spawn(async move {
    ///     for _ in 0..3 {
    ///         program.sleep(Duration::from_secs(60)).await;
    ///         channel.basic_publish(Publish::to_queue("ticks"))?;
    ///     }
    ///     Ok::<_, leveret::Error>(())
    /// });
    /// broker.advance_async(Duration::from_secs(3600)).await;
    /// assert_eq!(broker.counts("ticks")?.ready, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// On the system's clock, which nobody can move.
    pub async fn advance_async(&self, duration: Duration) {
        let clock = self.manual_clock("Broker::advance_async");
        let end = clock.now() + duration;
        self.rest().await;
        while let Some(deadline) = self.due_by(end) {
            self.node().timers().advance_to(clock, deadline);
            self.rest().await;
        }
        self.node().timers().advance_to(clock, end);
    }

    /// Moves a [manual clock](crate::ManualClock) to the next deadline, as [`Broker::advance`]
    /// does; returns the time that it shows then. `None`, and the clock stands still, if nobody
    /// waits for anything.
    ///
    /// # Panics
    /// On the system's clock, which nobody can move.
    #[track_caller]
    pub fn advance_to_next_event(&self) -> Option<Timestamp> {
        let clock = self.manual_clock("Broker::advance_to_next_event");
        let deadline = self.next_deadline()?;
        self.node().timers().advance_to(clock, deadline);
        Some(clock.now())
    }

    /// As [`Broker::advance_to_next_event`], and lets the other tasks of the caller's runtime act
    /// before and after it, as [`Broker::advance_async`] does.
    ///
    /// # Panics
    /// On the system's clock, which nobody can move.
    pub async fn advance_to_next_event_async(&self) -> Option<Timestamp> {
        let clock = self.manual_clock("Broker::advance_to_next_event_async");
        self.rest().await;
        let deadline = self.next_deadline()?;
        self.node().timers().advance_to(clock, deadline);
        self.rest().await;
        Some(clock.now())
    }

    /// When something will be due by itself: a message or queue that expires, a delayed message, a
    /// heartbeat of a connection on the broker's clock, a [`Sleep`]. It may be a time at which it
    /// turns out that nothing has to be done, such as that of a message that was consumed before.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        // What clients on in-memory streams have sent may bring a deadline with it.
        if let Clock::Manual(clock) = self.node().clock() {
            self.node().timers().advance_to(clock, clock.now());
        }
        self.node().timers().next_deadline()
    }

    /// Waits until the broker's clock has moved on by `duration`, whatever clock that is; also
    /// ends when the broker is closed. A program under test that takes its timers from here needs
    /// no waiting in its tests.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::until(self.node().timers(), self.now() + duration)
    }

    /// The next deadline, if it is not after `end`.
    fn due_by(&self, end: Timestamp) -> Option<Timestamp> {
        self.next_deadline().filter(|&deadline| deadline <= end)
    }

    #[track_caller]
    #[allow(clippy::panic, reason = "a mistake in a test, which would pass in vain")]
    fn manual_clock(&self, what: &str) -> &ManualClock {
        match self.node().clock() {
            Clock::Manual(clock) => clock,
            Clock::System(_) => panic!(
                "{what} moves a manual clock, and this broker runs on the system's: make it by \
                 Broker::for_tests(), or with .manual_clock(ManualClock::default())"
            ),
        }
    }

    /// Lets other tasks of the runtime act, until a few turns have changed nothing in the broker.
    async fn rest(&self) {
        let changes = self.node().changes();
        let _counting = changes.counting();
        for _ in 0..REST_ROUNDS_MAX {
            let before = changes.count();
            for _ in 0..REST_TURNS {
                next_turn().await;
            }
            self.next_deadline(); // what was written to in-memory streams is taken
            if changes.count() == before {
                return;
            }
        }
    }
}
