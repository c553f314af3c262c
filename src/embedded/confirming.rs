//! Confirms as an embedding program waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;
use crate::base::wake::Wake;
use crate::embedded::channel::ChannelInner;
use crate::error::{Error, Result};
use crate::message::Message;

/// What became of a confirmed publish.
#[derive(Clone, Debug)]
#[must_use = "a publish may have been refused or returned"]
pub enum Confirmed {
    /// All queues that the message was routed to have it. Unroutable messages count as well,
    /// unless they are mandatory.
    Ack,
    /// A queue refused it: it is full and rejects publishes.
    Nack,
    /// It was mandatory and no queue got it.
    Returned(Message),
}

impl Confirmed {
    /// Whether the message is where it should be.
    pub fn is_ack(&self) -> bool {
        matches!(self, Self::Ack)
    }
}

/// A publish whose confirm is on its way: a task awaits it, a thread waits for it with
/// [`Confirming::wait`]. The message was published before, whether anybody asks or not; nobody
/// hears of it if this is dropped.
///
/// ```
/// use leveret::{Broker, Publish};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), leveret::Error> {
/// let broker = Broker::new();
/// let channel = broker.connect()?.open_channel()?;
/// channel.queue_declare("jobs")?;
/// let first = channel.publish(Publish::to_queue("jobs").body("a"));
/// let second = channel.publish(Publish::to_queue("jobs").body("b"));
/// assert!(first.await?.is_ack() && second.wait()?.is_ack());
/// # Ok(())
/// # }
/// ```
#[must_use = "a publish may have failed, and may be refused or returned"]
pub struct Confirming(State);

enum State {
    Open {
        channel: Arc<ChannelInner>,
        number: u64,
        /// It came back; the confirm follows.
        returned: Option<Message>,
    },
    Known(Result<Confirmed>),
}

impl Confirming {
    pub(super) fn new(channel: &Arc<ChannelInner>, number: u64, returned: Option<Message>) -> Self {
        Self(State::Open { channel: Arc::clone(channel), number, returned })
    }

    /// As it is, but that a message which came back was not published.
    pub(crate) fn or_no_route(self) -> Self {
        let returned = match &self.0 {
            State::Open { returned, .. } => returned.as_ref(),
            State::Known(_) => None,
        };
        match returned.map(no_route) {
            Some(error) => Self::failed(error),
            None => self,
        }
    }

    /// What was not published.
    pub(crate) fn failed(error: Error) -> Self {
        Self(State::Known(Err(error)))
    }

    /// Waits for the confirm. Errors: those of the publish, see
    /// [`Channel::publish`](crate::Channel::publish); 504 if the channel is closed before.
    ///
    /// # Panics
    /// On the only thread of a tokio runtime if the confirm does not come by itself, because a
    /// fault holds it back: a task awaits it.
    #[track_caller]
    pub fn wait(mut self) -> Result<Confirmed> {
        if let State::Open { channel, number, returned } = &mut self.0 {
            let accepted = channel.wait_concluded(*number..=*number, "Confirming::wait");
            let returned = returned.take().or_else(|| channel.take_returned(*number));
            let known = outcome(accepted.map(|accepted| accepted > 0), returned);
            self.0 = State::Known(known);
        }
        match &mut self.0 {
            State::Known(known) => known.clone(),
            State::Open { .. } => Err(Error::ChannelClosed),
        }
    }
}

/// What [`Broker::publish`](crate::Broker::publish) says of a message that came back.
pub fn no_route(message: &Message) -> Error {
    let exchange = match message.exchange() {
        "" => "the default exchange".into(),
        name => format!("exchange '{name}'"),
    };
    Error::NoRoute { exchange, routing_key: message.routing_key().into() }
}

fn outcome(accepted: Option<bool>, returned: Option<Message>) -> Result<Confirmed> {
    match (accepted.ok_or(Error::ChannelClosed)?, returned) {
        (_, Some(message)) => Ok(Confirmed::Returned(message)),
        (true, None) => Ok(Confirmed::Ack),
        (false, None) => Ok(Confirmed::Nack),
    }
}

impl Future for Confirming {
    type Output = Result<Confirmed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Open { channel, number, returned } = &mut self.0 {
            let poll =
                channel.outcomes().poll_concluded(*number, || channel.is_closed(), context.waker());
            let Poll::Ready(accepted) = poll else { return Poll::Pending };
            let returned = returned.take().or_else(|| channel.take_returned(*number));
            let known = outcome(accepted, returned);
            self.0 = State::Known(known);
        }
        match &self.0 {
            State::Known(known) => Poll::Ready(known.clone()),
            State::Open { .. } => Poll::Pending,
        }
    }
}

impl Drop for Confirming {
    fn drop(&mut self) {
        if let State::Open { channel, number, .. } = &self.0 {
            channel.outcomes().forget(*number);
        }
    }
}

impl fmt::Debug for Confirming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Open { number, .. } => write!(f, "Confirming(publish {number})"),
            State::Known(known) => f.debug_tuple("Confirming").field(known).finish(),
        }
    }
}

/// What is known of the publishes of a channel, and who waits to know more.
#[derive(Default)]
pub(super) struct Outcomes {
    known: Mutex<Known, rank::Confirming>,
    concluded: Condvar,
}

#[derive(Default)]
struct Known {
    concluded_up_to: u64,
    concluded_beyond: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    /// Not concluded yet, and nobody will ask.
    forgotten: BTreeSet<u64>,
    /// Tasks that wait for the publish with this number.
    waiting: BTreeMap<u64, Waker>,
    /// Tasks that have waited long enough.
    due: Vec<Waker>,
}

impl Known {
    fn is_concluded(&self, number: u64) -> bool {
        number <= self.concluded_up_to || self.concluded_beyond.contains(&number)
    }

    fn are_concluded(&self, numbers: RangeInclusive<u64>) -> bool {
        let first = *numbers.start().max(&(self.concluded_up_to + 1));
        (first..=*numbers.end()).all(|number| self.concluded_beyond.contains(&number))
    }

    fn conclude(&mut self, number: u64, multiple: bool, ack: bool) {
        if !ack {
            let first = if multiple { self.concluded_up_to + 1 } else { number };
            let (beyond, forgotten) = (&self.concluded_beyond, &self.forgotten);
            let is_asked_for = |n: &u64| !beyond.contains(n) && !forgotten.contains(n);
            self.refused.extend((first..=number).filter(is_asked_for));
        }
        if multiple || number == self.concluded_up_to + 1 {
            self.concluded_up_to = self.concluded_up_to.max(number);
        } else {
            self.concluded_beyond.insert(number);
        }
        while self.concluded_beyond.remove(&(self.concluded_up_to + 1)) {
            self.concluded_up_to += 1;
        }
        self.forgotten.remove(&number);
        self.due.extend(self.waiting.remove(&number));
        let later = self.concluded_up_to + 1;
        if self.forgotten.first().is_some_and(|first| *first < later) {
            self.forgotten = self.forgotten.split_off(&later);
        }
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() < later) {
            self.due.push(first.remove());
        }
    }
}

impl Outcomes {
    /// A publish is accepted or refused, with `multiple` all up to it. Tells whether there are
    /// tasks to wake for it, by [`Wake::wake`].
    pub(super) fn conclude(&self, number: u64, multiple: bool, ack: bool) -> bool {
        let mut known = self.known.lock();
        let nobody_was_due = known.due.is_empty();
        known.conclude(number, multiple, ack);
        let is_due = nobody_was_due && !known.due.is_empty();
        drop(known);
        self.concluded.notify_all();
        is_due
    }

    /// Whether the publishes with these numbers are concluded.
    pub(super) fn are_concluded(&self, numbers: RangeInclusive<u64>) -> bool {
        self.known.lock().are_concluded(numbers)
    }

    /// Waits until the publishes with these numbers are concluded; tells how many were accepted,
    /// and nothing if the channel is closed before.
    pub(super) fn wait_concluded(
        &self,
        numbers: RangeInclusive<u64>,
        is_closed: impl Fn() -> bool,
    ) -> Option<usize> {
        let mut known = self.known.lock();
        while !known.are_concluded(numbers.clone()) {
            if is_closed() {
                return None;
            }
            self.concluded.wait(&mut known);
        }
        let all = (numbers.end() + 1).saturating_sub(*numbers.start());
        let refused: Vec<u64> = known.refused.range(numbers).copied().collect();
        for number in &refused {
            known.refused.remove(number);
        }
        Some(usize::try_from(all).unwrap_or(usize::MAX) - refused.len())
    }

    /// As [`Outcomes::wait_concluded`] of one, for a task: whether it was accepted.
    fn poll_concluded(
        &self,
        number: u64,
        is_closed: impl Fn() -> bool,
        waker: &Waker,
    ) -> Poll<Option<bool>> {
        let mut known = self.known.lock();
        if known.is_concluded(number) {
            return Poll::Ready(Some(!known.refused.remove(&number)));
        }
        if is_closed() {
            return Poll::Ready(None);
        }
        known.waiting.insert(number, waker.clone());
        Poll::Pending
    }

    /// Nobody asks what becomes of a publish.
    pub(super) fn forget(&self, number: u64) {
        let mut known = self.known.lock();
        known.waiting.remove(&number);
        if known.is_concluded(number) {
            known.refused.remove(&number);
        } else {
            known.forgotten.insert(number);
        }
    }

    /// The channel has closed: nothing more will be known.
    pub(super) fn close(&self) {
        // Whoever is about to wait has looked whether the channel is open under this lock.
        let waiting = std::mem::take(&mut self.known.lock().waiting);
        self.concluded.notify_all();
        waiting.into_values().for_each(Waker::wake);
    }
}

impl Wake for Outcomes {
    fn wake(&self) {
        let due = std::mem::take(&mut self.known.lock().due);
        due.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_fill_gaps() {
        let mut known = Known::default();
        known.conclude(2, false, false);
        assert!(!known.is_concluded(1) && known.is_concluded(2));
        known.conclude(1, false, true);
        assert_eq!(known.concluded_up_to, 2);
        known.conclude(9, true, true);
        assert!(known.is_concluded(5) && !known.is_concluded(10));
        assert!(known.refused.contains(&2));
    }

    #[test]
    fn what_nobody_asks_for_takes_no_place() {
        let outcomes = Outcomes::default();
        (1..=4).for_each(|number| outcomes.forget(number));
        outcomes.conclude(2, false, false);
        outcomes.conclude(3, true, true);
        outcomes.conclude(5, false, false);
        outcomes.forget(5);
        let known = outcomes.known.lock();
        assert!(known.refused.is_empty());
        assert_eq!(known.forgotten.iter().collect::<Vec<_>>(), [&4]);
    }

    #[test]
    fn a_task_is_woken_once_its_publish_is_concluded() {
        let outcomes = Outcomes::default();
        let poll = |number| outcomes.poll_concluded(number, || false, Waker::noop());
        assert!(poll(1).is_pending() && poll(2).is_pending() && poll(7).is_pending());
        assert!(outcomes.conclude(7, false, false));
        assert!(!outcomes.conclude(2, true, true), "there is somebody to wake already");
        assert_eq!(outcomes.known.lock().due.len(), 3);
        outcomes.wake();
        assert_eq!([poll(2), poll(7)], [Poll::Ready(Some(true)), Poll::Ready(Some(false))]);
        let known = outcomes.known.lock();
        assert!(known.due.is_empty() && known.waiting.is_empty());
    }
}
