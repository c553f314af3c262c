//! Consumers of an embedding program.

use std::borrow::Borrow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use crate::base::blocking::wait_here;
use crate::embedded::channel::ChannelInner;
use crate::embedded::inbox::{Inbox, Waiting};
use crate::embedded::message::Delivery;
use crate::names::ConsumerTag;

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
pub struct Consumer {
    pub(super) channel: Arc<ChannelInner>,
    pub(super) tag: ConsumerTag,
    pub(super) inbox: Arc<Inbox>,
    pub(super) no_ack: bool,
}

impl Consumer {
    /// Consumer tag.
    pub fn tag(&self) -> &str {
        self.tag.as_str()
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
    pub fn recv(&self) -> Option<Delivery> {
        self.take("Consumer::recv", None)
    }

    /// Waits for the next delivery, but not longer than this. `None` if there was none in time, or
    /// the consumer has ended.
    ///
    /// # Panics
    /// As [`Consumer::recv`].
    #[track_caller]
    pub fn recv_timeout(&self, patience: Duration) -> Option<Delivery> {
        self.take("Consumer::recv_timeout", Some(patience))
    }

    /// The next delivery, if there is one now.
    pub fn try_recv(&self) -> Option<Delivery> {
        self.take("Consumer::try_recv", Some(Duration::ZERO))
    }

    #[track_caller]
    fn take(&self, what: &str, patience: Option<Duration>) -> Option<Delivery> {
        let take = || self.inbox.take(patience);
        let has_to_wait = patience != Some(Duration::ZERO) && self.inbox.has_to_wait();
        let instead = "consumer.next().await, with futures_util::StreamExt";
        let waiting = if has_to_wait { wait_here(what, instead, take) } else { take() };
        waiting.and_then(|waiting| self.delivery(waiting))
    }

    /// Ends the consumer.
    pub fn cancel(self) {
        drop(self);
    }

    /// The delivery as the program gets it. Nothing once the channel is closed: then what needs an
    /// acknowledgement has gone back to the queue.
    fn delivery(&self, waiting: Waiting) -> Option<Delivery> {
        self.channel.count_taken();
        if self.channel.is_closed() && !self.no_ack {
            return None;
        }
        Some(Delivery {
            channel: Arc::clone(&self.channel),
            consumer_tag: Some(self.tag.clone()),
            delivery_tag: waiting.delivery_tag,
            redelivered: waiting.redelivered,
            delivery_count: waiting.delivery_count,
            message: waiting.message,
        })
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("tag", &self.tag).finish_non_exhaustive()
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
        self.inbox.poll_take(context).map(|waiting| waiting.and_then(|w| self.delivery(w)))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.channel.cancel(&self.tag, &self.inbox, self.no_ack);
    }
}
