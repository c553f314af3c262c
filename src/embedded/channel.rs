//! Channels of an embedding program.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leveret_protocol::properties::encode_properties;

use crate::base::blocking::{assert_may_wait, pause_here};
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::channel::{Channel as Core, Consume, GetOk, Remains};
use crate::embedded::confirming::{Confirming, Outcomes};
use crate::embedded::connection::ConnectionInner;
use crate::embedded::consumer::Consumer;
use crate::embedded::inbox::{Inbox, Mailbox};
use crate::embedded::message::{Delivery, Nack};
use crate::embedded::publish::Publish;
use crate::error::{Error, Result, Scope};
use crate::limits::{MAILBOX_LOW, PUBLISH_BATCH_MAX};
use crate::message::{Body, Message};
use crate::names::{ConsumerTag, QueueName};
use crate::queue::effects::Effects;
use crate::vhost;

/// A channel of a [`Connection`](crate::Connection). Clones are the same channel; it may be used
/// from any thread, and closes when the last clone, consumer, delivery and expected confirm is
/// gone.
///
/// Besides the errors that a method names, all of them give 504 ([`Error::ChannelClosed`]) when
/// the channel, its connection or the broker was closed. An error leaves the channel open.
#[derive(Clone)]
pub struct Channel(pub(super) Arc<ChannelInner>);

pub(super) struct ChannelInner {
    connection: Arc<ConnectionInner>,
    core: Mutex<Core, rank::EmbeddedChannel>,
    mailbox: Arc<Mailbox>,
    confirming: AtomicBool,
    published: Mutex<u64, rank::EmbeddedPublish>,
    closed: AtomicBool,
}

impl ChannelInner {
    pub(super) fn open(connection: &Arc<ConnectionInner>) -> Result<Arc<Self>> {
        let mailbox = Arc::new(Mailbox::default());
        let output = Arc::clone(&mailbox) as _;
        let inner = Arc::new(Self {
            core: Mutex::new(Core::open(Arc::clone(&connection.session), output)?),
            connection: Arc::clone(connection),
            mailbox: Arc::clone(&mailbox),
            confirming: AtomicBool::new(false),
            published: Mutex::new(0),
            closed: AtomicBool::new(false),
        });
        // The mailbox is new: nobody has set this before.
        let _ = mailbox.channel.set(Arc::downgrade(&inner));
        Ok(inner)
    }

    /// Runs a method of the channel and everything that follows from it.
    pub(super) fn apply<R>(
        &self,
        method: impl FnOnce(&mut Core, &mut Effects) -> Result<R>,
    ) -> Result<R> {
        let mut core = self.core.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ChannelClosed);
        }
        let mut effects = Effects::new();
        let result = method(&mut core, &mut effects);
        let result = core.take_afterwards().and(result);
        core.flush(&mut effects);
        drop(core);
        let host = &self.connection.session.virtual_host;
        host.run(&mut effects);
        if let Some(store) = host.persistence().filter(|_| effects.must_sync) {
            store.wait_until_durable()?;
        }
        if let Err(error) = &result {
            self.connection.meet(error);
        }
        result
    }

    /// Ends the channel by itself.
    pub(super) fn close(&self) {
        let mut core = self.core.lock();
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut effects = Effects::new();
        core.close(&mut effects);
        drop(core);
        self.connection.session.virtual_host.run(&mut effects);
        self.close_mailbox();
    }

    /// The channel is about to end, with others.
    pub(super) fn stop_deliveries(&self) {
        self.core.lock().stop_deliveries();
    }

    /// Ends the channel; returns what it leaves, unless it has ended before.
    pub(super) fn end(&self, effects: &mut Effects) -> Option<Remains> {
        let mut core = self.core.lock();
        let was_open = !self.closed.swap(true, Ordering::AcqRel);
        was_open.then(|| core.end(effects))
    }

    /// Nothing comes any more, to whoever waits.
    pub(super) fn close_mailbox(&self) {
        self.mailbox.close_all();
    }

    /// A delivery was taken: consumers that found no room may go on.
    pub(super) fn count_taken(&self) {
        if self.mailbox.count_taken() == MAILBOX_LOW {
            self.resume_starved();
        }
    }

    fn resume_starved(&self) {
        // Fails only when the channel is closed, and then there is nothing to go on with.
        let _ = self.apply(|core, effects| {
            if core.is_starved() {
                core.resume_consumers(effects);
            }
            Ok(())
        });
    }

    /// Ends a consumer: what nobody took goes back, unless it needs no acknowledgement.
    pub(super) fn cancel(&self, tag: &ConsumerTag, inbox: &Arc<Inbox>, no_ack: bool) {
        let untaken = || {
            let mut tags = Vec::new();
            while let Some(waiting) = inbox.take(Some(std::time::Duration::ZERO)) {
                self.mailbox.count_taken();
                tags.push(waiting.delivery_tag);
            }
            if no_ack { Vec::new() } else { tags }
        };
        if self.mailbox.is_open(tag, inbox) {
            // Fails only when the channel is closed, and then there is nothing to go on with.
            let _ = self.apply(|core, effects| core.cancel_untaken(tag.as_str(), untaken, effects));
            self.mailbox.close(tag);
        }
        for tag in untaken() {
            // Whatever is unknown by now was settled by other means.
            let _ = self.basic_reject(tag, true);
        }
        self.resume_starved();
    }

    pub(super) fn basic_ack(&self, delivery_tag: u64, multiple: bool) -> Result<()> {
        self.apply(|core, effects| core.basic_ack(delivery_tag, multiple, effects))
    }

    pub(super) fn basic_nack(&self, delivery_tag: u64, nack: &Nack) -> Result<()> {
        let &Nack { multiple, requeue } = nack;
        self.apply(|core, effects| core.basic_nack(delivery_tag, multiple, requeue, effects))
    }

    pub(super) fn basic_reject(&self, delivery_tag: u64, requeue: bool) -> Result<()> {
        self.apply(|core, effects| core.basic_reject(delivery_tag, requeue, effects))
    }

    pub(super) fn last_queue(&self) -> Option<QueueName> {
        self.core.lock().last_queue().cloned()
    }

    /// Waits until the publish with this number is concluded; tells whether it was accepted, and
    /// nothing if the channel is closed before. `what` waits.
    #[track_caller]
    pub(super) fn wait_concluded(&self, number: u64, what: &str) -> Option<bool> {
        let outcomes = self.outcomes();
        let wait = || outcomes.wait_concluded(number, || self.is_closed());
        if outcomes.is_concluded(number) {
            return wait();
        }
        // The store concludes it from a thread of its own.
        if self.connection.session.virtual_host.persistence().is_none() {
            assert_may_wait(what, "channel.publish(message).await");
        }
        pause_here(wait)
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
                self.connection.meet(error);
                self.connection.close();
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
    /// Publishes a message `[amqp 0-9-1 basic.publish]`. When this returns it is in its queues, or
    /// delivered; or dropped, if no binding matches and it is not mandatory. Waits first while the
    /// disk does not keep up. Errors: 403, 404 for the exchange, 406.
    pub fn basic_publish(&self, publish: Publish) -> Result<()> {
        let mut published = self.0.published.lock();
        self.wait_for_room();
        self.0.apply(|core, effects| hand_over(core, &publish, effects))?;
        *published += 1;
        if self.0.confirming.load(Ordering::Acquire) {
            self.0.outcomes().forget(*published);
        }
        Ok(())
    }

    /// Publishes a message on a channel that from now on confirms publishes `[rabbitmq confirms]`,
    /// and gives the confirm that is to come, to be awaited or waited for. No thread waits for a
    /// disk here; who publishes more than fits into memory has to wait for confirms now and then.
    ///
    /// Errors, which come in place of the confirm: 403, 404 for the exchange, 406 also on a
    /// transactional channel.
    pub fn publish(&self, publish: Publish) -> Confirming {
        self.publish_confirmed(&publish).unwrap_or_else(Confirming::failed)
    }

    fn publish_confirmed(&self, publish: &Publish) -> Result<Confirming> {
        let mut published = self.0.published.lock();
        self.confirm_from_here(&mut published)?;
        let returned_before = self.0.mailbox.returned_total();
        self.0.apply(|core, effects| hand_over(core, publish, effects))?;
        *published += 1;
        let returned = self.0.mailbox.take_returned_since(returned_before);
        Ok(Confirming::new(&self.0, *published, returned))
    }

    fn wait_for_room(&self) {
        if let Some(store) = self.0.connection.session.virtual_host.persistence() {
            store.wait_for_room();
        }
    }

    /// Confirms count from here, if they did not before.
    fn confirm_from_here(&self, published: &mut u64) -> Result<()> {
        if !self.0.confirming.load(Ordering::Acquire) {
            self.0.apply(Core::confirm_select)?;
            self.0.confirming.store(true, Ordering::Release);
            *published = 0;
        }
        Ok(())
    }

    /// Publishes messages in order, and waits once for the confirms of all of them, on a channel
    /// that from now on confirms publishes. Tells how many are where they should be: as
    /// [`Confirmed::is_ack`](crate::Confirmed::is_ack) of each. Errors: as [`Channel::publish`];
    /// those before the one that fails are published.
    ///
    /// # Panics
    /// As [`Confirming::wait`].
    #[track_caller]
    pub fn publish_all(&self, publishes: impl IntoIterator<Item = Publish>) -> Result<usize> {
        let mut published = self.0.published.lock();
        self.confirm_from_here(&mut published)?;
        let returned_before = self.0.mailbox.returned_total();
        let before = *published;
        let mut publishes = publishes.into_iter().fuse();
        loop {
            let run: Vec<_> = publishes.by_ref().take(PUBLISH_BATCH_MAX).collect();
            if run.is_empty() {
                break;
            }
            self.wait_for_room();
            self.0.apply(|core, effects| {
                run.iter().try_for_each(|publish| {
                    hand_over(core, publish, effects)?;
                    *published += 1;
                    Ok(())
                })
            })?;
        }
        let last = *published;
        let returned = self.0.mailbox.returned_total() - returned_before;
        drop(published);
        let mut confirmed = 0;
        for number in before + 1..=last {
            let accepted = self.0.wait_concluded(number, "Channel::publish_all");
            confirmed += usize::from(accepted.ok_or(Error::ChannelClosed)?);
        }
        Ok(confirmed.saturating_sub(usize::try_from(returned).unwrap_or(usize::MAX)))
    }

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
        let got = self.0.apply(|core, effects| core.basic_get(queue, no_ack, effects))?;
        Ok(got.map(|GetOk { delivery_tag, redelivered, delivery_count, message, .. }| Delivery {
            channel: Arc::clone(&self.0),
            consumer_tag: None,
            delivery_tag,
            redelivered,
            delivery_count,
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
        let tag = self.0.apply(|core, effects| {
            core.basic_consume(consume, effects, |tag| inbox = Some(mailbox.open(tag)))
        })?;
        let inbox = inbox.unwrap_or_else(|| mailbox.open(&tag));
        Ok(Consumer { channel: Arc::clone(&self.0), tag, inbox, no_ack: consume.no_ack })
    }

    /// Limits unacknowledged deliveries of each consumer that starts after this; 0, the default,
    /// for no limit. Errors: none but 504.
    pub fn basic_qos(&self, prefetch_count: u16) -> Result<()> {
        self.0.apply(|core, effects| core.basic_qos(0, prefetch_count, false, effects, || {}))
    }

    /// Limits unacknowledged deliveries of all consumers of the channel together; 0, the default,
    /// for no limit. Errors: none but 504.
    pub fn basic_qos_global(&self, prefetch_count: u16) -> Result<()> {
        self.0.apply(|core, effects| core.basic_qos(0, prefetch_count, true, effects, || {}))
    }

    /// Acknowledges a delivery. Errors: 406.
    pub fn basic_ack(&self, delivery_tag: u64) -> Result<()> {
        self.0.basic_ack(delivery_tag, false)
    }

    /// Acknowledges all deliveries up to this one; 0 stands for the last. Errors: 406.
    pub fn basic_ack_multiple(&self, delivery_tag: u64) -> Result<()> {
        self.0.basic_ack(delivery_tag, true)
    }

    /// Refuses a delivery, or all up to it; 0 then stands for the last. Errors: 406.
    pub fn basic_nack(&self, delivery_tag: u64, nack: &Nack) -> Result<()> {
        self.0.basic_nack(delivery_tag, nack)
    }

    /// Gives back everything that is not acknowledged. Errors: none but 504.
    pub fn basic_recover(&self) -> Result<()> {
        self.0.apply(|core, effects| core.basic_recover(true, effects))
    }

    /// Makes the channel transactional. Errors: 406 if it confirms publishes.
    pub fn tx_select(&self) -> Result<()> {
        self.0.apply(Core::tx_select)
    }

    /// Commits. Errors: 406.
    pub fn tx_commit(&self) -> Result<()> {
        self.0.apply(Core::tx_commit)
    }

    /// Rolls back. Errors: 406.
    pub fn tx_rollback(&self) -> Result<()> {
        self.0.apply(Core::tx_rollback)
    }

    /// Closes the channel: consumers end, what was not acknowledged goes back.
    pub fn close(&self) {
        self.0.close();
    }
}

fn hand_over(core: &mut Core, publish: &Publish, effects: &mut Effects) -> Result<()> {
    let properties = encode_properties(&publish.properties);
    let message = vhost::Publish {
        exchange: publish.exchange.as_bytes(),
        routing_key: publish.routing_key.as_bytes(),
        properties: &properties,
        body: Body::Shared(publish.body.clone()),
    };
    core.basic_publish(message, publish.mandatory, false, effects)
}
