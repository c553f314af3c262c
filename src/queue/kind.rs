//! The types of queues, and what tells them apart: one row for each, so that whoever acts on a
//! difference asks here for what it is about.

/// What kind of queue `x-queue-type` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueType {
    /// `classic`, the default.
    #[default]
    Classic,
    /// `quorum`: durable, counts deliveries. On one node nothing is replicated.
    Quorum,
    /// `stream`: a durable log that everybody reads from anywhere, and nobody takes from.
    Stream,
}

/// What a type of queue is.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in `x-queue-type`.
    pub name: &'static str,
    /// Its name in RabbitMQ's error texts.
    pub module: &'static str,
    /// It is durable, not exclusive, not deleted by itself, and has a name of its own.
    pub is_replicated: bool,
    /// It stores all messages, not only those that are persistent.
    pub stores_all: bool,
    /// It is a quorum queue, which counts deliveries, and more.
    pub is_quorum: bool,
    /// Consumers of a channel may share a prefetch.
    pub shares_prefetch: bool,
    /// Messages are served by `x-max-priority`.
    pub has_priorities: bool,
    /// Nothing is taken from it: it is read.
    pub is_stream: bool,
}

const CLASSIC: Kind = Kind {
    name: "classic",
    module: "rabbit_classic_queue",
    is_replicated: false,
    stores_all: false,
    is_quorum: false,
    shares_prefetch: true,
    has_priorities: true,
    is_stream: false,
};

const QUORUM: Kind = Kind {
    name: "quorum",
    module: "rabbit_quorum_queue",
    is_replicated: true,
    stores_all: true,
    is_quorum: true,
    shares_prefetch: false,
    has_priorities: false,
    is_stream: false,
};

const STREAM: Kind = Kind {
    name: "stream",
    module: "rabbit_stream_queue",
    is_replicated: true,
    stores_all: true,
    is_quorum: false,
    shares_prefetch: false,
    has_priorities: false,
    is_stream: true,
};

impl QueueType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Classic, Self::Quorum, Self::Stream];

    pub(crate) const fn kind(self) -> &'static Kind {
        match self {
            Self::Classic => &CLASSIC,
            Self::Quorum => &QUORUM,
            Self::Stream => &STREAM,
        }
    }

    /// The name in `x-queue-type`.
    pub const fn as_str(self) -> &'static str {
        self.kind().name
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue_type| queue_type.as_str() == name)
    }

    /// The name that RabbitMQ's error texts use.
    pub(crate) const fn module(self) -> &'static str {
        self.kind().module
    }
}
