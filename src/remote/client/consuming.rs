//! Deliveries of another broker.

use std::borrow::Cow;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use amq_protocol::types::FieldTable;
use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, QueueDeclareOptions,
};
use leveret_protocol::properties::encode_properties;

use super::channel::{RemoteChannel, Shared};
use super::error::refusal;
use crate::base::field_value;
use crate::base::names::ConsumerTag;
use crate::base::wake::Wakeups;
use crate::channel::output::Outgoing;
use crate::channel::{Consume, GetOk};
use crate::error::{Error, Result};
use crate::message::{Body, DELIVERY_COUNT, Message, Parts};

/// A consumer that runs there.
pub(super) struct Subscribed {
    consumer: lapin::Consumer,
    tag: ConsumerTag,
    no_ack: bool,
}

impl Subscribed {
    pub(super) async fn start(main: &lapin::Channel, consume: &Consume) -> lapin::Result<Self> {
        let Consume { queue, consumer_tag, no_ack, exclusive, arguments } = consume.clone();
        let options = BasicConsumeOptions { no_ack, exclusive, no_local: false, nowait: false };
        let tag = ConsumerTag::from(consumer_tag.as_str());
        let consumer =
            main.basic_consume(queue.into(), consumer_tag.into(), options, arguments).await?;
        Ok(Self { consumer, tag, no_ack })
    }
}

/// Hands deliveries over until the consumer ends, or its channel is lost.
pub(super) fn pump(shared: Weak<Shared>, subscribed: Subscribed, epoch: u64) {
    let Some(threads) = shared.upgrade().map(|shared| shared.connection.threads.clone()) else {
        return;
    };
    let Subscribed { mut consumer, tag, no_ack } = subscribed;
    threads.spawn(async move {
        loop {
            let next = poll_fn(|cx| Pin::new(&mut consumer).poll_next(cx)).await;
            let Some(shared) = shared.upgrade() else { return };
            match next {
                Some(Ok(delivery)) => shared.hand_over(&tag, delivery, no_ack, epoch),
                // The channel is lost: it comes again with its consumers.
                Some(Err(_)) => return,
                None => return shared.ended(&tag, epoch).await,
            }
        }
    });
}

/// The message of a delivery, and how often it was returned to its queue.
pub(super) fn message(delivery: &Delivery) -> (Message, Option<NonZeroU32>) {
    let properties = encode_properties(&delivery.properties);
    let headers = delivery.properties.headers().as_ref();
    let count = headers.and_then(|headers| field_value::get(headers, DELIVERY_COUNT));
    let count = count.and_then(field_value::integer).and_then(|count| u32::try_from(count).ok());
    let count = count.and_then(NonZeroU32::new);
    let expiration = delivery.properties.expiration().as_ref();
    let parts = Parts {
        exchange: delivery.exchange.as_str().as_bytes(),
        routing_key: delivery.routing_key.as_str().as_bytes(),
        properties: &properties,
        expiration_ms: expiration.and_then(|text| text.as_str().parse().ok()),
        body: Body::Borrowed(&delivery.data),
    };
    (Message::new(parts, &mut Vec::new()), count)
}

impl Shared {
    fn hand_over(&self, tag: &ConsumerTag, delivery: Delivery, no_ack: bool, epoch: u64) {
        let mut book = self.book.lock();
        if book.epoch != epoch {
            return; // it comes again
        }
        let delivery_tag = book.deliver(delivery.delivery_tag, no_ack);
        drop(book);
        let (message, delivery_count) = message(&delivery);
        let redelivered = delivery.redelivered;
        let message = Cow::Owned(message);
        let outgoing =
            Outgoing { consumer_tag: tag, delivery_tag, redelivered, delivery_count, message };
        let mut wakeups = Wakeups::default();
        self.output.deliver_one(outgoing, &mut wakeups);
        wakeups.wake_all();
    }

    /// The other broker has ended a consumer, whose queue is gone; or somebody here has.
    async fn ended(self: Arc<Self>, tag: &ConsumerTag, epoch: u64) {
        let mut wire = self.wire.lock().await;
        let is_lost = !wire.main_is_open() || self.book.lock().epoch != epoch;
        if is_lost {
            return;
        }
        let before = wire.consumers.len();
        wire.consumers.retain(|consume| consume.consumer_tag != tag.as_str());
        if wire.consumers.len() == before {
            return; // somebody here has
        }
        drop(wire);
        let mut wakeups = Wakeups::default();
        self.output.cancel(tag, &mut wakeups);
        wakeups.wake_all();
    }
}

impl RemoteChannel {
    /// Fails as the queue's absence or another one's lock makes it fail, without harm to the
    /// channel.
    fn find_queue(&self, queue: &str) -> Result<String> {
        let name = self.named(queue)?;
        let asked = name.clone();
        self.on_side(move |channel| {
            let name = asked.clone();
            async move {
                let passive = QueueDeclareOptions { passive: true, ..Default::default() };
                channel.queue_declare(name.into(), passive, FieldTable::default()).await
            }
        })?;
        Ok(name)
    }

    /// Starts a consumer; `open` makes room for its deliveries.
    pub(crate) fn basic_consume(
        &self,
        consume: &Consume,
        open: impl FnOnce(&ConsumerTag),
    ) -> Result<ConsumerTag> {
        let mut consume = consume.clone();
        consume.queue = self.find_queue(&consume.queue)?;
        if consume.consumer_tag.is_empty() {
            consume.consumer_tag = super::topology::generated_name()?;
        }
        let tag = ConsumerTag::from(consume.consumer_tag.as_str());
        let asked = consume.consumer_tag.clone();
        let is_taken = self.wait(move |shared| async move {
            let (wire, _) = shared.ready().await?;
            Ok(wire.consumers.iter().any(|known| known.consumer_tag == asked))
        })?;
        if is_taken {
            return Err(Error::ConsumerTagInUse(consume.consumer_tag));
        }
        open(&tag);
        self.wait(move |shared| async move { shared.consume(consume).await })?;
        Ok(tag)
    }

    /// Ends a consumer.
    pub(crate) fn basic_cancel(&self, tag: &ConsumerTag) -> Result<()> {
        let name = tag.as_str().to_owned();
        self.wait(move |shared| async move {
            let (mut wire, main) = shared.ready().await?;
            wire.consumers.retain(|consume| consume.consumer_tag != name);
            // If the channel is lost, so is the consumer.
            let cancel = main.basic_cancel(name.into(), BasicCancelOptions::default());
            let _ = shared.unless_lost(&wire, cancel).await;
            Ok(())
        })
    }

    /// Takes one message.
    pub(crate) fn basic_get(&self, queue: &str, no_ack: bool) -> Result<Option<GetOk>> {
        let name = self.find_queue(queue)?;
        self.wait(move |shared| async move {
            let options = BasicGetOptions { no_ack };
            let got = shared
                .on_main(|main| {
                    let name = name.clone();
                    async move { main.basic_get(name.into(), options).await }
                })
                .await?;
            let Some(got) = got else { return Ok(None) };
            let delivery_tag = shared.book.lock().deliver(got.delivery.delivery_tag, no_ack);
            let (message, delivery_count) = message(&got.delivery);
            Ok(Some(GetOk {
                delivery_tag,
                redelivered: got.delivery.redelivered,
                delivery_count,
                message_count: got.message_count as usize,
                message,
            }))
        })
    }
}

impl Shared {
    async fn consume(self: &Arc<Self>, consume: Consume) -> Result<()> {
        loop {
            let (mut wire, main) = self.ready().await?;
            match self.unless_lost(&wire, Subscribed::start(&main, &consume)).await {
                Some(Ok(subscribed)) => {
                    wire.consumers.push(consume);
                    let epoch = self.book.lock().epoch;
                    pump(Arc::downgrade(self), subscribed, epoch);
                    return Ok(());
                }
                failed => {
                    wire.lose();
                    drop(wire);
                    drop(self.ready().await?);
                    if let Some(error) = failed.and_then(Result::err).as_ref().and_then(refusal) {
                        return Err(error);
                    }
                }
            }
        }
    }
}
