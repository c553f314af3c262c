//! Channels of an embedding program.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amq_protocol::types::FieldTable;
use leveret_protocol::properties::encode_properties;
use parking_lot::Mutex;

use crate::channel::{Channel as Core, Consume, GetOk, Remains};
use crate::embedded::confirming::{Confirming, Outcomes};
use crate::embedded::connection::ConnectionInner;
use crate::embedded::consumer::Consumer;
use crate::embedded::inbox::{Inbox, Mailbox};
use crate::embedded::message::{Delivery, ReturnedMessage};
use crate::embedded::publish::Publish;
use crate::error::{Error, Result, Scope};
use crate::limits::{MAILBOX_LOW, PUBLISH_BATCH_MAX};
use crate::message::Body;
use crate::names::{ConsumerTag, QueueName};
use crate::queue::effects::Effects;
use crate::vhost::{self, ExchangeDeclare, QueueDeclare, QueueDeclareOk};

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
    core: Mutex<Core>,
    mailbox: Arc<Mailbox>,
    confirming: AtomicBool,
    published: Mutex<u64>,
    closed: AtomicBool,
}

/// Names that bind an exchange to a queue or to another exchange.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// Exchange that messages come from.
    pub source: String,
    /// Binding key.
    pub routing_key: String,
    /// Arguments, such as those of a headers exchange.
    pub arguments: FieldTable,
}

impl ChannelInner {
    pub(super) fn open(connection: &Arc<ConnectionInner>) -> Arc<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let output = Arc::clone(&mailbox) as _;
        let inner = Arc::new(Self {
            core: Mutex::new(Core::open(Arc::clone(&connection.session), output)),
            connection: Arc::clone(connection),
            mailbox: Arc::clone(&mailbox),
            confirming: AtomicBool::new(false),
            published: Mutex::new(0),
            closed: AtomicBool::new(false),
        });
        // The mailbox is new: nobody has set this before.
        let _ = mailbox.channel.set(Arc::downgrade(&inner));
        inner
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
            let _ = self.apply(|core, effects| core.basic_reject(tag, true, effects));
        }
        self.resume_starved();
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
    /// Declares a queue that is neither durable nor exclusive. Errors: as
    /// [`Channel::queue_declare_with`].
    pub fn queue_declare(&self, queue: &str) -> Result<QueueDeclareOk> {
        self.queue_declare_with(&QueueDeclare { queue: queue.into(), ..QueueDeclare::default() })
    }

    /// Declares a queue `[amqp 0-9-1 queue.declare]`. Errors: 403, 404 if passive and missing,
    /// 405 if exclusive to another connection, 406 if it exists with other attributes or an
    /// argument is invalid, 540 for streams.
    pub fn queue_declare_with(&self, declare: &QueueDeclare) -> Result<QueueDeclareOk> {
        self.0.apply(|core, effects| core.queue_declare(declare, effects))
    }

    /// Binds a queue to an exchange. Errors: 403, 404, 405, 406.
    pub fn queue_bind(&self, queue: &str, exchange: &str, routing_key: &str) -> Result<()> {
        self.queue_bind_with(queue, &Binding::new(exchange, routing_key))
    }

    /// As [`Channel::queue_bind`], with arguments. Errors: 403, 404, 405, 406 also if the exchange
    /// refuses the arguments.
    pub fn queue_bind_with(&self, queue: &str, binding: &Binding) -> Result<()> {
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0.apply(|core, effects| core.queue_bind(queue, source, key, arguments, effects))
    }

    /// Removes a binding. One that does not exist counts as removed. Errors: 403, 405.
    pub fn queue_unbind(&self, queue: &str, binding: &Binding) -> Result<()> {
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0.apply(|core, effects| core.queue_unbind(queue, source, key, arguments, effects))
    }

    /// Drops the ready messages of a queue; tells how many. Errors: 403, 404, 405.
    pub fn queue_purge(&self, queue: &str) -> Result<usize> {
        self.0.apply(|core, effects| core.queue_purge(queue, effects))
    }

    /// Deletes a queue; tells how many messages were ready. Errors: 403, 405.
    pub fn queue_delete(&self, queue: &str) -> Result<usize> {
        self.0.apply(|core, effects| core.queue_delete(queue, false, false, effects))
    }

    /// Deletes a queue if it has no consumers (`if_unused`) and no messages (`if_empty`).
    /// Errors: 403, 405, 406.
    pub fn queue_delete_if(&self, queue: &str, if_unused: bool, if_empty: bool) -> Result<usize> {
        self.0.apply(|core, effects| core.queue_delete(queue, if_unused, if_empty, effects))
    }

    /// Declares an exchange of a type such as `topic`, neither durable nor auto-delete.
    /// Errors: 403, 406.
    pub fn exchange_declare(&self, exchange: &str, kind: &str) -> Result<()> {
        self.exchange_declare_with(&ExchangeDeclare {
            exchange: exchange.into(),
            kind: kind.into(),
            ..ExchangeDeclare::default()
        })
    }

    /// Declares an exchange `[amqp 0-9-1 exchange.declare]`. Errors: 403, 404 if passive and
    /// missing, 406.
    pub fn exchange_declare_with(&self, declare: &ExchangeDeclare) -> Result<()> {
        self.0.apply(|core, effects| core.exchange_declare(declare, effects))
    }

    /// Deletes an exchange, with `if_unused` only if nothing is bound to it. Errors: 403, 406.
    pub fn exchange_delete(&self, exchange: &str, if_unused: bool) -> Result<()> {
        self.0.apply(|core, effects| core.exchange_delete(exchange, if_unused, effects))
    }

    /// Binds an exchange to another one, from which it gets messages. Errors: 403, 404.
    pub fn exchange_bind(&self, destination: &str, binding: &Binding) -> Result<()> {
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0
            .apply(|core, effects| core.exchange_bind(destination, source, key, arguments, effects))
    }

    /// Removes a binding between exchanges. Errors: 403.
    pub fn exchange_unbind(&self, destination: &str, binding: &Binding) -> Result<()> {
        let Binding { source, routing_key, arguments } = binding;
        let key = routing_key.as_bytes();
        self.0.apply(|core, effects| {
            core.exchange_unbind(destination, source, key, arguments, effects)
        })
    }

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
            let accepted = self.0.outcomes().wait_concluded(number, || self.0.is_closed());
            confirmed += usize::from(accepted.ok_or(Error::ChannelClosed)?);
        }
        Ok(confirmed.saturating_sub(usize::try_from(returned).unwrap_or(usize::MAX)))
    }

    /// The oldest mandatory message that came back and was not taken yet.
    pub fn take_returned(&self) -> Option<ReturnedMessage> {
        self.0.mailbox.take_returned().map(ReturnedMessage)
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
            delivery_tag,
            redelivered,
            delivery_count,
            message,
        }))
    }

    /// Starts a consumer whose deliveries have to be acknowledged. Errors: 403, 404, 405.
    pub fn basic_consume(&self, queue: &str) -> Result<Consumer> {
        self.basic_consume_with(&Consume { queue: queue.into(), ..Consume::default() })
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

    /// Acknowledges a delivery, with `multiple` all up to it; tag 0 then means all. Errors: 406.
    pub fn basic_ack(&self, delivery_tag: u64, multiple: bool) -> Result<()> {
        self.0.apply(|core, effects| core.basic_ack(delivery_tag, multiple, effects))
    }

    /// Refuses deliveries: they go back, or without `requeue` are dropped or dead-lettered.
    /// Errors: 406.
    pub fn basic_nack(&self, delivery_tag: u64, multiple: bool, requeue: bool) -> Result<()> {
        self.0.apply(|core, effects| core.basic_nack(delivery_tag, multiple, requeue, effects))
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

    /// Name of the queue that was declared last on this channel, if any.
    pub fn last_queue(&self) -> Option<QueueName> {
        self.0.core.lock().last_queue().cloned()
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

impl Binding {
    /// A binding without arguments.
    pub fn new(source: impl Into<String>, routing_key: impl Into<String>) -> Self {
        let (source, routing_key) = (source.into(), routing_key.into());
        Self { source, routing_key, arguments: FieldTable::default() }
    }

    /// With arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: FieldTable) -> Self {
        self.arguments = arguments;
        self
    }
}
