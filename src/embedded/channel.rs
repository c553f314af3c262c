//! Channels of an embedding program.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::base::blocking::{assert_may_wait, pause_here};
use crate::base::lock::Mutex;
use crate::base::names::{ConsumerTag, QueueName};
use crate::base::rank;
use crate::channel::{Channel as Core, Consume, GetOk, Remains, Settling};
use crate::embedded::confirming::Outcomes;
use crate::embedded::connection::ConnectionInner;
use crate::embedded::consumer::{Consumer, Subscription};
use crate::embedded::inbox::Mailbox;
use crate::embedded::message::{Delivery, Nack, Recipient};
use crate::embedded::waiting::Inbox;
use crate::error::{Error, Result, Scope};
use crate::message::Message;
use crate::queue::Queue;
use crate::queue::effects::Effects;
#[cfg(feature = "remote")]
use crate::remote::client::{RemoteChannel, RemoteConnection};

/// A channel of a [`Connection`](crate::Connection). Clones are the same channel; it may be used
/// from any thread, and closes when the last clone, consumer, delivery and expected confirm is
/// gone.
///
/// Besides the errors that a method names, all of them give 504 ([`Error::ChannelClosed`]) when
/// the channel, its connection or the broker was closed. An error leaves the channel open.
#[derive(Clone)]
pub struct Channel(pub(super) Arc<ChannelInner>);

pub(super) struct ChannelInner {
    side: Side,
    pub(super) mailbox: Arc<Mailbox>,
    /// Publishes are numbered.
    pub(super) confirming: AtomicBool,
    pub(super) closed: AtomicBool,
}

/// Where a channel leads.
// The large one is what most are, and is to be reached without a detour.
#[allow(clippy::large_enum_variant)]
enum Side {
    Here(Here),
    #[cfg(feature = "remote")]
    There(RemoteChannel),
}

/// A channel of the broker in this process.
pub(super) struct Here {
    pub(super) connection: Arc<ConnectionInner>,
    pub(super) state: Mutex<State, rank::EmbeddedChannel>,
    /// What needs no lock around the channel.
    pub(super) settling: Settling,
}

/// Has another broker do it, if the channel is one there.
macro_rules! if_there {
    ($inner:expr, $there:ident => $done:expr) => {
        #[cfg(feature = "remote")]
        if let Some($there) = $inner.there() {
            return $done;
        }
    };
}
pub(super) use if_there;

/// What each method has to itself.
pub(super) struct State {
    pub(super) core: Core,
    /// How many publishes it has confirmed or is to confirm, once it confirms them.
    pub(super) numbered: Option<u64>,
}

impl Here {
    /// Whether confirms come from a thread of the store.
    fn is_stored(&self) -> bool {
        self.connection.session.virtual_host.persistence().is_some()
    }
}

impl ChannelInner {
    pub(super) fn open(connection: &Arc<ConnectionInner>) -> Result<Arc<Self>> {
        let memory = connection.session.virtual_host.memory();
        let mailbox = Arc::new(Mailbox::counted_by(memory));
        let output = Arc::clone(&mailbox) as _;
        let core = Core::open(Arc::clone(&connection.session), output)?;
        let settling = core.settling();
        let state = Mutex::new(State { core, numbered: None });
        let side = Side::Here(Here { connection: Arc::clone(connection), state, settling });
        Ok(Self::with(side, mailbox))
    }

    /// Opens one at another broker.
    #[cfg(feature = "remote")]
    pub(super) fn open_there(connection: &Arc<RemoteConnection>) -> Result<Arc<Self>> {
        let mailbox = Arc::new(Mailbox::default());
        let channel = RemoteChannel::open(connection, Arc::clone(&mailbox) as _)?;
        Ok(Self::with(Side::There(channel), mailbox))
    }

    fn with(side: Side, mailbox: Arc<Mailbox>) -> Arc<Self> {
        let inner = Arc::new(Self {
            side,
            mailbox: Arc::clone(&mailbox),
            confirming: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        // The mailbox is new: nobody has set this before.
        let _ = mailbox.channel.set(Arc::downgrade(&inner));
        inner
    }

    /// The channel, if it is one of the broker in this process.
    #[inline]
    pub(super) fn here(&self) -> Option<&Here> {
        match &self.side {
            Side::Here(here) => Some(here),
            #[cfg(feature = "remote")]
            Side::There(_) => None,
        }
    }

    /// The channel, if it is one of another broker.
    #[cfg(feature = "remote")]
    #[inline]
    pub(super) fn there(&self) -> Option<&RemoteChannel> {
        match &self.side {
            Side::Here(_) => None,
            Side::There(there) => Some(there),
        }
    }

    /// Ends the channel by itself.
    pub(super) fn close(&self) {
        #[cfg(feature = "remote")]
        if let Some(there) = self.there() {
            if !self.closed.swap(true, Ordering::AcqRel) {
                there.close();
                self.close_mailbox();
            }
            return;
        }
        let Some(here) = self.here() else { return };
        let mut state = here.state.lock();
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut effects = Effects::new();
        state.core.close(&mut effects);
        drop(state);
        here.connection.session.virtual_host.run(&mut effects);
        self.close_mailbox();
    }

    /// The channel is about to end, with others.
    pub(super) fn stop_deliveries(&self) {
        if let Some(here) = self.here() {
            here.state.lock().core.stop_deliveries();
        }
    }

    /// Ends the channel; returns what it leaves, unless it has ended before.
    pub(super) fn end(&self, effects: &mut Effects) -> Option<Remains> {
        let core = &mut self.here()?.state.lock().core;
        let was_open = !self.closed.swap(true, Ordering::AcqRel);
        was_open.then(|| core.end(effects))
    }

    /// Nothing comes any more, to whoever waits.
    pub(super) fn close_mailbox(&self) {
        self.mailbox.close_all();
    }

    /// Consumers that found no room may go on.
    pub(super) fn resume_starved(&self) {
        if self.here().is_none() {
            return;
        }
        // Fails only when the channel is closed, and then there is nothing to go on with.
        let _ = self.apply(|core, effects| {
            if core.is_starved() {
                core.resume_consumers(effects);
            }
            Ok(())
        });
    }

    /// Ends a consumer: what nobody took goes back, unless it needs no acknowledgement.
    pub(super) fn cancel(&self, tag: &ConsumerTag, inbox: &Inbox, no_ack: bool) {
        let untaken = || {
            let untaken = self.mailbox.take(inbox, Some(Duration::ZERO), std::mem::take);
            let tags = untaken.taken.iter().map(|waiting| waiting.delivery_tag);
            tags.filter(|_| !no_ack).collect::<Vec<_>>()
        };
        if self.mailbox.is_open(tag, inbox) {
            self.cancel_untaken(tag, untaken);
            self.mailbox.close(tag);
        }
        for tag in untaken() {
            // Whatever is unknown by now was settled by other means.
            let _ = self.basic_reject(tag, true);
        }
        self.mailbox.remove(inbox);
        self.resume_starved();
    }

    fn cancel_untaken(&self, tag: &ConsumerTag, untaken: impl FnOnce() -> Vec<u64>) {
        // Fails only when the channel is closed, and then there is nothing to go on with.
        if_there!(self, there => drop(there.basic_cancel(tag)));
        let _ = self.apply(|core, effects| core.cancel_untaken(tag.as_str(), untaken, effects));
    }

    /// Acknowledges one delivery, of which the queue may be `known`. Errors: 406, 504.
    pub(super) fn ack(&self, delivery_tag: u64, known: Option<&Arc<Queue>>) -> Result<()> {
        if_there!(self, there => there.basic_ack(delivery_tag, false));
        if self.acknowledge_directly(delivery_tag, known)? {
            return Ok(());
        }
        self.apply(|core, effects| core.basic_ack(delivery_tag, false, effects))
    }

    /// Acknowledges all deliveries up to this one. Errors: 406, 504.
    pub(super) fn ack_multiple(&self, delivery_tag: u64) -> Result<()> {
        if_there!(self, there => there.basic_ack(delivery_tag, true));
        self.apply(|core, effects| core.basic_ack(delivery_tag, true, effects))
    }

    pub(super) fn basic_nack(&self, delivery_tag: u64, nack: &Nack) -> Result<()> {
        let &Nack { multiple, requeue } = nack;
        if_there!(self, there => there.basic_nack(delivery_tag, multiple, requeue));
        self.apply(|core, effects| core.basic_nack(delivery_tag, multiple, requeue, effects))
    }

    pub(super) fn basic_reject(&self, delivery_tag: u64, requeue: bool) -> Result<()> {
        if_there!(self, there => there.basic_nack(delivery_tag, false, requeue));
        self.apply(|core, effects| core.basic_reject(delivery_tag, requeue, effects))
    }

    fn basic_get(&self, queue: &str, no_ack: bool) -> Result<Option<GetOk>> {
        if_there!(self, there => there.basic_get(queue, no_ack));
        self.apply(|core, effects| core.basic_get(queue, no_ack, effects))
    }

    /// Starts a consumer; tells its tag, and its queue if that is one of this process.
    fn basic_consume(
        &self,
        consume: &Consume,
        open: impl FnMut(&ConsumerTag),
    ) -> Result<(ConsumerTag, Option<Arc<Queue>>)> {
        if_there!(self, there => there.basic_consume(consume, open).map(|tag| (tag, None)));
        self.apply(|core, effects| {
            let tag = core.basic_consume(consume, effects, open)?;
            let queue = core.queue_of(&tag);
            Ok((tag, queue))
        })
    }

    fn basic_qos(&self, count: u16, global: bool) -> Result<()> {
        if_there!(self, there => there.basic_qos(count, global));
        self.apply(|core, effects| core.basic_qos(0, count, global, effects, || {}))
    }

    pub(super) fn last_queue(&self) -> Option<QueueName> {
        if_there!(self, there => there.last_queue());
        self.here()?.state.lock().core.last_queue().cloned()
    }

    /// Waits until the publishes with these numbers are concluded; tells how many were accepted,
    /// and nothing if the channel is closed before. `what` waits.
    #[track_caller]
    pub(super) fn wait_concluded(&self, numbers: RangeInclusive<u64>, what: &str) -> Option<usize> {
        let outcomes = self.outcomes();
        let wait = || outcomes.wait_concluded(numbers.clone(), || self.is_closed());
        if outcomes.are_concluded(numbers.clone()) {
            return wait();
        }
        // The store concludes them from a thread of its own.
        let may_come = self.here().is_none_or(|here| here.is_stored());
        if !may_come {
            assert_may_wait(what, "channel.publish(message).await");
        }
        pause_here(wait)
    }

    /// How many messages of publishes with these numbers came back from another broker.
    pub(super) fn count_returned(&self, numbers: RangeInclusive<u64>) -> u64 {
        match self.here() {
            Some(_) => 0,
            None => numbers.filter_map(|number| self.take_returned(number)).map(|_| 1).sum(),
        }
    }

    /// A message that came back from another broker, for the publish with this number.
    pub(super) fn take_returned(&self, _number: u64) -> Option<Message> {
        if_there!(self, there => there.take_returned(_number));
        None
    }

    pub(super) fn outcomes(&self) -> &Outcomes {
        self.mailbox.outcomes()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends what an error ends.
    pub(super) fn end_for(&self, error: &Error) {
        match error.scope() {
            Scope::Channel => self.close(),
            Scope::Connection => {
                if let Some(here) = self.here() {
                    here.connection.meet(error);
                    here.connection.close();
                }
            }
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("closed", &self.0.is_closed()).finish_non_exhaustive()
    }
}

impl Drop for ChannelInner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Channel {
    /// The oldest mandatory message that came back and was not taken yet.
    pub fn take_returned(&self) -> Option<Message> {
        self.0.mailbox.take_returned()
    }

    /// Takes one message, to be acknowledged. Errors: 403, 404, 405.
    pub fn basic_get(&self, queue: &str) -> Result<Option<Delivery>> {
        self.get(queue, false)
    }

    /// Takes one message that needs no acknowledgement. Errors: 403, 404, 405.
    pub fn basic_get_no_ack(&self, queue: &str) -> Result<Option<Delivery>> {
        self.get(queue, true)
    }

    fn get(&self, queue: &str, no_ack: bool) -> Result<Option<Delivery>> {
        let got = self.0.basic_get(queue, no_ack)?;
        Ok(got.map(|GetOk { delivery_tag, redelivered, delivery_count, message, .. }| Delivery {
            recipient: Recipient::Channel(Arc::clone(&self.0)),
            delivery_tag,
            redelivered,
            delivery_count: delivery_count.map(NonZeroU32::get),
            message,
        }))
    }

    /// Starts a consumer whose deliveries have to be acknowledged. Errors: 403, 404, 405.
    pub fn basic_consume(&self, queue: &str) -> Result<Consumer> {
        self.basic_consume_with(&Consume::new(queue))
    }

    /// Starts a consumer `[amqp 0-9-1 basic.consume]`. Errors: 403, 404, 405, 406, 530 if the
    /// consumer tag is taken.
    pub fn basic_consume_with(&self, consume: &Consume) -> Result<Consumer> {
        let mut inbox = None;
        let mailbox = &self.0.mailbox;
        let open = |tag: &_| mailbox.open(tag, consume.no_ack);
        let (tag, queue) = self.0.basic_consume(consume, |tag| inbox = Some(open(tag)))?;
        let inbox = inbox.unwrap_or_else(|| open(&tag));
        let (channel, no_ack) = (Arc::clone(&self.0), consume.no_ack);
        Ok(Consumer(Arc::new(Subscription { channel, tag, queue, inbox, no_ack })))
    }

    /// Limits unacknowledged deliveries of each consumer that starts after this; 0, the default,
    /// for no limit. Errors: none but 504.
    pub fn basic_qos(&self, prefetch_count: u16) -> Result<()> {
        self.0.basic_qos(prefetch_count, false)
    }

    /// Limits unacknowledged deliveries of all consumers of the channel together; 0, the default,
    /// for no limit. Errors: none but 504.
    pub fn basic_qos_global(&self, prefetch_count: u16) -> Result<()> {
        self.0.basic_qos(prefetch_count, true)
    }

    /// Acknowledges a delivery. Errors: 406.
    pub fn basic_ack(&self, delivery_tag: u64) -> Result<()> {
        self.0.ack(delivery_tag, None)
    }

    /// Acknowledges all deliveries up to this one; 0 stands for the last. Errors: 406.
    pub fn basic_ack_multiple(&self, delivery_tag: u64) -> Result<()> {
        self.0.ack_multiple(delivery_tag)
    }

    /// Refuses a delivery, or all up to it; 0 then stands for the last. Errors: 406.
    pub fn basic_nack(&self, delivery_tag: u64, nack: &Nack) -> Result<()> {
        self.0.basic_nack(delivery_tag, nack)
    }

    /// Gives back everything that is not acknowledged. Errors: none but 504.
    pub fn basic_recover(&self) -> Result<()> {
        if_there!(self.0, there => there.basic_recover());
        self.0.apply(|core, effects| core.basic_recover(true, effects))
    }

    /// Makes the channel transactional. Errors: 406 if it confirms publishes.
    pub fn tx_select(&self) -> Result<()> {
        if_there!(self.0, there => there.tx_select());
        self.0.apply(Core::tx_select)
    }

    /// Commits. Errors: 406.
    pub fn tx_commit(&self) -> Result<()> {
        if_there!(self.0, there => there.tx_commit());
        self.0.apply(Core::tx_commit)
    }

    /// Rolls back. Errors: 406.
    pub fn tx_rollback(&self) -> Result<()> {
        if_there!(self.0, there => there.tx_rollback());
        self.0.apply(Core::tx_rollback)
    }

    /// Closes the channel: consumers end, what was not acknowledged goes back.
    pub fn close(&self) {
        self.0.close();
    }
}
