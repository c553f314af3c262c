//! The names of all arguments of queues, exchanges, bindings and consumers that the broker knows,
//! and of the headers that exchanges look at.

// Of queues `[rabbitmq queues#optional-arguments]`.

pub(crate) const EXPIRES: &str = "x-expires";
pub(crate) const MESSAGE_TTL: &str = "x-message-ttl";
pub(crate) const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
pub(crate) const DEAD_LETTER_ROUTING_KEY: &str = "x-dead-letter-routing-key";
pub(crate) const DEAD_LETTER_STRATEGY: &str = "x-dead-letter-strategy";
pub(crate) const MAX_LENGTH: &str = "x-max-length";
pub(crate) const MAX_LENGTH_BYTES: &str = "x-max-length-bytes";
pub(crate) const MAX_IN_MEMORY_LENGTH: &str = "x-max-in-memory-length";
pub(crate) const MAX_IN_MEMORY_BYTES: &str = "x-max-in-memory-bytes";
pub(crate) const MAX_PRIORITY: &str = "x-max-priority";
pub(crate) const OVERFLOW: &str = "x-overflow";
pub(crate) const QUEUE_MODE: &str = "x-queue-mode";
pub(crate) const QUEUE_VERSION: &str = "x-queue-version";
pub(crate) const QUEUE_TYPE: &str = "x-queue-type";
pub(crate) const QUORUM_INITIAL_GROUP_SIZE: &str = "x-quorum-initial-group-size";
pub(crate) const MAX_AGE: &str = "x-max-age";
pub(crate) const STREAM_MAX_SEGMENT_SIZE_BYTES: &str = "x-stream-max-segment-size-bytes";
pub(crate) const STREAM_FILTER_SIZE_BYTES: &str = "x-stream-filter-size-bytes";
pub(crate) const INITIAL_CLUSTER_SIZE: &str = "x-initial-cluster-size";
pub(crate) const QUEUE_LEADER_LOCATOR: &str = "x-queue-leader-locator";
pub(crate) const DELIVERY_LIMIT: &str = "x-delivery-limit";
pub(crate) const QUEUE_MASTER_LOCATOR: &str = "x-queue-master-locator";
pub(crate) const MESSAGE_DEDUPLICATION: &str = "x-message-deduplication";

// Of queues and of consumers.

pub(crate) const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";
pub(crate) const SINGLE_ACTIVE_CONSUMER: &str = "x-single-active-consumer";

// Of consumers `[rabbitmq consumer-priority]` `[rabbitmq streams#consuming]`.

pub(crate) const PRIORITY: &str = "x-priority";
#[cfg(feature = "remote")]
pub(crate) const CANCEL_ON_HA_FAILOVER: &str = "x-cancel-on-ha-failover";
pub(crate) const STREAM_OFFSET: &str = "x-stream-offset";
pub(crate) const STREAM_CONSUMER_NAME: &str = "x-stream-consumer-name";
pub(crate) const STREAM_AUTOMATIC_OFFSET_TRACKING: &str = "x-stream-automatic-offset-tracking";
pub(crate) const STREAM_FILTER: &str = "x-stream-filter";
pub(crate) const STREAM_MATCH_UNFILTERED: &str = "x-stream-match-unfiltered";
pub(crate) const STREAM_FILTER_MESSAGES: &str = "x-stream-filter-messages";

// Of exchanges `[rabbitmq ae]`, those of plugins among them.

pub(crate) const ALTERNATE_EXCHANGE: &str = "alternate-exchange";
pub(crate) const HASH_HEADER: &str = "hash-header";
pub(crate) const HASH_PROPERTY: &str = "hash-property";
pub(crate) const DELAYED_TYPE: &str = "x-delayed-type";
pub(crate) const RECENT_HISTORY_LENGTH: &str = "x-recent-history-length";
pub(crate) const CACHE_SIZE: &str = "x-cache-size";
pub(crate) const CACHE_TTL: &str = "x-cache-ttl";
pub(crate) const CACHE_PERSISTENCE: &str = "x-cache-persistence";

// Of bindings `[amqp 0-9-1 exchange type headers]`.

pub(crate) const MATCH: &str = "x-match";

// Of super streams: of their exchange, bindings and consumers `[rabbitmq super-streams]`.

pub(crate) const SUPER_STREAM: &str = "x-super-stream";
pub(crate) const STREAM_PARTITION_ORDER: &str = "x-stream-partition-order";

// Headers of messages, for exchanges of plugins.

pub(crate) const DELAY: &str = "x-delay";
pub(crate) const RECENT_HISTORY_NO_STORE: &str = "x-recent-history-no-store";
pub(crate) const DEDUPLICATION_HEADER: &str = "x-deduplication-header";

// What federated brokers write for each other: in headers of messages, arguments of bindings, of
// queues and exchanges `[rabbitmq federation]`.

pub(crate) const RECEIVED_FROM: &str = "x-received-from";
pub(crate) const MAX_HOPS: &str = "x-max-hops";
pub(crate) const DOWNSTREAM_NAME: &str = "x-downstream-name";
pub(crate) const DOWNSTREAM_VHOST: &str = "x-downstream-vhost";
#[cfg(feature = "remote")]
pub(crate) const BOUND_FROM: &str = "x-bound-from";
#[cfg(feature = "remote")]
pub(crate) const INTERNAL_PURPOSE: &str = "x-internal-purpose";
#[cfg(feature = "remote")]
pub(crate) const ORIGINAL_EXCHANGE: &str = "x-original-exchange";
#[cfg(feature = "remote")]
pub(crate) const ORIGINAL_ROUTING_KEY: &str = "x-original-routing-key";
#[cfg(feature = "remote")]
pub(crate) const ORIGINAL_CC: &str = "x-original-cc";

// Headers of messages that a shovel has moved `[rabbitmq shovel-dynamic]`.

#[cfg(feature = "remote")]
pub(crate) const SHOVELLED: &str = "x-shovelled";
#[cfg(feature = "remote")]
pub(crate) const SHOVELLED_TIMESTAMP: &str = "x-shovelled-timestamp";
#[cfg(feature = "remote")]
pub(crate) const SHOVELLED_AGAIN: &str = "x-shovelled-again";
