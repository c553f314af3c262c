//! The settings that a queue works by: its arguments, and what policies add
//! `[rabbitmq parameters#policies]`.

use crate::limits::CONSUMER_TIMEOUT_DEFAULT_MS;
use crate::queue::arguments::{DeadLetterStrategy, QueueArguments};
use crate::queue::fifo::delivery_limit::DeliveryLimit;
use crate::queue::fifo::overflow::{LengthLimit, Overflow};

/// The settings that a queue works by. What every message needs comes first.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub struct Settings {
    /// How long a delivery may wait for its acknowledgement, milliseconds.
    pub consumer_timeout_ms: u64,
    /// Time to live of messages, milliseconds.
    pub message_ttl_ms: Option<u64>,
    /// Life of the unused queue, milliseconds.
    pub expires_ms: Option<u64>,
    /// Length limits.
    pub length: LengthLimit,
    /// Limit of returns.
    pub delivery_limit: DeliveryLimit,
    /// What happens to dead letters that cannot be delivered.
    pub dead_letter_strategy: DeadLetterStrategy,
    /// How old the messages of a stream get, milliseconds.
    pub max_age_ms: Option<u64>,
    /// Octets of a segment of a stream.
    pub stream_segment_bytes: Option<u64>,
    /// Octets of the filter of a chunk of a stream.
    pub stream_filter_bytes: Option<u8>,
}

impl Settings {
    /// Arguments with policies over them: of numbers the smallest counts, of everything else what
    /// comes first. Only the overflow of quorum queues is for policies to decide. If nothing else
    /// is said a delivery may wait for half an hour.
    pub fn new(arguments: &QueueArguments, policies: &[&QueueArguments]) -> Self {
        Self::within(arguments, policies, CONSUMER_TIMEOUT_DEFAULT_MS)
    }

    /// The same with another time for deliveries, in milliseconds.
    pub(super) fn within(
        arguments: &QueueArguments,
        policies: &[&QueueArguments],
        default_timeout_ms: u64,
    ) -> Self {
        let all = || std::iter::once(arguments).chain(policies.iter().copied());
        let mut overflow = all().find_map(|layer| layer.overflow);
        let is_quorum = arguments.queue_type.kind().is_quorum;
        if is_quorum {
            overflow = policies.iter().find_map(|policy| policy.overflow).or(overflow);
        }
        // At least once needs a queue that refuses what is beyond its limit; others fall back.
        let strategy = all()
            .find_map(|layer| layer.dead_letter_strategy)
            .filter(|_| overflow == Some(Overflow::RejectPublish));
        Self {
            message_ttl_ms: all().filter_map(|layer| layer.message_ttl_ms).min(),
            expires_ms: all().filter_map(|layer| layer.expires_ms).min(),
            length: LengthLimit {
                max_length: all().filter_map(|layer| layer.max_length).min(),
                max_length_bytes: all().filter_map(|layer| layer.max_length_bytes).min(),
                overflow: overflow.unwrap_or_default(),
            },
            delivery_limit: match is_quorum {
                false => DeliveryLimit::none(),
                true => {
                    let limits = all().filter_map(|layer| layer.delivery_limit);
                    DeliveryLimit::quorum(limits.min_by_key(|&limit| limit as u64))
                }
            },
            max_age_ms: all().filter_map(|layer| layer.max_age_ms).min(),
            stream_segment_bytes: all().find_map(|layer| layer.stream_segment_bytes),
            stream_filter_bytes: all().find_map(|layer| layer.stream_filter_bytes),
            consumer_timeout_ms: all()
                .filter_map(|layer| layer.consumer_timeout_ms)
                .min()
                .unwrap_or(default_timeout_ms),
            dead_letter_strategy: strategy.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::kind::QueueType;

    #[test]
    fn the_smallest_number_and_the_first_word_count() {
        let arguments = QueueArguments {
            max_length: Some(10),
            overflow: Some(Overflow::RejectPublish),
            ..QueueArguments::default()
        };
        let policy = QueueArguments {
            max_length: Some(5),
            message_ttl_ms: Some(70),
            overflow: Some(Overflow::DropHead),
            ..QueueArguments::default()
        };
        let operator = QueueArguments { max_length: Some(7), ..QueueArguments::default() };
        let settings = Settings::new(&arguments, &[&policy, &operator]);
        assert_eq!(settings.length.max_length, Some(5));
        assert_eq!(settings.length.overflow, Overflow::RejectPublish);
        assert_eq!(settings.message_ttl_ms, Some(70));
        assert_eq!(settings.consumer_timeout_ms, CONSUMER_TIMEOUT_DEFAULT_MS);
    }

    #[test]
    fn policies_decide_the_overflow_of_quorum_queues() {
        let arguments = QueueArguments {
            queue_type: QueueType::Quorum,
            overflow: Some(Overflow::DropHead),
            delivery_limit: Some(-1),
            ..QueueArguments::default()
        };
        let policy = QueueArguments {
            overflow: Some(Overflow::RejectPublish),
            delivery_limit: Some(3),
            ..QueueArguments::default()
        };
        let settings = Settings::new(&arguments, &[&policy]);
        assert_eq!(settings.length.overflow, Overflow::RejectPublish);
        assert_eq!(settings.delivery_limit, DeliveryLimit::quorum(Some(3)));
    }
}
