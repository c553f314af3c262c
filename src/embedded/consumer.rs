//! Consumers of an embedding program.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use crate::base::blocking::wait_here;
use crate::base::names::ConsumerTag;
use crate::embedded::channel::ChannelInner;
use crate::embedded::message::{Delivery, Recipient};
use crate::embedded::waiting::{Inbox, Waiting};
use crate::queue::Queue;

/// A running consumer. It takes no thread and no runtime: a thread waits for deliveries with
/// [`Consumer::recv`] or iterates over them, a task uses the consumer as a [`Stream`].
///
/// ```
/// use leveret::{Broker, Publish};
///
/// let broker = Broker::new();
/// let channel = broker.connect()?.open_channel()?;
/// channel.queue_declare("jobs")?;
/// for job in ["a", "b", "c"] {
///     channel.basic_publish(Publish::to_queue("jobs").body(job))?;
/// }
/// let consumer = channel.basic_consume("jobs")?;
/// for delivery in consumer.iter().take(2) {
///     delivery.ack()?;
/// }
/// // With `futures_util::StreamExt` in scope: consumer.next().await
/// assert_eq!(consumer.recv().expect("a third job").body(), b"c");
/// # Ok::<(), leveret::Error>(())
/// ```
///
/// It ends when the consumer is cancelled, its queue is deleted, or the channel, connection or
/// broker is closed. Dropping it cancels the consumer; what was delivered and not taken goes back
/// to the queue.
#[must_use = "a consumer that is dropped is cancelled"]
pub struct Consumer(pub(super) Arc<Subscription>);

/// What a consumer shares with its deliveries.
pub(super) struct Subscription {
    pub(super) channel: Arc<ChannelInner>,
    pub(super) tag: ConsumerTag,
    /// The queue, unless that is another broker's.
    pub(super) queue: Option<Arc<Queue>>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) no_ack: bool,
}

impl Consumer {
    /// Consumer tag.
    pub fn tag(&self) -> &str {
        self.0.tag.as_str()
    }

    /// The deliveries, each waited for, until the consumer has ended.
    pub fn iter(&self) -> Deliveries<&Self> {
        Deliveries(self)
    }

    /// Waits for the next delivery. `None` when the consumer has ended.
    ///
    /// # Panics
    /// On the only thread of a tokio runtime, if it has to wait: the publisher could not go on
    /// meanwhile. A task awaits the consumer's next item, as of every [`Stream`].
    #[track_caller]
    #[inline]
    pub fn recv(&self) -> Option<Delivery> {
        self.take_one("Consumer::recv", None).map(|waiting| self.delivery(waiting))
    }

    /// Waits for the next delivery, but not longer than this. `None` if there was none in time, or
    /// the consumer has ended.
    ///
    /// # Panics
    /// As [`Consumer::recv`].
    #[track_caller]
    pub fn recv_timeout(&self, patience: Duration) -> Option<Delivery> {
        let waiting = self.take_one("Consumer::recv_timeout", Some(patience));
        waiting.map(|waiting| self.delivery(waiting))
    }

    /// The next delivery, if there is one now.
    pub fn try_recv(&self) -> Option<Delivery> {
        let waiting = self.take_one("Consumer::try_recv", Some(Duration::ZERO));
        waiting.map(|waiting| self.delivery(waiting))
    }

    /// Waits for the next delivery, and takes with it those that are there already: up to `max`
    /// of them, which costs less than to take them one by one. There is none when the consumer has
    /// ended, or `max` is 0.
    ///
    /// ```
    /// use leveret::{Broker, Publish};
    ///
    /// let broker = Broker::new();
    /// let channel = broker.connect()?.open_channel()?;
    /// channel.queue_declare("jobs")?;
    /// let consumer = channel.basic_consume("jobs")?;
    /// channel.publish_all(["a", "b", "c"].map(|job| Publish::to_queue("jobs").body(job)))?;
    /// let jobs = consumer.recv_many(100);
    /// assert_eq!(jobs.len(), 3);
    /// if let Some(last) = jobs.last() {
    ///     last.ack_multiple()?;
    /// }
    /// # Ok::<(), leveret::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Consumer::recv`].
    #[track_caller]
    pub fn recv_many(&self, max: usize) -> Vec<Delivery> {
        if max == 0 {
            return Vec::new();
        }
        let taken = self.take("Consumer::recv_many", None, |waiting| {
            let run = waiting.drain(..waiting.len().min(max));
            (run.len() > 0).then(|| run.map(|waiting| self.delivery(waiting)).collect())
        });
        taken.filter(|_| !self.comes_too_late()).unwrap_or_default()
    }

    #[track_caller]
    fn take_one(&self, what: &str, patience: Option<Duration>) -> Option<Waiting> {
        let waiting = self.take(what, patience, VecDeque::pop_front);
        waiting.filter(|_| !self.comes_too_late())
    }

    /// Has `take` take deliveries as soon as there are any, or there is no more to wait for.
    #[track_caller]
    fn take<R>(
        &self,
        what: &str,
        patience: Option<Duration>,
        mut take: impl FnMut(&mut VecDeque<Waiting>) -> Option<R>,
    ) -> Option<R> {
        let Subscription { channel, inbox, .. } = &*self.0;
        let mailbox = &channel.mailbox;
        if patience != Some(Duration::ZERO) {
            mailbox.spin();
        }
        let mut outcome = mailbox.take(inbox, Some(Duration::ZERO), &mut take);
        let may_come = outcome.taken.is_none() && !outcome.is_over;
        if may_come && patience != Some(Duration::ZERO) {
            let instead = "consumer.next().await, with futures_util::StreamExt";
            outcome = wait_here(what, instead, || mailbox.take(inbox, patience, &mut take));
        }
        if outcome.has_room {
            channel.resume_starved();
        }
        outcome.taken
    }

    /// Ends the consumer.
    pub fn cancel(self) {
        drop(self);
    }

    /// Whether the channel is closed: then what needs an acknowledgement has gone back to the
    /// queue, and the program does not get it.
    fn comes_too_late(&self) -> bool {
        let Subscription { channel, no_ack, .. } = &*self.0;
        channel.is_closed() && !no_ack
    }

    /// The delivery as the program gets it. It is put together where the program has it: it would
    /// take longer to copy what was just written in pieces.
    #[inline]
    fn delivery(&self, waiting: Waiting) -> Delivery {
        Delivery {
            recipient: Recipient::Consumer(Arc::clone(&self.0)),
            delivery_tag: waiting.delivery_tag,
            redelivered: waiting.redelivered,
            delivery_count: waiting.delivery_count,
            message: waiting.message,
        }
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("tag", &self.0.tag).finish_non_exhaustive()
    }
}

/// An iterator that waits for the deliveries of a consumer: its own, or of one that it borrows.
#[derive(Debug)]
#[must_use = "an iterator does nothing by itself"]
pub struct Deliveries<C>(C);

impl<C: Borrow<Consumer>> Iterator for Deliveries<C> {
    type Item = Delivery;

    #[track_caller]
    fn next(&mut self) -> Option<Delivery> {
        self.0.borrow().recv()
    }
}

impl IntoIterator for Consumer {
    type Item = Delivery;
    type IntoIter = Deliveries<Self>;

    fn into_iter(self) -> Deliveries<Self> {
        Deliveries(self)
    }
}

impl<'a> IntoIterator for &'a Consumer {
    type Item = Delivery;
    type IntoIter = Deliveries<&'a Consumer>;

    fn into_iter(self) -> Deliveries<&'a Consumer> {
        self.iter()
    }
}

impl Stream for Consumer {
    type Item = Delivery;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let Subscription { channel, inbox, .. } = &*self.0;
        let Poll::Ready(outcome) = channel.mailbox.poll_take(inbox, context) else {
            return Poll::Pending;
        };
        if outcome.has_room {
            channel.resume_starved();
        }
        let waiting = outcome.taken.filter(|_| !self.comes_too_late());
        Poll::Ready(waiting.map(|waiting| self.delivery(waiting)))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let Subscription { channel, tag, inbox, no_ack, .. } = &*self.0;
        channel.cancel(tag, inbox, *no_ack);
    }
}
