//! Consumers of streams: what they ask for, and what they cannot have `[rabbitmq streams]`.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::argument;
use crate::base::field_value::{get, string};
use crate::channel::{Channel, Consume};
use crate::error::{ArgumentError, Error, NotImplemented, Precondition, Result};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::queue::Queue;
use crate::queue::stream::filter::Filter;
use crate::queue::stream::{Reading, Turns, start};

/// Where a consumer begins.
const OFFSET: &str = argument::STREAM_OFFSET;
/// The name by which the stream keeps how far it is.
const NAME: &str = argument::STREAM_CONSUMER_NAME;
/// That its tag is that name.
const TRACKING: &str = argument::STREAM_AUTOMATIC_OFFSET_TRACKING;
/// That it takes turns with the others of its name.
const TURNS: &str = argument::SINGLE_ACTIVE_CONSUMER;
/// With that, the super stream of which the stream is a partition.
const SUPER_STREAM: &str = argument::SUPER_STREAM;

impl Channel {
    /// What a consumer of a stream asks for; `None` if the queue is no stream. Errors: 406, 540.
    pub(super) fn reading(&self, consume: &Consume, queue: &Queue) -> Result<Option<Reading>> {
        let (arguments, resource) = (&consume.arguments, queue.resource());
        let refuse = |argument| {
            let module = queue.attributes().arguments.queue_type.module();
            let error = ArgumentError::OtherQueueType { argument, module };
            Err(Precondition::Argument(error, resource.clone()).into())
        };
        if queue.stream().is_none() {
            return if get(arguments, OFFSET).is_some() { refuse(OFFSET) } else { Ok(None) };
        }
        if get(arguments, argument::PRIORITY).is_some() {
            return refuse(argument::PRIORITY);
        }
        if consume.no_ack {
            return Err(NotImplemented::NoAckOfStream(queue.resource()).into());
        }
        if self.prefetch_count == 0 {
            self.virtual_host().check_stream_prefetch(queue)?;
        }
        let invalid = |argument: &'static str, reason: &str| -> Error {
            let error = ArgumentError::Invalid { argument, reason: reason.into() };
            Precondition::Argument(error, resource.clone()).into()
        };
        let start = start::parse(get(arguments, OFFSET), self.now())
            .map_err(|reason| invalid(OFFSET, &reason))?;
        let name = name(consume).map_err(|(argument, reason)| invalid(argument, reason))?;
        let turns = self.turns(consume, queue, name.is_some());
        let turns = turns.map_err(|(argument, reason)| invalid(argument, reason))?;
        Ok(Some(Reading { start, filter: Filter::parse(arguments), name, turns }))
    }
}

impl Channel {
    /// Whether a consumer takes turns with others of its name. One without a name reads by itself,
    /// as RabbitMQ has it, where the argument says nothing `[rabbitmq streams]`.
    fn turns(
        &self,
        consume: &Consume,
        queue: &Queue,
        has_name: bool,
    ) -> Result<Option<Turns>, (&'static str, &'static str)> {
        if !has_name || get(&consume.arguments, TURNS) != Some(&AMQPValue::Boolean(true)) {
            return Ok(None);
        }
        let Some(value) = get(&consume.arguments, SUPER_STREAM) else {
            return Ok(Some(Turns { partition: None }));
        };
        let super_stream = string(value).ok_or((SUPER_STREAM, "it is no text"))?;
        let partition = self.virtual_host().partition_index(super_stream, queue.name().as_str());
        let partition = partition.ok_or((SUPER_STREAM, "the stream is no partition of it"))?;
        Ok(Some(Turns { partition: Some(partition) }))
    }
}

/// The name of a consumer that has one: its own, or its tag.
fn name(consume: &Consume) -> Result<Option<String>, (&'static str, &'static str)> {
    let arguments: &FieldTable = &consume.arguments;
    let (argument, name) = match get(arguments, NAME) {
        Some(value) => (NAME, string(value).ok_or((NAME, "it is no text"))?),
        None if get(arguments, TRACKING) == Some(&AMQPValue::Boolean(true)) => {
            (TRACKING, consume.consumer_tag.as_str())
        }
        None => return Ok(None),
    };
    match name.len() {
        0 => Err((argument, "the consumer needs a name: give it a consumer tag of its own")),
        length if length > STREAM_NAME_BYTES_MAX => Err((argument, "it is over 255 octets")),
        _ => Ok(Some(name.to_owned())),
    }
}
