//! Getting messages from a channel `[amqp 0-9-1 basic.consume, basic.get, basic.qos]`.

use std::num::NonZeroU32;
use std::sync::Arc;

use amq_protocol::types::{FieldTable, ShortString};

use crate::access::{Access, ResourceKind};
use crate::base::argument;
use crate::base::field_value::{FieldValue, get, integer, type_name};
use crate::base::memory_alarm::Share;
use crate::base::names::{ConsumerTag, random_name};
use crate::channel::{Channel, Consumer, deliveries};
use crate::error::{ArgumentError, Error, NotImplemented, Precondition, Result};
use crate::faults::{Method, Subject};
use crate::limits::CONSUMER_BYTES;
use crate::message::Message;
use crate::queue::consumers::{ConsumerSpec, Outlet};
use crate::queue::effects::Effects;
use crate::queue::{Got, Queue, Settlement};
use crate::vhost::REPLY_TO;
use crate::vhost::flow::reply_to::ReplyOutlet;

/// What is asked of basic.consume.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Consume {
    /// Queue; empty for the last one declared.
    pub queue: String,
    /// Consumer tag; empty asks the broker for one.
    pub consumer_tag: String,
    /// Deliveries need no acknowledgement.
    pub no_ack: bool,
    /// No other consumer is tolerated.
    pub exclusive: bool,
    /// Arguments: `x-priority`.
    pub arguments: FieldTable,
}

impl Consume {
    /// The messages of this queue, to be acknowledged; empty for the last queue declared on the
    /// channel.
    pub fn new(queue: impl Into<String>) -> Self {
        Self { queue: queue.into(), ..Self::default() }
    }

    /// With this consumer tag. Default: one of the broker's choice.
    #[must_use]
    pub fn consumer_tag(mut self, consumer_tag: impl Into<String>) -> Self {
        self.consumer_tag = consumer_tag.into();
        self
    }

    /// Deliveries need no acknowledgement.
    #[must_use]
    pub fn no_ack(mut self) -> Self {
        self.no_ack = true;
        self
    }

    /// No other consumer is tolerated.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// With an argument, such as `x-priority`.
    ///
    /// # Panics
    /// If the name has more than 255 octets.
    #[must_use]
    pub fn argument(mut self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        self.arguments.insert(name.into(), value.into().into());
        self
    }

    /// All arguments at once.
    #[must_use]
    pub fn arguments(mut self, arguments: FieldTable) -> Self {
        self.arguments = arguments;
        self
    }
}

/// A message that was taken by basic.get.
#[derive(Clone, Debug)]
pub(crate) struct GetOk {
    /// Delivery tag.
    pub delivery_tag: u64,
    /// Whether the message may have been delivered before.
    pub redelivered: bool,
    /// How often it was returned to a quorum queue.
    pub delivery_count: Option<NonZeroU32>,
    /// Messages that remain ready.
    pub message_count: usize,
    /// The message.
    pub message: Message,
}

impl Channel {
    /// Starts a consumer. `started` is called with its tag before the first delivery.
    /// Errors: 403, 404, 405, 406, 530.
    pub(crate) fn basic_consume(
        &mut self,
        consume: &Consume,
        effects: &mut Effects,
        started: impl FnOnce(&ConsumerTag),
    ) -> Result<ConsumerTag> {
        self.flush(effects);
        self.meet(Method::BasicConsume, Subject::queue(&consume.queue), effects)?;
        self.virtual_host().note_consumer();
        self.forget_cancelled();
        let tag = match consume.consumer_tag.as_str() {
            "" => ConsumerTag::from(random_name("amq.ctag")),
            tag => ConsumerTag::from(tag),
        };
        if consume.queue == REPLY_TO {
            self.consume_replies(consume, &tag)?;
            started(&tag);
            return Ok(tag);
        }
        let name = self.queue_name(&consume.queue)?;
        self.session.actor.check(Access::Read, ResourceKind::Queue, &name)?;
        if self.has_consumer(&tag) {
            return Err(Error::ConsumerTagInUse(tag.to_string()));
        }
        self.check_consumer_limit()?;
        let queue = self.virtual_host().queue(&name)?;
        queue.check_owner(self.session.id())?;
        if !queue.kind().shares_prefetch && self.deliveries.has_limit() {
            return Err(NotImplemented::GlobalPrefetch(queue.resource()).into());
        }
        let is_stream = queue.stream().is_some();
        let priority = if is_stream { 0 } else { priority(&consume.arguments, &queue)? };
        let reading = self.reading(consume, &queue)?;
        // RabbitMQ 4.0 does not know it, so that anything goes.
        let timeout_ms = get(&consume.arguments, argument::CONSUMER_TIMEOUT)
            .and_then(integer)
            .and_then(|ms| u64::try_from(ms).ok());
        self.virtual_host().lint_consumer(&queue, consume.no_ack)?;
        let source = self.deliveries.add_consumer(Arc::clone(&queue), tag.clone());
        let spec = ConsumerSpec {
            tag: tag.clone(),
            channel: self.id(),
            outlet: Arc::clone(&self.deliveries) as Arc<dyn Outlet>,
            source,
            no_ack: consume.no_ack,
            prefetch_count: self.prefetch_count,
            priority,
            exclusive: consume.exclusive,
            timeout_ms,
            arguments: consume.arguments.clone(),
        };
        let _acting = self.virtual_host().acting(&self.session.actor);
        let added = match reading {
            Some(reading) => queue.add_reader(spec, reading, self.now(), effects),
            None => queue.add_consumer(spec, self.now()),
        };
        let id = added.inspect_err(|_| self.deliveries.end_consumer(source, &tag))?;
        started(&tag);
        queue.resume(id, self.now(), effects);
        let _share = Share::new(self.virtual_host().memory(), CONSUMER_BYTES);
        let gone = self.consumers.insert(tag.clone(), Consumer { queue, id, source, _share });
        self.deliveries.forget_cancelled(usize::from(gone.is_some()));
        Ok(tag)
    }

    /// Errors: 530 if the channel has as many consumers as it may.
    fn check_consumer_limit(&mut self) -> Result<()> {
        let max = self.virtual_host().consumers_per_channel_max();
        if self.consumers.len() >= max && self.deliveries.cancelled() > 0 {
            self.forget_all_cancelled();
        }
        if self.consumers.len() < max { Ok(()) } else { Err(Error::ConsumerLimit { max }) }
    }

    fn has_consumer(&self, tag: &ConsumerTag) -> bool {
        self.consumers.get(tag).is_some_and(|consumer| !consumer.is_gone(&self.deliveries))
            || self.reply_consumer.as_ref().is_some_and(|(reply_tag, _)| reply_tag == tag)
    }

    fn consume_replies(&mut self, consume: &Consume, tag: &ConsumerTag) -> Result<()> {
        if self.reply_consumer.is_some() {
            return Err(Precondition::ReplyConsumerSet.into());
        }
        if self.has_consumer(tag) {
            return Err(Error::ConsumerTagInUse(tag.to_string()));
        }
        if !consume.no_ack {
            return Err(Precondition::ReplyConsumerAcknowledges.into());
        }
        let target = Arc::clone(&self.deliveries) as Arc<dyn ReplyOutlet>;
        let key = self.virtual_host().register_reply_target(target);
        self.deliveries.set_reply_consumer(Some(tag.clone()));
        self.reply_consumer = Some((tag.clone(), key));
        Ok(())
    }

    pub(super) fn drop_reply_consumer(&mut self) {
        if let Some((_, key)) = self.reply_consumer.take() {
            self.virtual_host().remove_reply_target(&key);
            self.deliveries.set_reply_consumer(None);
        }
    }

    /// Ends a consumer; after this nothing is delivered to it. An unknown tag counts as ended.
    /// Errors: none, but what a fault has it.
    pub(crate) fn basic_cancel(&mut self, consumer_tag: &str, effects: &mut Effects) -> Result<()> {
        self.cancel_untaken(consumer_tag, Vec::new, effects)
    }

    /// As [`Channel::basic_cancel`]. The client has not seen the deliveries with the tags that
    /// `untaken` tells once no more come: they are back before others are served.
    pub(crate) fn cancel_untaken(
        &mut self,
        consumer_tag: &str,
        untaken: impl FnOnce() -> Vec<u64>,
        effects: &mut Effects,
    ) -> Result<()> {
        self.flush(effects);
        self.meet(Method::BasicCancel, Subject::default(), effects)?;
        if self.reply_consumer.as_ref().is_some_and(|(tag, _)| tag.as_str() == consumer_tag) {
            self.drop_reply_consumer();
        }
        if let Some((tag, consumer)) = self.consumers.remove_entry(consumer_tag) {
            let is_gone = consumer.is_gone(&self.deliveries);
            self.deliveries.forget_cancelled(usize::from(is_gone));
            let _acting = self.virtual_host().acting(&self.session.actor);
            let left = || vec![(Settlement::Abandon, self.deliveries.withdraw(&untaken()))];
            consumer.queue.remove_consumers(&[consumer.id], left, self.now(), effects);
            self.deliveries.end_consumer(consumer.source, &tag);
        }
        Ok(())
    }

    /// Takes one message. Errors: 403, 404, 405.
    pub(crate) fn basic_get(
        &mut self,
        queue: &str,
        no_ack: bool,
        effects: &mut Effects,
    ) -> Result<Option<GetOk>> {
        self.flush(effects);
        self.meet(Method::BasicGet, Subject::queue(queue), effects)?;
        self.virtual_host().note_consumer();
        let name = self.queue_name(queue)?;
        self.session.actor.check(Access::Read, ResourceKind::Queue, &name)?;
        let queue = self.virtual_host().queue(&name)?;
        queue.check_owner(self.session.id())?;
        let counted = self.deliveries.counted();
        let (id, entry, message_count) = loop {
            let now = self.now();
            counted.touch(now);
            match queue.get(no_ack, self.id(), now, effects)? {
                Got::Message(id, entry, left) => break (id, entry, left),
                Got::PagedOut if self.virtual_host().page_in(&queue, effects) => {}
                Got::PagedOut | Got::Nothing => {
                    counted.published.get_empty.add(1);
                    return Ok(None);
                }
            }
        };
        counted.count_get(no_ack, entry.redelivered);
        Ok(Some(GetOk {
            delivery_tag: self.deliveries.add_get(&queue, id),
            redelivered: entry.redelivered,
            delivery_count: deliveries::delivery_count(queue.is_quorum(), &entry),
            message_count,
            message: entry.message,
        }))
    }

    /// Sets the prefetch: of consumers to come, or with `global` one that all consumers of the
    /// channel share. 0 lifts it. `accepted` is called before the first delivery that the new
    /// limit lets through. Errors: 540 for a `prefetch_size`.
    pub(crate) fn basic_qos(
        &mut self,
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
        effects: &mut Effects,
        accepted: impl FnOnce(),
    ) -> Result<()> {
        self.flush(effects);
        self.meet(Method::BasicQos, Subject::default(), effects)?;
        if prefetch_size != 0 {
            return Err(NotImplemented::PrefetchSize(prefetch_size).into());
        }
        let global = global && self.virtual_host().permits_global_qos()?;
        accepted();
        if global {
            self.deliveries.set_limit(prefetch_count.into());
        } else {
            self.prefetch_count = prefetch_count.into();
            self.deliveries.counted().published.prefetch_count.set(prefetch_count.into());
            self.deliveries.set_limit(0);
        }
        if self.is_starved() {
            self.resume_consumers(effects);
        }
        Ok(())
    }
}

/// The argument `x-priority` of basic.consume, 0 if it is not there
/// `[rabbitmq consumer-priority]`. Errors: 406.
fn priority(arguments: &FieldTable, queue: &Queue) -> Result<i64> {
    const ARGUMENT: &str = argument::PRIORITY;
    let Some(value) = get(arguments, ARGUMENT) else { return Ok(0) };
    integer(value).ok_or_else(|| {
        let reason = format!("\"expected integer, got {}\"", type_name(value));
        let error = ArgumentError::Invalid { argument: ARGUMENT, reason };
        Precondition::Argument(error, queue.resource()).into()
    })
}
