//! Waiting until the broker has come to some state, without sleeping: for tests of programs whose
//! threads and connections do things in their own time.

use std::fmt;
use std::time::Duration;

use crate::broker::Broker;

/// A state that was not reached in time. The text tells what has happened instead, if the
/// [journal](Broker::journal) is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedOut {
    awaited: String,
    limit: Duration,
    instead: String,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} within {:?}; {}", self.awaited, self.limit, self.instead)
    }
}

impl std::error::Error for TimedOut {}

impl Broker {
    /// Waits until `condition` holds, but not longer than `limit`. The limit is of real time,
    /// whatever clock the broker runs on. The condition is looked at whenever something has
    /// changed in the broker, and every few milliseconds for what it asks of others.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use leveret::{Broker, Publish};
    /// let broker = Broker::builder().journal(100).build();
    /// let channel = broker.connect()?.open_channel()?;
    /// channel.queue_declare("mail")?;
    /// std::thread::spawn(move || channel.basic_publish(Publish::to_queue("mail")));
    /// let limit = Duration::from_secs(10);
    /// broker.wait_until(limit, |broker| broker.journal().published().count() == 1)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it does not hold in time.
    pub fn wait_until(
        &self,
        limit: Duration,
        condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), TimedOut> {
        self.wait_for(limit, condition, || "the condition did not hold".into())
    }

    /// As [`Broker::wait_until`]; `complaint` says what was not reached.
    #[doc(hidden)]
    pub fn wait_for(
        &self,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
        complaint: impl FnOnce() -> String,
    ) -> Result<(), TimedOut> {
        if self.node().changes().wait_until(limit, || condition(self)) {
            return Ok(());
        }
        Err(TimedOut { awaited: complaint(), limit, instead: self.journal().tail() })
    }

    /// As [`Broker::wait_until`], for a test.
    ///
    /// # Panics
    /// If the condition does not hold in time; the message tells what has happened instead.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion of a test fails by panicking")]
    pub fn eventually(&self, condition: impl FnMut(&Self) -> bool, limit: Duration) {
        if let Err(error) = self.wait_until(limit, condition) {
            panic!("{error}");
        }
    }

    /// Waits until nothing is left to do: no delivery is unacknowledged, and no queue that has
    /// consumers and is not held has ready messages. What consumers publish before they
    /// acknowledge is waited for, too. `limit` is of real time.
    ///
    /// # Errors
    /// If there is something left by then; the text says in which queues.
    pub fn wait_until_idle(&self, limit: Duration) -> Result<(), TimedOut> {
        let busy = || format!("there was no rest in {}", self.busy_queues().join(", "));
        self.wait_for(limit, |_| self.busy_queues().is_empty(), busy)
    }

    /// Queues in which something is left to do.
    fn busy_queues(&self) -> Vec<String> {
        let queues = self.node().all_virtual_hosts();
        let queues = queues.iter().flat_map(|host| host.queues());
        let busy = queues.filter_map(|queue| {
            let counts = queue.counts();
            let waits = counts.ready > 0 && counts.consumers > 0 && !queue.is_held();
            let is_busy = counts.unacked > 0 || waits;
            is_busy.then(|| {
                let (ready, unacked) = (counts.ready, counts.unacked);
                format!("{} ({ready} ready, {unacked} unacknowledged)", queue.resource())
            })
        });
        busy.collect()
    }
}
