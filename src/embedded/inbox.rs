//! Where an embedded channel's deliveries, returns and confirms wait until the program takes them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::base::lock::{Condvar, Mutex};
use crate::base::rank;
use crate::base::wake::{Wake, Wakeups};
use crate::channel::output::{ChannelOutput, Outgoing};
use crate::embedded::channel::ChannelInner;
use crate::embedded::confirming::Outcomes;
use crate::error::Error;
use crate::limits::{MAILBOX_HIGH, MAILBOX_REPLIES_MAX};
use crate::message::Message;
use crate::names::ConsumerTag;

/// A delivery that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub delivery_tag: u64,
    pub redelivered: bool,
    pub delivery_count: Option<u32>,
    pub message: Message,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    ended: bool,
    waker: Option<Waker>,
}

/// The deliveries of one consumer.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State, rank::Inbox>,
    changed: Condvar,
}

impl Inbox {
    /// Whether there is nothing now, and there may be something later.
    pub(super) fn has_to_wait(&self) -> bool {
        let state = self.state.lock();
        state.waiting.is_empty() && !state.ended
    }

    /// Takes the next delivery, waiting up to `patience` (`None`: as long as it takes). `None` if
    /// there is none in time, or will never be one.
    pub(super) fn take(&self, patience: Option<Duration>) -> Option<Waiting> {
        let mut state = self.state.lock();
        let idle = |state: &mut State| state.waiting.is_empty() && !state.ended;
        match patience {
            Some(patience) => {
                self.changed.wait_while_for(&mut state, idle, patience);
            }
            None => self.changed.wait_while(&mut state, idle),
        }
        state.waiting.pop_front()
    }

    /// As [`Inbox::take`], for a task.
    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Waiting>> {
        let mut state = self.state.lock();
        match state.waiting.pop_front() {
            Some(waiting) => Poll::Ready(Some(waiting)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// No more deliveries will come.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.wake();
    }
}

impl Wake for Inbox {
    fn wake(&self) {
        let waker = self.state.lock().waker.take();
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Messages that came back.
#[derive(Default)]
struct Returned {
    waiting: VecDeque<Message>,
    /// How many ever came back.
    total: u64,
}

/// The client's side of an embedded channel.
#[derive(Default)]
pub(super) struct Mailbox {
    /// Whose mailbox it is.
    pub(super) channel: OnceLock<Weak<ChannelInner>>,
    inboxes: Mutex<HashMap<ConsumerTag, Arc<Inbox>>, rank::Inboxes>,
    returned: Mutex<Returned, rank::Returned>,
    outcomes: Arc<Outcomes>,
    waiting: AtomicUsize,
    /// The program is about to lose the connection.
    sealed: AtomicBool,
}

impl Mailbox {
    /// Opens an inbox for a consumer that starts.
    pub(super) fn open(&self, tag: &ConsumerTag) -> Arc<Inbox> {
        let mut inboxes = self.inboxes.lock();
        Arc::clone(inboxes.entry(tag.clone()).or_default())
    }

    /// Whether the consumer of this tag is the one that the inbox belongs to: the tag is free
    /// again after its queue was deleted.
    pub(super) fn is_open(&self, tag: &ConsumerTag, inbox: &Arc<Inbox>) -> bool {
        self.inboxes.lock().get(tag).is_some_and(|known| Arc::ptr_eq(known, inbox))
    }

    /// Closes the inbox of a consumer that ended.
    pub(super) fn close(&self, tag: &ConsumerTag) {
        if let Some(inbox) = self.inboxes.lock().remove(tag) {
            inbox.end();
        }
    }

    /// Closes all inboxes.
    pub(super) fn close_all(&self) {
        let inboxes = std::mem::take(&mut *self.inboxes.lock());
        for inbox in inboxes.into_values() {
            inbox.end();
        }
        self.outcomes.close();
    }

    /// Notes that a delivery was taken; tells how many wait.
    pub(super) fn count_taken(&self) -> usize {
        self.waiting.fetch_sub(1, Ordering::SeqCst) - 1
    }

    /// Takes the oldest returned message.
    pub(super) fn take_returned(&self) -> Option<Message> {
        self.returned.lock().waiting.pop_front()
    }

    /// How many messages ever came back.
    pub(super) fn returned_total(&self) -> u64 {
        self.returned.lock().total
    }

    /// Takes the newest returned message if more than `before` ever came back.
    pub(super) fn take_returned_since(&self, before: u64) -> Option<Message> {
        let mut returned = self.returned.lock();
        if returned.total > before { returned.waiting.pop_back() } else { None }
    }

    /// What is known of the channel's publishes.
    pub(super) fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }
}

/// The end of a channel or its connection, when no lock is held.
struct Ending {
    channel: Weak<ChannelInner>,
    error: Error,
}

impl Wake for Ending {
    fn wake(&self) {
        if let Some(channel) = self.channel.upgrade() {
            channel.end_for(&self.error);
        }
    }
}

impl ChannelOutput for Mailbox {
    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) < MAILBOX_HIGH
    }

    fn has_room_for_reply(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) < MAILBOX_REPLIES_MAX
    }

    fn deliver(&self, deliveries: &mut dyn Iterator<Item = Outgoing<'_>>, wakeups: &mut Wakeups) {
        for delivery in deliveries {
            let Some(inbox) = self.inboxes.lock().get(delivery.consumer_tag).cloned() else {
                continue;
            };
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let mut state = inbox.state.lock();
            let first = state.waiting.is_empty();
            state.waiting.push_back(Waiting {
                delivery_tag: delivery.delivery_tag,
                redelivered: delivery.redelivered,
                delivery_count: delivery.delivery_count,
                message: delivery.message.clone(),
            });
            drop(state);
            if first {
                wakeups.add(inbox);
            }
        }
    }

    fn basic_return(&self, message: &Message, _: &mut Wakeups) {
        let mut returned = self.returned.lock();
        returned.total += 1;
        returned.waiting.push_back(message.clone());
    }

    fn confirm(&self, delivery_tag: u64, multiple: bool, ack: bool, wakeups: &mut Wakeups) {
        if self.outcomes.conclude(delivery_tag, multiple, ack) {
            wakeups.add(Arc::clone(&self.outcomes) as _);
        }
    }

    fn seal(&self) {
        self.sealed.store(true, Ordering::SeqCst);
    }

    fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::SeqCst)
    }

    fn acknowledgement_timed_out(&self, timeout_ms: u64) {
        let Some(channel) = self.channel.get().and_then(Weak::upgrade) else { return };
        tracing::warn!("{}", Error::acknowledgement_timeout(1, timeout_ms));
        channel.close();
    }

    fn fail(&self, error: Error, wakeups: &mut Wakeups) {
        if let Some(channel) = self.channel.get().map(Weak::clone) {
            wakeups.add(Arc::new(Ending { channel, error }));
        }
    }

    fn cancel(&self, consumer_tag: &ConsumerTag, wakeups: &mut Wakeups) {
        // The queue's lock is held: whoever waits is woken later, and may then use the queue.
        let Some(inbox) = self.inboxes.lock().remove(consumer_tag) else { return };
        inbox.state.lock().ended = true;
        wakeups.add(inbox);
    }
}
