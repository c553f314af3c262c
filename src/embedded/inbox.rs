//! Where an embedded channel's deliveries, returns and confirms wait until the program takes them.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use crossbeam::utils::Backoff;

use crate::base::lock::{Condvar, Mutex};
use crate::base::memory_alarm::MemoryAlarm;
use crate::base::names::ConsumerTag;
use crate::base::rank;
use crate::base::wake::{Wake, Wakeups};
use crate::channel::output::{ChannelOutput, Outgoing, Run};
use crate::embedded::channel::ChannelInner;
use crate::embedded::confirming::Outcomes;
use crate::embedded::untaken::{Returned, Untaken};
use crate::embedded::waiting::{Contents, Inbox, Inboxes, Waiting};
use crate::error::Error;
use crate::limits::{MAILBOX_HIGH, MAILBOX_LOW, MAILBOX_REPLIES_MAX};
use crate::message::Message;
use crate::queue::consumers::Held;

/// What was taken from an inbox.
pub(super) struct Taken<R> {
    pub taken: R,
    /// Consumers that found no room may go on.
    pub has_room: bool,
    /// Nothing is left, and nothing more comes.
    pub is_over: bool,
}

/// The client's side of an embedded channel.
#[derive(Default)]
pub(super) struct Mailbox {
    /// Whose mailbox it is.
    pub(super) channel: OnceLock<Weak<ChannelInner>>,
    inboxes: Mutex<Inboxes, rank::Inboxes>,
    /// Deliveries in all of them: changed under their lock, read without it.
    waiting: AtomicUsize,
    returned: Mutex<Returned, rank::Returned>,
    outcomes: Arc<Outcomes>,
    /// The program is about to lose the connection.
    sealed: AtomicBool,
    /// What counts that which is not taken.
    memory: Option<Arc<MemoryAlarm>>,
}

impl Mailbox {
    /// An empty one, in which what waits counts as memory.
    pub(super) fn counted_by(memory: &Arc<MemoryAlarm>) -> Self {
        let untaken = || Untaken::counted_by(memory);
        Self {
            inboxes: Mutex::new(Inboxes { untaken: untaken(), ..Inboxes::default() }),
            returned: Mutex::new(Returned { untaken: untaken(), ..Returned::default() }),
            memory: Some(Arc::clone(memory)),
            ..Self::default()
        }
    }

    /// Something was taken: the alarm may be over. No lock is held.
    fn follow_memory(&self) {
        if let Some(memory) = self.memory.as_ref().filter(|memory| memory.is_alarmed()) {
            memory.follow();
        }
    }

    /// Opens an inbox for a consumer that starts. What comes there counts as memory until it is
    /// taken if it is `no_ack`.
    pub(super) fn open(&self, tag: &ConsumerTag, no_ack: bool) -> Arc<Inbox> {
        let mut inboxes = self.inboxes.lock();
        if let Some(known) = inboxes.known(tag) {
            return known;
        }
        let place = inboxes.free.pop().unwrap_or(inboxes.places.len());
        let inbox = Inbox { place, arrived: Condvar::new(), waker: Mutex::default() };
        let inbox = Arc::new(inbox);
        let contents = Contents {
            inbox: Arc::clone(&inbox),
            waiting: VecDeque::new(),
            arrived: no_ack.then_some(0),
            ended: false,
            awaited: false,
        };
        match inboxes.places.get_mut(place) {
            Some(free) => *free = Some(contents),
            None => inboxes.places.push(Some(contents)),
        }
        inboxes.open.insert(tag.clone(), place);
        inbox
    }

    /// Whether the consumer of this tag is the one that the inbox belongs to: the tag is free
    /// again after its queue was deleted.
    pub(super) fn is_open(&self, tag: &ConsumerTag, inbox: &Inbox) -> bool {
        self.inboxes.lock().open.get(tag) == Some(&inbox.place)
    }

    /// Closes the inbox of a consumer that ended.
    pub(super) fn close(&self, tag: &ConsumerTag) {
        let inbox = self.inboxes.lock().end(tag);
        if let Some(inbox) = inbox {
            inbox.wake();
        }
    }

    /// Gives up an inbox that was closed: its consumer is gone.
    pub(super) fn remove(&self, inbox: &Inbox) {
        let mut inboxes = self.inboxes.lock();
        let contents = inboxes.places.get_mut(inbox.place).and_then(Option::take);
        inboxes.free.extend(contents.as_ref().map(|_| inbox.place));
        inboxes.untaken.remove(contents.as_ref().map_or(0, Contents::octets));
        drop(inboxes);
        drop(contents); // which are messages, with no lock held
        self.follow_memory();
    }

    /// Closes all inboxes.
    pub(super) fn close_all(&self) {
        let mut inboxes = self.inboxes.lock();
        let tags: Vec<_> = inboxes.open.keys().cloned().collect();
        let ended: Vec<_> = tags.iter().filter_map(|tag| inboxes.end(tag)).collect();
        drop(inboxes);
        ended.iter().for_each(|inbox| inbox.wake());
        self.outcomes.close();
    }

    /// Has `take` take deliveries out of an inbox, which is empty only after waiting for one up to
    /// `patience` (`None`: as long as it takes), or if none will ever come.
    pub(super) fn take<R>(
        &self,
        inbox: &Inbox,
        patience: Option<Duration>,
        take: impl FnOnce(&mut VecDeque<Waiting>) -> R,
    ) -> Taken<R> {
        let mut inboxes = self.inboxes.lock();
        let idle = |inboxes: &mut Inboxes| inboxes.at(inbox).is_some_and(Contents::awaits);
        match patience {
            Some(Duration::ZERO) => {}
            Some(patience) => {
                inbox.arrived.wait_while_for(&mut inboxes, idle, patience);
            }
            None => inbox.arrived.wait_while(&mut inboxes, idle),
        }
        let taken = self.take_from(&mut inboxes, inbox, take);
        drop(inboxes);
        self.follow_memory();
        taken
    }

    /// The same of one, for a task.
    pub(super) fn poll_take(
        &self,
        inbox: &Inbox,
        context: &Context<'_>,
    ) -> Poll<Taken<Option<Waiting>>> {
        let mut inboxes = self.inboxes.lock();
        if inboxes.at(inbox).is_some_and(Contents::awaits) {
            *inbox.waker.lock() = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = self.take_from(&mut inboxes, inbox, VecDeque::pop_front);
        drop(inboxes);
        self.follow_memory();
        Poll::Ready(taken)
    }

    /// Takes from an inbox, under the lock.
    fn take_from<R>(
        &self,
        inboxes: &mut Inboxes,
        inbox: &Inbox,
        take: impl FnOnce(&mut VecDeque<Waiting>) -> R,
    ) -> Taken<R> {
        let Some(contents) = inboxes.at(inbox) else {
            return Taken { taken: take(&mut VecDeque::new()), has_room: false, is_over: true };
        };
        let (before, octets) = (contents.waiting.len(), contents.octets());
        let taken = take(&mut contents.waiting);
        let has_room = self.count_taken(before - contents.waiting.len());
        let is_over = contents.ended && contents.waiting.is_empty();
        let freed = octets - contents.octets();
        inboxes.untaken.remove(freed);
        Taken { taken, has_room, is_over }
    }

    /// So many have come, with octets that count, under the lock.
    fn count_put(&self, inboxes: &mut Inboxes, count: usize, octets: usize) {
        inboxes.untaken.add(octets);
        self.waiting.store(self.waiting.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    /// So many were taken, under the lock. Tells whether they were what was too much.
    fn count_taken(&self, count: usize) -> bool {
        let before = self.waiting.load(Ordering::Relaxed);
        let left = before - count;
        self.waiting.store(left, Ordering::Relaxed);
        let has_room = left <= MAILBOX_LOW && before > MAILBOX_LOW;
        if has_room {
            // Either who asks for room sees this, or he is seen to have asked before.
            fence(Ordering::SeqCst);
        }
        has_room
    }

    /// Waits for the blink of an eye: what is sent by another thread at this moment comes sooner
    /// than this one could go to sleep. It takes no lock, for which the other thread would wait.
    pub(super) fn spin(&self) {
        let backoff = Backoff::new();
        while self.waiting.load(Ordering::Relaxed) == 0 && !backoff.is_completed() {
            backoff.snooze();
        }
    }

    /// Takes the oldest returned message.
    pub(super) fn take_returned(&self) -> Option<Message> {
        let taken = self.returned.lock().take(VecDeque::pop_front);
        self.follow_memory();
        taken
    }

    /// How many messages ever came back.
    pub(super) fn returned_total(&self) -> u64 {
        self.returned.lock().total
    }

    /// Takes the newest returned message if more than `before` ever came back.
    pub(super) fn take_returned_since(&self, before: u64) -> Option<Message> {
        let mut returned = self.returned.lock();
        if returned.total > before { returned.take(VecDeque::pop_back) } else { None }
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

impl Mailbox {
    /// Puts deliveries into their inboxes, in order.
    fn put_all<'a>(
        &self,
        deliveries: impl Iterator<Item = Outgoing<'a, impl Held>>,
        wakeups: &mut Wakeups,
    ) {
        let mut inboxes = self.inboxes.lock();
        let (mut count, mut octets) = (0, 0);
        for delivery in deliveries {
            let Some(more) = inboxes.put(delivery, wakeups) else { continue };
            count += 1;
            octets += more;
        }
        self.count_put(&mut inboxes, count, octets);
    }
}

impl ChannelOutput for Mailbox {
    fn has_room(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) < MAILBOX_HIGH
    }

    fn has_room_for_reply(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) < MAILBOX_REPLIES_MAX
    }

    fn deliver_one(&self, delivery: Outgoing<'_, Cow<'_, Message>>, wakeups: &mut Wakeups) {
        let mut inboxes = self.inboxes.lock();
        let put = inboxes.put(delivery, wakeups);
        self.count_put(&mut inboxes, put.iter().count(), put.unwrap_or(0));
    }

    fn deliver(&self, deliveries: Run<'_>, wakeups: &mut Wakeups) {
        match deliveries {
            Run::Given(given) => self.put_all(given, wakeups),
            Run::Shown(shown) => self.put_all(shown, wakeups),
        }
    }

    fn basic_return(&self, message: &Message, _: &mut Wakeups) {
        let mut returned = self.returned.lock();
        returned.total += 1;
        returned.untaken.add(message.footprint());
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
        if let Some(inbox) = self.inboxes.lock().end(consumer_tag) {
            wakeups.add(inbox);
        }
    }
}
