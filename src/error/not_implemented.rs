//! What there is not: 540.

use super::Resource;

/// What is not implemented, as it is not in RabbitMQ, streams excepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotImplemented {
    /// basic.publish with `immediate`.
    #[error("immediate=true")]
    Immediate,
    /// basic.qos with this `prefetch_size`.
    #[error("prefetch_size!=0 ({0})")]
    PrefetchSize(u32),
    /// channel.flow that stops deliveries.
    #[error("active=false")]
    InactiveFlow,
    /// basic.recover without `requeue`.
    #[error("requeue=false")]
    RecoverWithoutRequeue,
    /// A consumer of a quorum queue on a channel with a global prefetch.
    #[error("{0} does not support global qos")]
    GlobalPrefetch(Resource),
    /// queue.delete of a quorum queue with this flag.
    #[error(
        "cannot delete {0}. queue.delete operations with {1} flag set are not supported by quorum \
         queues"
    )]
    ConditionalDelete(Resource, &'static str),
    /// This method of this stream.
    #[error("{0} not supported by stream queues {1}")]
    MethodOfStream(&'static str, Resource),
    /// A consumer of this stream that does not acknowledge.
    #[error("automatic acknowledgement not supported by stream {0}")]
    NoAckOfStream(Resource),
}
