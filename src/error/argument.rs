//! Why an `x-` argument is refused.

/// Why an argument is refused: RabbitMQ's text without the name of the queue, which goes where
/// `{queue}` stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentError {
    /// 406 `invalid arg 'x' for queue 'q' in vhost '/': reason`.
    Invalid {
        /// Name of the argument.
        argument: &'static str,
        /// RabbitMQ's word for what is wrong.
        reason: String,
    },
    /// 406 `invalid type 't' for arg 'x' in queue 'q' in vhost '/'`.
    Type {
        /// Name of the argument.
        argument: &'static str,
        /// AMQP type that it came with.
        received: &'static str,
    },
    /// 406: the argument is for another type of queue.
    OtherQueueType {
        /// Name of the argument.
        argument: &'static str,
        /// RabbitMQ's name of the queue type.
        module: &'static str,
    },
    /// 406 with a text of its own.
    Text(&'static str),
}

impl ArgumentError {
    /// The explanation for `queue`, a text such as `queue 'q' in vhost '/'`.
    pub fn explain(&self, queue: &str) -> String {
        match self {
            Self::Invalid { argument, reason } => {
                format!("invalid arg '{argument}' for {queue}: {reason}")
            }
            Self::Type { argument, received } => {
                format!("invalid type '{received}' for arg '{argument}' in {queue}")
            }
            Self::OtherQueueType { argument, module } => {
                format!("invalid arg '{argument}' for {queue} of queue type {module}")
            }
            Self::Text(text) => (*text).to_owned(),
        }
    }
}
