//! Waiting until the broker has come to some state, without sleeping: for tests of programs whose
//! threads and connections do things in their own time. A thread calls `wait_...`, a task awaits
//! `wait_..._async`.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::base::blocking::wait_here;
use crate::broker::Broker;
use crate::limits::QUEUE_WAIT;
use crate::queue::Counts;

/// A state that was not reached in time. The text tells what has happened instead, if the
/// [journal](Broker::journal) is on.
#[derive(Clone, PartialEq, Eq)]
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

/// The text: a test that unwraps it, or returns it, is to show what it says.
impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TimedOut {}

/// What a state is called when it was not reached.
type Complaint<'a> = Box<dyn FnOnce() -> String + Send + 'a>;

fn did_not_hold() -> String {
    "the condition did not hold".into()
}

impl Broker {
    /// Waits until `condition` holds, but not longer than `limit`. The limit is of real time,
    /// whatever clock the broker runs on. The condition is looked at whenever something has
    /// changed in the broker, and every few milliseconds for what it asks of others.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use leveret::{Broker, Publish};
    /// let broker = Broker::for_tests();
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
    ///
    /// # Panics
    /// On the only thread of a tokio runtime, where the program under test could not go on
    /// meanwhile: [`Broker::wait_until_async`] is for there.
    #[track_caller]
    pub fn wait_until(
        &self,
        limit: Duration,
        condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), TimedOut> {
        let instead = "broker.wait_until_async(limit, condition).await";
        self.wait(("Broker::wait_until", instead), limit, condition, did_not_hold)
    }

    /// As [`Broker::wait_until`], for a task, in any runtime.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use leveret::{Broker, Publish};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = Broker::for_tests();
    /// let channel = broker.connect()?.open_channel()?;
    /// channel.queue_declare("mail")?;
    /// tokio::spawn(async move { channel.publish(Publish::to_queue("mail")).await });
    /// let limit = Duration::from_secs(10);
    /// broker.wait_until_async(limit, |broker| broker.journal().published().count() == 1).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If it does not hold in time.
    pub async fn wait_until_async(
        &self,
        limit: Duration,
        condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), TimedOut> {
        self.wait_async(limit, condition, Box::new(did_not_hold)).await
    }

    /// As [`Broker::wait_until`]; `complaint` says what was not reached.
    #[doc(hidden)]
    #[track_caller]
    pub fn wait_for(
        &self,
        limit: Duration,
        condition: impl FnMut(&Self) -> bool,
        complaint: impl FnOnce() -> String,
    ) -> Result<(), TimedOut> {
        self.wait(("Broker::wait_for", "an async form"), limit, condition, complaint)
    }

    #[track_caller]
    fn wait(
        &self,
        (what, instead): (&str, &str),
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
        complaint: impl FnOnce() -> String,
    ) -> Result<(), TimedOut> {
        let changes = self.node().changes();
        let holds = wait_here(what, instead, || changes.wait_until(limit, || condition(self)));
        if holds { Ok(()) } else { Err(self.timed_out(complaint(), limit)) }
    }

    async fn wait_async(
        &self,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
        complaint: Complaint<'_>,
    ) -> Result<(), TimedOut> {
        let holds = self.node().changes().until(limit, || condition(self)).await;
        if holds { Ok(()) } else { Err(self.timed_out(complaint(), limit)) }
    }

    fn timed_out(&self, awaited: String, limit: Duration) -> TimedOut {
        TimedOut { awaited, limit, instead: self.journal().tail() }
    }

    /// As [`Broker::wait_until`], for a test.
    ///
    /// # Panics
    /// If the condition does not hold in time; the message tells what has happened instead. And as
    /// [`Broker::wait_until`]: a task awaits [`Broker::eventually_async`].
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion of a test fails by panicking")]
    pub fn eventually(&self, condition: impl FnMut(&Self) -> bool, limit: Duration) {
        let instead = "broker.eventually_async(condition, limit).await";
        let what = ("Broker::eventually", instead);
        if let Err(error) = self.wait(what, limit, condition, did_not_hold) {
            panic!("{error}");
        }
    }

    /// As [`Broker::eventually`], for a task, in any runtime.
    ///
    /// # Panics
    /// If the condition does not hold in time; the message tells what has happened instead.
    pub fn eventually_async<'a>(
        &'a self,
        condition: impl FnMut(&Self) -> bool + Send + 'a,
        limit: Duration,
    ) -> impl Future<Output = ()> + Send + 'a {
        Eventually(Box::pin(self.wait_until_async(limit, condition)))
    }

    /// Waits until nothing is left to do: no delivery is unacknowledged, and no queue that has
    /// consumers and is not held has ready messages. What consumers publish before they
    /// acknowledge is waited for, too. `limit` is of real time.
    ///
    /// If nobody has consumed anything yet, nor taken it by basic.get, the program under test has
    /// not begun: its first consumer is waited for.
    ///
    /// # Errors
    /// If there is something left by then; the text says in which queues. Or there was no consumer.
    ///
    /// # Panics
    /// As [`Broker::wait_until`]: a task awaits [`Broker::wait_until_idle_async`].
    #[track_caller]
    pub fn wait_until_idle(&self, limit: Duration) -> Result<(), TimedOut> {
        let what = ("Broker::wait_until_idle", "broker.wait_until_idle_async(limit).await");
        self.wait(what, limit, Self::is_idle, || self.unrest())
    }

    /// As [`Broker::wait_until_idle`], for a task, in any runtime.
    ///
    /// # Errors
    /// As [`Broker::wait_until_idle`].
    pub async fn wait_until_idle_async(&self, limit: Duration) -> Result<(), TimedOut> {
        self.wait_async(limit, Self::is_idle, Box::new(|| self.unrest())).await
    }

    /// Waits until a queue of the default virtual host has the counts that `condition` wants, and
    /// returns them; for ten seconds of real time at most. The queue need not exist yet.
    ///
    /// ```
    /// use leveret::{Broker, Publish};
    ///
    /// let broker = Broker::for_tests();
    /// let channel = broker.connect()?.open_channel()?;
    /// std::thread::spawn(move || {
    ///     channel.queue_declare("jobs")?;
    ///     channel.basic_publish(Publish::to_queue("jobs"))
    /// });
    /// broker.wait_for_queue("jobs", |q| q.ready == 1 && q.consumers == 0)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it does not have them in time; the text says what it has.
    ///
    /// # Panics
    /// As [`Broker::wait_until`]: a task awaits [`Broker::wait_for_queue_async`].
    #[track_caller]
    pub fn wait_for_queue(
        &self,
        queue: &str,
        condition: impl FnMut(&Counts) -> bool,
    ) -> Result<Counts, TimedOut> {
        let mut found = None;
        let holds = self.has_queue(queue, condition, &mut found);
        let what =
            ("Broker::wait_for_queue", "broker.wait_for_queue_async(queue, condition).await");
        self.wait(what, QUEUE_WAIT, holds, || self.other_counts(queue))?;
        found.ok_or_else(|| self.timed_out(self.other_counts(queue), QUEUE_WAIT))
    }

    /// As [`Broker::wait_for_queue`], for a task, in any runtime.
    ///
    /// # Errors
    /// As [`Broker::wait_for_queue`].
    pub async fn wait_for_queue_async(
        &self,
        queue: &str,
        condition: impl FnMut(&Counts) -> bool,
    ) -> Result<Counts, TimedOut> {
        let mut found = None;
        let holds = self.has_queue(queue, condition, &mut found);
        self.wait_async(QUEUE_WAIT, holds, Box::new(|| self.other_counts(queue))).await?;
        found.ok_or_else(|| self.timed_out(self.other_counts(queue), QUEUE_WAIT))
    }

    /// Whether the queue has the counts that are wanted, which then are `found`.
    fn has_queue(
        &self,
        queue: &str,
        mut condition: impl FnMut(&Counts) -> bool,
        found: &mut Option<Counts>,
    ) -> impl FnMut(&Self) -> bool {
        move |broker| {
            *found = broker.counts(queue).ok().filter(&mut condition);
            found.is_some()
        }
    }

    fn other_counts(&self, queue: &str) -> String {
        match self.counts(queue) {
            Err(error) => error.to_string(),
            Ok(Counts { ready, unacked, consumers, .. }) => format!(
                "queue '{queue}' did not come to what was waited for, but had {ready} ready and \
                 {unacked} unacknowledged messages and {consumers} consumers"
            ),
        }
    }

    fn is_idle(&self) -> bool {
        self.node().shared.has_consumed() && self.busy_queues().is_empty()
    }

    fn unrest(&self) -> String {
        if self.node().shared.has_consumed() {
            return format!("there was no rest in {}", self.busy_queues().join(", "));
        }
        "no consumer came, so there was nothing to come to rest: does the program under test \
         consume from this broker?"
            .into()
    }

    /// Queues in which something is left to do.
    fn busy_queues(&self) -> Vec<String> {
        let queues = self.queues();
        let busy = queues.iter().filter_map(|queue| {
            let counts = queue.counts();
            let waits = counts.ready > 0 && counts.consumers > 0 && !queue.is_held();
            let is_busy = counts.unacked > 0 || waits;
            is_busy.then(|| {
                let (ready, unacked) = (counts.ready, counts.unacked);
                let (name, host) = (queue.name(), queue.virtual_host());
                format!(
                    "queue '{name}' in vhost '{host}' ({ready} ready, {unacked} unacknowledged)"
                )
            })
        });
        busy.collect()
    }
}

/// A wait that fails the test. It is polled where it is awaited, so that the panic points there.
struct Eventually<F>(Pin<Box<F>>);

impl<F: Future<Output = Result<(), TimedOut>>> Future for Eventually<F> {
    type Output = ();

    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion of a test fails by panicking")]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.0.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(error)) => panic!("{error}"),
        }
    }
}

/// Lets the other tasks of the runtime have a turn.
pub(super) async fn next_turn() {
    let mut is_over = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
