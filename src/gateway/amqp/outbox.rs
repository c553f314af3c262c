//! What waits to be written to a connection. Queues append to it from any thread; the connection's
//! task writes it.

use std::borrow::{Borrow, Cow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::task::Waker;

use leveret_protocol::{Deliveries, Output, reply_code};

use crate::base::lock::Mutex;
use crate::base::memory_alarm::{MemoryAlarm, Share};
use crate::base::names::ConsumerTag;
use crate::base::rank;
use crate::base::wake::{Wake, Wakeups};
use crate::channel::output::{ChannelOutput, Outgoing, Run};
use crate::error::Error;
use crate::faults::Held;
use crate::gateway::amqp::encoding::with_encoding;
use crate::gateway::amqp::spare_buffers;
use crate::gateway::traffic::Traffic;
use crate::insight::statistics::totals::ConnectionTotals;
use crate::limits::{OUTBOX_FULL_BYTES, OUTBOX_HIGH_BYTES, OUTBOX_LOW_BYTES, OUTBOX_SCARCE_PART};
use crate::message::Message;
use crate::node::connections::Closable;
use crate::node::status::ConnectionState;

/// Whether the connection waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stored {
    /// It does not.
    Nothing = 0,
    /// It neither writes nor reads before the store is done.
    Waiting = 1,
    /// The store is done.
    Done = 2,
    /// The store fails.
    Failed = 3,
}

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    output: Output,
    /// Some of it is more than confirms.
    is_wanted: bool,
    /// The connection is about to be lost: this still goes out, and nothing else.
    sealed: Option<Output>,
}

impl Waiting {
    /// What is to be written next.
    fn next(&mut self) -> &mut Output {
        self.sealed.as_mut().unwrap_or(&mut self.output)
    }
}

/// Outgoing octets of one connection.
pub(super) struct Outbox {
    output: Mutex<Waiting, rank::Outbox>,
    /// Octets in `output`, to be read without its lock.
    waiting: AtomicUsize,
    frame_max: AtomicU32,
    /// The task knows, or will be told, that there is something to write.
    announced: AtomicBool,
    /// Some consumer was told that there is no room.
    turned_away: AtomicBool,
    waker: Mutex<Option<Waker>, rank::OutboxWaker>,
    close_reason: Mutex<Option<String>, rank::CloseReason>,
    /// Channels that have to close, and why.
    failures: Mutex<Vec<(u16, Error)>, rank::ChannelFailures>,
    cancel_notify: AtomicBool,
    /// A [`Stored`].
    stored: AtomicU8,
    /// A test does not want the client to be read.
    stopped: AtomicBool,
    /// What came and went, for others to see.
    pub traffic: Traffic,
    /// Octets that the task has taken and not written yet.
    writing: AtomicUsize,
    /// What both take of the memory.
    share: Share,
    /// Octets above which direct replies are unroutable.
    replies_max: usize,
}

impl Outbox {
    /// An empty outbox, which counts as memory.
    pub(super) fn new(memory: &Arc<MemoryAlarm>, replies_max: usize) -> Arc<Self> {
        Arc::new(Self {
            writing: AtomicUsize::new(0),
            share: Share::new(memory, 0),
            replies_max,
            output: Mutex::default(),
            waiting: AtomicUsize::new(0),
            frame_max: AtomicU32::new(0),
            announced: AtomicBool::new(false),
            turned_away: AtomicBool::new(false),
            waker: Mutex::default(),
            close_reason: Mutex::default(),
            failures: Mutex::default(),
            cancel_notify: AtomicBool::new(false),
            stored: AtomicU8::new(Stored::Nothing as u8),
            stopped: AtomicBool::new(false),
            traffic: Traffic::default(),
        })
    }

    /// The connection waits for the store from now on.
    pub(super) fn wait_for_store(&self) {
        self.stored.store(Stored::Waiting as u8, Ordering::SeqCst);
    }

    /// The store is done, or fails.
    pub(super) fn note_stored(&self, is_durable: bool) {
        let stored = if is_durable { Stored::Done } else { Stored::Failed };
        self.stored.store(stored as u8, Ordering::SeqCst);
        self.wake();
    }

    /// How things are with the store. That it is done, or fails, is told once.
    pub(super) fn take_stored(&self) -> Stored {
        let all = [Stored::Nothing, Stored::Waiting, Stored::Done, Stored::Failed];
        let stored = usize::from(self.stored.load(Ordering::SeqCst));
        let stored = all.get(stored).copied().unwrap_or(Stored::Nothing);
        if stored != Stored::Waiting && stored != Stored::Nothing {
            self.stored.store(Stored::Nothing as u8, Ordering::SeqCst);
        }
        stored
    }

    /// What was agreed on in the handshake: the largest frame that the client takes, in octets,
    /// and whether it wants to hear of consumers that are cancelled.
    pub(super) fn set_agreement(&self, frame_max: u32, cancel_notify: bool) {
        self.frame_max.store(frame_max, Ordering::Relaxed);
        self.cancel_notify.store(cancel_notify, Ordering::Relaxed);
    }

    /// Whether the client wants to hear of consumers that are cancelled.
    pub(super) fn wants_cancel_notify(&self) -> bool {
        self.cancel_notify.load(Ordering::Relaxed)
    }

    /// The task looks for work: whoever adds something from now on wakes it again.
    pub(super) fn begin_work(&self, waker: &Waker) {
        self.announced.store(false, Ordering::SeqCst);
        let mut known = self.waker.lock();
        if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Appends by `write`. The connection's own task calls this, and needs no wake-up.
    #[inline]
    pub(super) fn write(&self, write: impl FnOnce(&mut Output, u32)) {
        self.append(true, write);
    }

    /// Appends by `write` what the client waits for, or confirms, which may be told later. Tells
    /// whether the task has to know: if not it is about to take what was waiting already, and this
    /// with it.
    #[inline]
    fn append(&self, is_wanted: bool, write: impl FnOnce(&mut Output, u32)) -> bool {
        let mut waiting = self.output.lock();
        let was_empty = waiting.next().is_empty();
        let is_news = was_empty || (is_wanted && !waiting.is_wanted);
        waiting.is_wanted |= is_wanted;
        if waiting.output.capacity() == 0 {
            waiting.output = spare_buffers::take();
        }
        write(&mut waiting.output, self.frame_max.load(Ordering::Relaxed));
        if waiting.sealed.is_some() {
            waiting.output.clear();
        }
        let octets = waiting.next().len();
        if was_empty {
            // In one order with what the task does: either it sees this, or that it is announced.
            self.waiting.store(octets, Ordering::SeqCst);
        } else {
            self.waiting.store(octets, Ordering::Relaxed);
        }
        drop(waiting);
        self.count();
        is_news
    }

    /// Whether nothing waits but confirms.
    pub(super) fn has_confirms_alone(&self) -> bool {
        !self.output.lock().is_wanted
    }

    /// Counts as memory what waits and what is being written.
    #[inline]
    fn count(&self) {
        self.share.set(self.waiting() + self.writing.load(Ordering::Relaxed));
    }

    /// So much of what was taken is not written yet.
    pub(super) fn note_writing(&self, octets: usize) {
        self.writing.store(octets, Ordering::Relaxed);
        self.count();
        let memory = self.share.memory();
        if memory.is_alarmed() {
            memory.follow();
        }
    }

    /// What the client may leave unread of so many octets: less while memory is short.
    fn at_present(&self, octets: usize) -> usize {
        let is_scarce = self.share.memory().is_alarmed();
        octets / if is_scarce { OUTBOX_SCARCE_PART } else { 1 }
    }

    /// Whether the client has left so much unread that it is not read either.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() > self.at_present(OUTBOX_FULL_BYTES)
    }

    /// The connection is about to be lost: what is written from now on gets nowhere.
    pub(super) fn seal(&self) {
        let mut waiting = self.output.lock();
        if waiting.sealed.is_none() {
            waiting.sealed = Some(std::mem::take(&mut waiting.output));
            waiting.is_wanted = true;
        }
    }

    /// Whether what is written gets nowhere.
    pub(super) fn is_sealed(&self) -> bool {
        self.output.lock().sealed.is_some()
    }

    /// Whether the client is not to be read, because a test wants it so.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Octets that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Whether some consumer was turned away and there is room again. Takes the note.
    pub(super) fn take_turned_away(&self) -> bool {
        self.turned_away.load(Ordering::SeqCst)
            && self.waiting() < self.at_present(OUTBOX_LOW_BYTES)
            && self.turned_away.swap(false, Ordering::SeqCst)
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Output {
        let mut waiting = self.output.lock();
        let taken = std::mem::take(waiting.next());
        waiting.is_wanted = false;
        self.writing.store(taken.len(), Ordering::Relaxed);
        self.waiting.store(0, Ordering::SeqCst);
        taken
    }

    /// Why the broker wants the connection to end, if it does.
    pub(super) fn take_close_reason(&self) -> Option<String> {
        self.close_reason.lock().take()
    }

    /// Channels that have to close, and why.
    pub(super) fn take_failures(&self) -> Vec<(u16, Error)> {
        std::mem::take(&mut *self.failures.lock())
    }

    /// Appends by `write` from another thread, and has the task woken with the batch.
    fn write_from_afar(
        self: &Arc<Self>,
        wakeups: &mut Wakeups,
        write: impl FnOnce(&mut Output, u32),
    ) {
        self.append_from_afar(true, wakeups, write);
    }

    fn append_from_afar(
        self: &Arc<Self>,
        is_wanted: bool,
        wakeups: &mut Wakeups,
        write: impl FnOnce(&mut Output, u32),
    ) {
        // Looked at before it is written to: mostly it was announced.
        if self.append(is_wanted, write)
            && !self.announced.load(Ordering::SeqCst)
            && !self.announced.swap(true, Ordering::SeqCst)
        {
            wakeups.add(Arc::clone(self) as Arc<dyn Wake>);
        }
    }
}

impl Wake for Outbox {
    fn wake(&self) {
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Closable for Outbox {
    fn force_close(&self, reason: &str) {
        *self.close_reason.lock() = Some(reason.into());
        self.wake();
    }

    fn end(&self, error: Error) {
        self.failures.lock().push((0, error));
        self.wake();
    }

    fn totals(&self) -> ConnectionTotals {
        self.traffic.totals()
    }

    fn state(&self) -> ConnectionState {
        self.traffic.state()
    }

    fn send_pend(&self) -> usize {
        self.waiting()
    }
}

/// A channel's way into the outbox of its connection.
pub(super) struct ChannelWriter {
    outbox: Arc<Outbox>,
    channel: u16,
}

impl ChannelWriter {
    /// For the channel with this number.
    pub(super) fn new(outbox: &Arc<Outbox>, channel: u16) -> Arc<Self> {
        Arc::new(Self { outbox: Arc::clone(outbox), channel })
    }

    /// Writes deliveries, in order.
    fn write<'a, M: Borrow<Message>>(
        &self,
        deliveries: impl Iterator<Item = Outgoing<'a, M>>,
        wakeups: &mut Wakeups,
    ) {
        self.outbox.write_from_afar(wakeups, |output, frame_max| {
            let mut output = Deliveries::new(output, self.channel, frame_max);
            let mut last: Option<Outgoing<'_, M>> = None;
            for delivery in deliveries {
                let (number, again) = (delivery.delivery_tag, delivery.redelivered);
                let is_written = last.as_ref().is_some_and(|last| delivery.is_like(last))
                    && output.add_like_last(number, again, delivery.message.borrow().body());
                if !is_written {
                    let tag = delivery.consumer_tag.as_str().as_bytes();
                    with_encoding(delivery.message.borrow(), delivery.delivery_count, |message| {
                        output.add(tag, number, again, message);
                    });
                }
                last = Some(delivery);
            }
        });
    }
}

impl ChannelOutput for ChannelWriter {
    fn has_room(&self) -> bool {
        let high = self.outbox.at_present(OUTBOX_HIGH_BYTES);
        if self.outbox.waiting() < high {
            return true;
        }
        self.outbox.turned_away.store(true, Ordering::SeqCst);
        // The task may have taken everything before the note was there to be seen.
        self.outbox.waiting() < high
    }

    fn has_room_for_reply(&self) -> bool {
        let outbox = &self.outbox;
        let unread = outbox.waiting() + outbox.writing.load(Ordering::Relaxed);
        unread < outbox.at_present(outbox.replies_max)
    }

    fn deliver_one(&self, delivery: Outgoing<'_, Cow<'_, Message>>, wakeups: &mut Wakeups) {
        self.outbox.write_from_afar(wakeups, |output, frame_max| {
            let Outgoing { consumer_tag, delivery_tag, redelivered, delivery_count, message } =
                &delivery;
            let tag = consumer_tag.as_str().as_bytes();
            with_encoding(message, *delivery_count, |message| {
                output.deliver(self.channel, tag, *delivery_tag, *redelivered, message, frame_max);
            });
        });
    }

    fn deliver(&self, deliveries: Run<'_>, wakeups: &mut Wakeups) {
        match deliveries {
            Run::Given(given) => self.write(given, wakeups),
            Run::Shown(shown) => self.write(shown, wakeups),
        }
    }

    fn basic_return(&self, message: &Message, wakeups: &mut Wakeups) {
        self.outbox.write_from_afar(wakeups, |output, frame_max| {
            let (code, text) = (reply_code::NO_ROUTE, "NO_ROUTE");
            with_encoding(message, None, |message| {
                output.basic_return(self.channel, code, text, message, frame_max);
            });
        });
    }

    fn confirm(&self, delivery_tag: u64, multiple: bool, ack: bool, wakeups: &mut Wakeups) {
        self.outbox.append_from_afar(false, wakeups, |output, _| {
            if ack {
                output.ack(self.channel, delivery_tag, multiple);
            } else {
                output.nack(self.channel, delivery_tag, multiple);
            }
        });
    }

    fn acknowledgement_timed_out(&self, timeout_ms: u64) {
        let error = Error::acknowledgement_timeout(self.channel, timeout_ms);
        self.outbox.failures.lock().push((self.channel, error));
        self.outbox.wake();
    }

    fn number(&self) -> u16 {
        self.channel
    }

    fn seal(&self) {
        self.outbox.seal();
    }

    fn is_sealed(&self) -> bool {
        self.outbox.is_sealed()
    }

    fn fail(&self, error: Error, wakeups: &mut Wakeups) {
        self.outbox.failures.lock().push((self.channel, error));
        wakeups.add(Arc::clone(&self.outbox) as Arc<dyn Wake>);
    }

    fn stop_reading(&self) -> Option<Held> {
        self.outbox.stopped.store(true, Ordering::SeqCst);
        let outbox = Arc::downgrade(&self.outbox);
        Some(Box::new(move || {
            if let Some(outbox) = outbox.upgrade() {
                outbox.stopped.store(false, Ordering::SeqCst);
                outbox.wake();
            }
        }))
    }

    fn cancel(&self, consumer_tag: &ConsumerTag, wakeups: &mut Wakeups) {
        use amq_protocol::protocol::{AMQPClass, basic};
        let cancel = basic::Cancel { consumer_tag: consumer_tag.as_str().into(), nowait: true };
        let method = AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel));
        self.outbox.write_from_afar(wakeups, |output, _| output.method(self.channel, &method));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_hears_of_confirms_and_of_what_comes_behind_them() {
        let outbox = Outbox::new(&MemoryAlarm::new(usize::MAX), 0);
        let append = |is_wanted| outbox.append(is_wanted, |output, _| output.ack(1, 1, false));
        assert!(append(false));
        assert!(!append(false));
        assert!(outbox.has_confirms_alone());
        assert!(append(true), "confirms may wait, a delivery behind them may not");
        assert!(!append(true));
        assert!(!append(false));
        assert!(!outbox.has_confirms_alone());
        outbox.take();
        assert!(append(false));
        assert!(outbox.has_confirms_alone());
    }
}
