//! A queue's `x-` arguments: checked and parsed once, at declare
//! `[rabbitmq queues#optional-arguments]`.

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::base::argument;
use crate::base::field_value::{get, integer, string, type_name};
use crate::error::ArgumentError;
use crate::limits::{PRIORITY_MAX, STREAM_FILTER_BYTES_MIN, STREAM_SEGMENT_BYTES_MAX, TIME_MAX_MS};
use crate::queue::fifo::overflow::Overflow;
use crate::queue::kind::QueueType;
use crate::queue::stream::age;

/// When at-most-once is not enough: `x-dead-letter-strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadLetterStrategy {
    /// Dead letters that cannot be routed or are refused are lost.
    #[default]
    AtMostOnce,
    /// Dead letters stay in the queue until their targets have them.
    AtLeastOnce,
}

/// The arguments that the broker acts on, as declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueArguments {
    /// `x-queue-type`.
    pub queue_type: QueueType,
    /// `x-message-ttl`, milliseconds.
    pub message_ttl_ms: Option<u64>,
    /// `x-expires`, milliseconds.
    pub expires_ms: Option<u64>,
    /// `x-max-length`: ready messages.
    pub max_length: Option<u64>,
    /// `x-max-length-bytes`: octets of the bodies of ready messages.
    pub max_length_bytes: Option<u64>,
    /// `x-overflow`.
    pub overflow: Option<Overflow>,
    /// `x-dead-letter-exchange`; empty for the default exchange.
    pub dead_letter_exchange: Option<String>,
    /// `x-dead-letter-routing-key`.
    pub dead_letter_routing_key: Option<String>,
    /// `x-dead-letter-strategy`.
    pub dead_letter_strategy: Option<DeadLetterStrategy>,
    /// `x-max-priority`: 0 to 255.
    pub max_priority: Option<u8>,
    /// `x-single-active-consumer`.
    pub single_active_consumer: bool,
    /// `x-delivery-limit`; negative for none.
    pub delivery_limit: Option<i64>,
    /// `x-consumer-timeout`, milliseconds; ten years for one that never passes.
    pub consumer_timeout_ms: Option<u64>,
    /// `x-message-deduplication`; only classic queues look at it.
    pub message_deduplication: bool,
    /// `x-max-age`, milliseconds: how old the messages of a stream get.
    pub max_age_ms: Option<u64>,
    /// `x-stream-max-segment-size-bytes`: up to 3,000,000,000.
    pub stream_segment_bytes: Option<u64>,
    /// `x-stream-filter-size-bytes`: 16 to 255.
    pub stream_filter_bytes: Option<u8>,
}

/// Arguments known to some type of queue, with the types that take them. The order is RabbitMQ's:
/// it decides which of several faults is reported.
const KNOWN: &[(&str, &[QueueType])] = &[
    (argument::EXPIRES, FIFO),
    (argument::MESSAGE_TTL, FIFO),
    (argument::DEAD_LETTER_EXCHANGE, FIFO),
    (argument::DEAD_LETTER_ROUTING_KEY, FIFO),
    (argument::DEAD_LETTER_STRATEGY, QUORUM),
    (argument::MAX_LENGTH, FIFO),
    (argument::MAX_LENGTH_BYTES, ALL),
    (argument::MAX_IN_MEMORY_LENGTH, QUORUM),
    (argument::MAX_IN_MEMORY_BYTES, QUORUM),
    (argument::MAX_PRIORITY, CLASSIC),
    (argument::OVERFLOW, FIFO),
    (argument::QUEUE_MODE, CLASSIC),
    (argument::QUEUE_VERSION, CLASSIC),
    (argument::SINGLE_ACTIVE_CONSUMER, FIFO),
    (argument::QUEUE_TYPE, ALL),
    (argument::QUORUM_INITIAL_GROUP_SIZE, QUORUM),
    (argument::MAX_AGE, STREAM),
    (argument::STREAM_MAX_SEGMENT_SIZE_BYTES, STREAM),
    (argument::STREAM_FILTER_SIZE_BYTES, STREAM),
    (argument::INITIAL_CLUSTER_SIZE, STREAM),
    (argument::QUEUE_LEADER_LOCATOR, ALL),
    (argument::DELIVERY_LIMIT, QUORUM),
    (argument::QUEUE_MASTER_LOCATOR, CLASSIC),
];
/// Known to an extension, and only looked at there.
const DEDUPLICATION: &str = argument::MESSAGE_DEDUPLICATION;
/// RabbitMQ 4.0 looks at it when deliveries are due, and never before: as an argument it may be
/// anything, and is not compared. As a setting of a policy it is checked.
const CONSUMER_TIMEOUT: &str = argument::CONSUMER_TIMEOUT;
/// What is decided at declare, once and for all.
const NOT_IN_POLICIES: &[&str] = &[
    argument::MAX_PRIORITY,
    argument::SINGLE_ACTIVE_CONSUMER,
    argument::QUEUE_TYPE,
    argument::QUORUM_INITIAL_GROUP_SIZE,
    argument::INITIAL_CLUSTER_SIZE,
];
const ALL: &[QueueType] = &QueueType::ALL;
const FIFO: &[QueueType] = &[QueueType::Classic, QueueType::Quorum];
const CLASSIC: &[QueueType] = &[QueueType::Classic];
const QUORUM: &[QueueType] = &[QueueType::Quorum];
const STREAM: &[QueueType] = &[QueueType::Stream];

impl QueueArguments {
    /// Checks and parses `table`. Arguments that RabbitMQ does not know are accepted and have no
    /// effect.
    pub fn parse(table: &FieldTable) -> Result<Self, ArgumentError> {
        let mut parsed = Self { queue_type: queue_type(table)?, ..Self::default() };
        let queue_type = parsed.queue_type;
        let is_own = |queue_types: &[QueueType]| queue_types.contains(&queue_type);
        for &(argument, _) in KNOWN.iter().filter(|(_, queue_types)| is_own(queue_types)) {
            if let Some(value) = get(table, argument) {
                parsed.take(argument, value, table)?;
            }
        }
        let foreign = KNOWN.iter().filter(|(_, queue_types)| !is_own(queue_types));
        let given = foreign.map(|&(name, _)| name).filter(|name| get(table, name).is_some());
        // RabbitMQ reports the one that the client wrote first; here they are by name.
        if let Some(argument) = given.min() {
            return Err(ArgumentError::OtherQueueType { argument, module: queue_type.module() });
        }
        // As with RabbitMQ's plugin: not checked, and not compared when declared again.
        parsed.message_deduplication = queue_type == QueueType::Classic
            && get(table, DEDUPLICATION) == Some(&AMQPValue::Boolean(true));
        parsed.consumer_timeout_ms = get(table, CONSUMER_TIMEOUT).map(consumer_timeout);
        Ok(parsed)
    }

    /// Parses the definition of a policy as far as it is for this type of queue. Keys are the
    /// names of arguments without `x-`.
    pub fn from_policy(
        definition: &FieldTable,
        queue_type: QueueType,
    ) -> Result<Self, ArgumentError> {
        let prefixed = definition.inner().iter();
        let table: FieldTable = prefixed
            .map(|(key, value)| (format!("x-{key}").into(), value.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into();
        let mut parsed = Self { queue_type, ..Self::default() };
        if let Some(value) = get(&table, CONSUMER_TIMEOUT) {
            parsed.consumer_timeout_ms = Some(duration(CONSUMER_TIMEOUT, value)?);
        }
        for &(argument, queue_types) in KNOWN {
            if !queue_types.contains(&queue_type) || NOT_IN_POLICIES.contains(&argument) {
                continue;
            }
            match get(&table, argument) {
                // A policy is looked at more closely than an argument.
                Some(value) if argument == argument::DELIVERY_LIMIT => {
                    parsed.delivery_limit = Some(required_integer(argument, value)?);
                }
                // The exchange may be an argument of the queue.
                Some(value) if argument == argument::DEAD_LETTER_ROUTING_KEY => {
                    let key = required_string(argument, value)?;
                    parsed.dead_letter_routing_key = Some(key.to_owned());
                }
                Some(value) => parsed.take(argument, value, &table)?,
                None => {}
            }
        }
        Ok(parsed)
    }

    /// Whether a policy may set this key.
    pub fn is_policy_key(key: &str) -> bool {
        let arguments = KNOWN.iter().map(|(argument, _)| argument).chain([&CONSUMER_TIMEOUT]);
        arguments
            .filter(|argument| !NOT_IN_POLICIES.contains(argument))
            .any(|argument| argument.strip_prefix("x-") == Some(key))
    }

    fn take(
        &mut self,
        argument: &'static str,
        value: &AMQPValue,
        table: &FieldTable,
    ) -> Result<(), ArgumentError> {
        match argument {
            argument::EXPIRES => self.expires_ms = Some(expires(argument, value)?),
            argument::MESSAGE_TTL => self.message_ttl_ms = Some(duration(argument, value)?),
            argument::DEAD_LETTER_EXCHANGE => {
                let received = type_name(value);
                self.dead_letter_exchange = Some(
                    string(value).ok_or(ArgumentError::Type { argument, received })?.to_owned(),
                );
            }
            argument::DEAD_LETTER_ROUTING_KEY => {
                let key = required_string(argument, value)?;
                if get(table, argument::DEAD_LETTER_EXCHANGE).is_none() {
                    return Err(invalid(argument, "routing_key_but_no_dlx_defined"));
                }
                self.dead_letter_routing_key = Some(key.to_owned());
            }
            argument::DEAD_LETTER_STRATEGY => {
                self.dead_letter_strategy = Some(dead_letter_strategy(argument, value)?);
            }
            argument::MAX_LENGTH => self.max_length = Some(non_negative(argument, value)?),
            argument::MAX_LENGTH_BYTES => {
                self.max_length_bytes = Some(non_negative(argument, value)?)
            }
            argument::MAX_IN_MEMORY_LENGTH | argument::MAX_IN_MEMORY_BYTES => {
                non_negative(argument, value)?;
            }
            argument::MAX_PRIORITY => self.max_priority = Some(max_priority(argument, value)?),
            argument::OVERFLOW => self.overflow = Some(overflow(argument, value, self.queue_type)?),
            argument::QUEUE_MODE => {
                one_of(argument, value, &["default", "lazy"], "unsupported queue mode")?
            }
            argument::QUEUE_VERSION => queue_version(argument, value)?,
            argument::SINGLE_ACTIVE_CONSUMER => {
                let AMQPValue::Boolean(flag) = value else {
                    return Err(unacceptable_type(argument, value));
                };
                self.single_active_consumer = *flag;
            }
            argument::DELIVERY_LIMIT => self.delivery_limit = Some(delivery_limit(value)),
            argument::QUORUM_INITIAL_GROUP_SIZE | argument::INITIAL_CLUSTER_SIZE
                if non_negative(argument, value)? == 0 =>
            {
                return Err(invalid(argument, "{value_zero,0}"));
            }
            argument::MAX_AGE => self.max_age_ms = Some(max_age(argument, value)?),
            argument::STREAM_MAX_SEGMENT_SIZE_BYTES => {
                self.stream_segment_bytes = Some(segment_bytes(argument, value)?);
            }
            argument::STREAM_FILTER_SIZE_BYTES => {
                self.stream_filter_bytes = Some(filter_bytes(argument, value)?);
            }
            argument::QUEUE_LEADER_LOCATOR => {
                const PLACES: &[&str] = &["client-local", "balanced", "random", "least-leaders"];
                let place = required_string(argument, value)?;
                if !PLACES.contains(&place) {
                    return Err(invalid(argument, "invalid_queue_locator_arg"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn dead_letter_strategy(
    argument: &'static str,
    value: &AMQPValue,
) -> Result<DeadLetterStrategy, ArgumentError> {
    match required_string(argument, value)? {
        "at-most-once" => Ok(DeadLetterStrategy::AtMostOnce),
        "at-least-once" => Ok(DeadLetterStrategy::AtLeastOnce),
        _ => Err(invalid(argument, "invalid_dlx_strategy")),
    }
}

/// The names of all arguments that have an effect on some type of queue.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|&(name, _)| name).chain([DEDUPLICATION, CONSUMER_TIMEOUT])
}

/// Whether an argument has an effect on some type of queue.
pub fn is_known(name: &str) -> bool {
    known().any(|known| known == name)
}

/// The names of the arguments that are compared when a queue is declared again.
pub fn compared(queue_type: QueueType) -> impl Iterator<Item = &'static str> {
    KNOWN.iter().filter(move |(_, types)| types.contains(&queue_type)).map(|&(name, _)| name)
}

fn queue_type(table: &FieldTable) -> Result<QueueType, ArgumentError> {
    const ARGUMENT: &str = argument::QUEUE_TYPE;
    match get(table, ARGUMENT) {
        None => Ok(QueueType::Classic),
        Some(value) => {
            let name = required_string(ARGUMENT, value)?;
            QueueType::from_name(name)
                .ok_or_else(|| invalid(ARGUMENT, format!("\"unsupported queue type '{name}'\"")))
        }
    }
}

fn invalid(argument: &'static str, reason: impl Into<String>) -> ArgumentError {
    ArgumentError::Invalid { argument, reason: reason.into() }
}

fn unacceptable_type(argument: &'static str, value: &AMQPValue) -> ArgumentError {
    invalid(argument, format!("{{unacceptable_type,{}}}", type_name(value)))
}

fn required_integer(argument: &'static str, value: &AMQPValue) -> Result<i64, ArgumentError> {
    integer(value)
        .ok_or_else(|| invalid(argument, format!("\"expected integer, got {}\"", type_name(value))))
}

fn non_negative(argument: &'static str, value: &AMQPValue) -> Result<u64, ArgumentError> {
    let number = required_integer(argument, value)?;
    u64::try_from(number).map_err(|_| invalid(argument, format!("{{value_negative,{number}}}")))
}

fn duration(argument: &'static str, value: &AMQPValue) -> Result<u64, ArgumentError> {
    let ms = non_negative(argument, value)?;
    if ms > TIME_MAX_MS {
        return Err(invalid(argument, format!("{{value_too_large,{ms}}}")));
    }
    Ok(ms)
}

/// A time that is negative has passed; what is no time never passes.
fn consumer_timeout(value: &AMQPValue) -> u64 {
    integer(value).map_or(TIME_MAX_MS, |ms| u64::try_from(ms).unwrap_or(0).min(TIME_MAX_MS))
}

fn expires(argument: &'static str, value: &AMQPValue) -> Result<u64, ArgumentError> {
    match duration(argument, value)? {
        0 => Err(invalid(argument, "{value_zero,0}")),
        ms => Ok(ms),
    }
}

fn max_priority(argument: &'static str, value: &AMQPValue) -> Result<u8, ArgumentError> {
    let number = non_negative(argument, value)?;
    if number > PRIORITY_MAX {
        return Err(invalid(argument, format!("{{max_value_exceeded,{number}}}")));
    }
    Ok(u8::try_from(number).unwrap_or(u8::MAX))
}

/// Nobody looks at the type: whatever is no number is never exceeded.
#[allow(clippy::cast_possible_truncation, reason = "it saturates")]
fn delivery_limit(value: &AMQPValue) -> i64 {
    let rounded = match value {
        AMQPValue::Float(limit) => f64::from(*limit).floor() as i64,
        AMQPValue::Double(limit) => limit.floor() as i64,
        _ => i64::MAX,
    };
    integer(value).unwrap_or(rounded)
}

fn max_age(argument: &'static str, value: &AMQPValue) -> Result<u64, ArgumentError> {
    let text = required_string(argument, value)?;
    age::parse_ms(text).ok_or_else(|| invalid(argument, "invalid_max_age"))
}

fn segment_bytes(argument: &'static str, value: &AMQPValue) -> Result<u64, ArgumentError> {
    let bytes = non_negative(argument, value)?;
    if bytes > STREAM_SEGMENT_BYTES_MAX {
        let text = "Exceeded max value for x-stream-max-segment-size-bytes";
        return Err(ArgumentError::Text(text));
    }
    Ok(bytes)
}

fn filter_bytes(argument: &'static str, value: &AMQPValue) -> Result<u8, ArgumentError> {
    let bytes = non_negative(argument, value)?;
    let known = u8::try_from(bytes).ok().filter(|&bytes| bytes >= STREAM_FILTER_BYTES_MIN);
    known.ok_or(ArgumentError::Text("Invalid value for  x-stream-filter-size-bytes"))
}

fn overflow(
    argument: &'static str,
    value: &AMQPValue,
    queue_type: QueueType,
) -> Result<Overflow, ArgumentError> {
    match required_string(argument, value)? {
        "drop-head" => Ok(Overflow::DropHead),
        "reject-publish" => Ok(Overflow::RejectPublish),
        // Quorum queues take the word for none that they know.
        "reject-publish-dlx" if queue_type == QueueType::Quorum => Ok(Overflow::DropHead),
        "reject-publish-dlx" => Ok(Overflow::RejectPublishDlx),
        _ => Err(invalid(argument, "invalid_overflow")),
    }
}

fn queue_version(argument: &'static str, value: &AMQPValue) -> Result<(), ArgumentError> {
    // Version 1 is gone from RabbitMQ 4.0, which reads it as 2.
    match non_negative(argument, value)? {
        1 | 2 => Ok(()),
        other => Err(invalid(argument, format!("\"unsupported queue version '{other}'\""))),
    }
}

fn one_of(
    argument: &'static str,
    value: &AMQPValue,
    allowed: &[&str],
    complaint: &str,
) -> Result<(), ArgumentError> {
    let text = required_string(argument, value)?;
    if allowed.contains(&text) {
        return Ok(());
    }
    Err(invalid(argument, format!("\"{complaint} '{text}'\"")))
}

fn required_string<'a>(
    argument: &'static str,
    value: &'a AMQPValue,
) -> Result<&'a str, ArgumentError> {
    string(value).ok_or_else(|| unacceptable_type(argument, value))
}
