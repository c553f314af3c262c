//! Bounds that nobody needs to tune. What an operator may tune is in [`Limits`].

use std::time::Duration;

/// Bodies up to this size live inside their message; larger ones are shared with the buffer that
/// they arrived in. Below it a copy is cheaper than keeping a read buffer alive.
pub(crate) const INLINE_BODY_MAX_BYTES: usize = 16 * 1024;

/// Octets of messages that share an allocation: one that is kept keeps them all. With what lies
/// before them they fill a piece of 3,584, which is a size that allocators have.
pub(crate) const RUN_BYTES: usize = 3_536;

/// Messages that share an allocation: nearly all of what that saves, it saves with these.
pub(crate) const RUN_MESSAGES_MAX: usize = 64;

/// Deliveries that a queue hands out before it passes them on: keeps the work list short and lets
/// consumers that are out of room be noticed.
pub(crate) const DELIVERY_BATCH_MAX: usize = 64;

/// Publishes to one queue that a channel gathers before it takes the queue's lock.
pub(crate) const PUBLISH_BATCH_MAX: usize = 256;

/// Queues for which a connection gathers publishes before it takes their locks one after the other:
/// so few that those that wait are quickly looked through.
pub(crate) const ASIDE_QUEUES_MAX: usize = 64;

/// Routes that a channel keeps besides that of its last publish: some 300 octets each, which count
/// as memory.
pub(crate) const ROUTES_KEPT_MAX: usize = 16_384;

/// Acknowledgements that a channel gathers before it takes the locks of their queues.
pub(crate) const ACK_BATCH_MAX: usize = 256;

/// Of so many things that are alike one is done after the other with a lock held; the rest comes
/// later, so that whoever waits for the lock waits for a step.
pub(crate) const STEP: usize = 1024;

/// More things than that take so long that others are to have the thread meanwhile.
pub(crate) const LONG: usize = 2 * STEP;

/// Delayed messages that are released before what follows from them is worked off.
pub(crate) const RELEASE_BATCH_MAX: usize = 256;

/// What part of the octets that a queue may have in memory stays there when the others are paged
/// out: those at its head.
pub(crate) const PAGE_OUT_KEPT_PART: usize = 8;

/// Messages that are looked at for paging out at a time.
pub(crate) const PAGE_OUT_MESSAGES: usize = 16 * 1024;

/// Messages in memory below which those that are paged out come back.
pub(crate) const PAGE_IN_AT: usize = 64;

/// What part of the octets that a queue may have in memory is enough all the same.
pub(crate) const PAGE_IN_AT_PART: usize = 32;

/// Messages that come back at a time, at most.
pub(crate) const PAGE_IN_MESSAGES: usize = 1024;

/// Octets that come back at a time, about.
pub(crate) const PAGE_IN_BYTES: usize = 1024 * 1024;

/// Messages that are looked at together.
pub(crate) const PEEK_PART: usize = 64;

/// Messages that are moved from queue to queue at a time, at most.
pub(crate) const MOVE_BATCH_MAX: usize = 500;

/// Octets in the bodies of messages that are moved from queue to queue at a time, about.
pub(crate) const MOVE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Messages that stay in a queue while others are picked from behind them, at most: to pass by them
/// takes time.
pub(crate) const MOVE_PASSED_MAX: usize = 100_000;

/// Octets waiting to be written to a connection above which its consumers get no more deliveries.
pub(crate) const OUTBOX_HIGH_BYTES: usize = 1024 * 1024;

/// Octets waiting to be written to a connection below which its consumers are served again.
pub(crate) const OUTBOX_LOW_BYTES: usize = 256 * 1024;

/// Octets waiting to be written to a connection above which it is not read: who does not take the
/// answers asks no more questions.
pub(crate) const OUTBOX_FULL_BYTES: usize = 2 * OUTBOX_HIGH_BYTES;

/// While memory is short clients that do not read hold this part of what they may hold else.
pub(crate) const OUTBOX_SCARCE_PART: usize = 16;

/// About what an open connection takes, in octets, as it counts towards the memory watermark.
pub(crate) const CONNECTION_BYTES: usize = 4096;

/// About what an exchange takes, in octets, besides its bindings.
pub(crate) const EXCHANGE_BYTES: usize = 1024;

/// About what an open channel takes, in octets.
pub(crate) const CHANNEL_BYTES: usize = 1024;

/// About what a consumer takes, in octets.
pub(crate) const CONSUMER_BYTES: usize = 512;

/// About what a queue takes, in octets, besides its messages.
pub(crate) const QUEUE_BYTES: usize = 1024;

/// About what a binding takes, in octets.
pub(crate) const BINDING_BYTES: usize = 256;

/// Empty buffers for output that all connections together keep for the next that writes: one or
/// two for each thread that is at work.
pub(crate) const SPARE_BUFFERS_MAX: usize = 8;

/// Room in octets that such a buffer has at most: one that grew with a busy consumer's outbox.
pub(crate) const SPARE_BUFFER_BYTES_MAX: usize = 2 * OUTBOX_HIGH_BYTES;

/// Messages of a stream connection that may wait to be confirmed before it is not read any more
/// `[rabbitmq stream initial_credits]`.
pub(crate) const UNCONFIRMED_MAX: usize = 50_000;

/// By how many messages less it has to be before it is read again
/// `[rabbitmq stream credits_required_for_unblocking]`.
pub(crate) const UNCONFIRMED_FREE_MIN: usize = 12_500;

/// Octets that are read from a connection at a time. With half of it a message of 1 KiB that is
/// confirmed and acknowledged was measured to cost a fifth more: queues, outboxes and sockets are
/// gone to more often.
pub(crate) const READ_CHUNK_BYTES: usize = 256 * 1024;

/// Octets that a connection reads at a time before it lets others work: much of a chunk. Whoever
/// reads and writes as much in a turn stands in line for the next one.
pub(crate) const TURN_BYTES: usize = READ_CHUNK_BYTES / 8;

/// Octets that are read from a connection at a time while memory is short: what is read of a
/// publisher that is to wait is kept until it goes on.
pub(crate) const READ_SCARCE_BYTES: usize = CONNECTION_BYTES;

/// Octets of frames and messages that have come in part which a connection may keep uncounted, and
/// while memory is short.
pub(crate) const UNFINISHED_BYTES_FREE: usize = CONNECTION_BYTES;

/// How long messages that have come in part may be too much of the memory that is short before
/// some of those who have sent them have to go, in milliseconds: consumers may make room until
/// then.
pub(crate) const HOARD_PATIENCE_MS: u64 = 3_000;

/// How often it is looked after a client that is not read whether it has gone, in milliseconds.
pub(crate) const HANG_UP_LOOK_MS: u64 = 500;

/// How often such a client is sent a heartbeat, in milliseconds. The end of one that had sent more
/// than was taken comes behind what is not read; its system answers what comes after the end.
pub(crate) const HANG_UP_PROBE_MS: u64 = 3_000;

/// A connection on which nothing has come for so long is asked whether its other end is there.
pub(crate) const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// How often it is asked until it is given up: nine times on Linux.
pub(crate) const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);

/// Ready messages of a queue above which those who publish to it wait for its consumers, if these
/// are fast.
pub(crate) const BACKLOG_HIGH: usize = 1024;

/// The same in octets of bodies, for messages that are large.
pub(crate) const BACKLOG_HIGH_BYTES: u64 = 8 * 1024 * 1024;

/// Ready messages of a queue down to which they wait.
pub(crate) const BACKLOG_LOW: usize = 256;

/// How long a publisher waits for consumers that make little progress, in milliseconds: longer
/// than a busy machine keeps a fast one from running.
pub(crate) const PACE_PATIENCE_MS: u64 = 20;

/// Messages that consumers take in that time, at least, if they are worth waiting for: 25,000/s.
pub(crate) const PACE_PROGRESS_MIN: u64 = 500;

/// How long a publisher waits at most before it has another turn, in milliseconds, however many
/// messages there are.
pub(crate) const PACE_WAIT_MAX_MS: u64 = 200;

/// Publishers that wait for the consumers of a queue, from which on each of them waits longer, and
/// is more patient: as many times as they are this many, and once more. With 1,000 that had a turn
/// each 200 ms, messages of 1 KiB were measured to pile up by the gigabyte.
pub(crate) const PACE_CROWD: usize = 32;

/// Octets that a publisher sends, since it was last told of a confirm, until it is one of those who
/// are told in turn. Less is read in no time: with windows of 76 KiB, 16 publishers that took turns
/// were measured to cost a quarter more of the processor's time for a message.
pub(crate) const FLOOR_HEARD_BYTES: usize = READ_CHUNK_BYTES / 2;

/// Publishers for each thread of the machine that are told at a time. With half of them, 16
/// publishers on two threads were measured to get an eighth less through.
pub(crate) const FLOOR_PLACES_PER_THREAD: usize = 4;

/// How long a publisher that was told keeps others from being told, in milliseconds, if it says
/// nothing: longer than a busy machine keeps it from running.
pub(crate) const FLOOR_HOLD_MS: u64 = 10;

/// How long a publisher waits to be told at most, in milliseconds. Those who are far away say
/// nothing for as long as they have the floor, and many of them are not to be held for each other.
pub(crate) const FLOOR_WAIT_MAX_MS: u64 = 50;

/// How long nobody waits for consumers that were found slow, in milliseconds.
pub(crate) const PACE_SLOW_MS: u64 = 400;

/// Octets that an in-memory stream holds in each direction before its writer has to wait.
pub(crate) const STREAM_BUFFER_BYTES: usize = 128 * 1024;

/// Octets of buffer that an in-memory stream keeps while it is empty.
pub(crate) const STREAM_KEPT_BYTES: usize = 1024;

/// Threads that serve the in-memory streams of all brokers of a process, at most.
pub(crate) const SHARED_THREADS_MAX: usize = 4;

/// How long moving a manual clock waits, in real time, for a connection that does not come to
/// rest.
pub(crate) const SETTLE_PATIENCE: Duration = Duration::from_millis(500);

/// Connections that the operating system holds while they wait to be accepted.
pub(crate) const ACCEPT_BACKLOG: i32 = 1024;

/// Deliveries waiting in an embedded consumer above which it gets no more.
pub const MAILBOX_HIGH: usize = 4096;

/// Deliveries waiting in an embedded consumer below which it is served again.
pub const MAILBOX_LOW: usize = 1024;

/// Deliveries waiting in an embedded consumer above which direct replies to it are unroutable.
pub(crate) const MAILBOX_REPLIES_MAX: usize = 64 * 1024;

/// The largest `x-message-ttl`, `x-expires` and `expiration`: ten years, in milliseconds.
pub(crate) const TIME_MAX_MS: u64 = 315_360_000_000;

/// How often dead letters are tried again that a queue keeps until they are delivered,
/// milliseconds.
pub(crate) const DEAD_LETTER_RETRY_MS: u64 = 1000;

/// Most unacknowledged deliveries of a consumer of a quorum queue that has no prefetch, as in
/// RabbitMQ.
pub(crate) const QUORUM_PREFETCH_MAX: u32 = 2000;

/// How full a quorum queue that refuses publishes may be to take some again: this many percent of
/// what it may hold, as in RabbitMQ.
pub(crate) const QUORUM_REFILL_PERCENT: u64 = 80;

/// The largest `x-stream-max-segment-size-bytes`.
pub(crate) const STREAM_SEGMENT_BYTES_MAX: u64 = 3_000_000_000;

/// The smallest `x-stream-filter-size-bytes`; the largest is what fits in an octet.
pub(crate) const STREAM_FILTER_BYTES_MIN: u8 = 16;

/// Unacknowledged deliveries of a consumer of a stream that has no prefetch: RabbitMQ refuses it.
pub(crate) const STREAM_WINDOW: u32 = 256;

/// Messages that a consumer of a stream is handed together, at most.
pub(crate) const STREAM_READ_MESSAGES: usize = 256;

/// Octets of bodies that a consumer of a stream is handed together, about.
pub(crate) const STREAM_READ_BYTES: usize = 256 * 1024;

/// The longest name of a consumer whose offset a stream keeps.
pub(crate) const STREAM_NAME_BYTES_MAX: usize = 255;

/// The largest `x-max-priority`.
pub(crate) const PRIORITY_MAX: u64 = 255;

/// How long, in real time, somebody who waits for a change may miss it: see
/// `src/time/change_signal.rs`.
pub(crate) const CHANGES_MISSED_AFTER: Duration = Duration::from_millis(5);

/// Events that the journal of a broker for tests keeps.
pub(crate) const TEST_JOURNAL_EVENTS: usize = 100_000;

/// How long, in real time, [`Broker::wait_for_queue`](crate::Broker::wait_for_queue) waits.
pub(crate) const QUEUE_WAIT: Duration = Duration::from_secs(10);

/// Turns that the tasks of a runtime get before it is looked whether they still change anything.
/// tokio runs up to 61 tasks in one.
pub(crate) const REST_TURNS: usize = 16;

/// How often it is looked: for programs that never rest.
pub(crate) const REST_ROUNDS_MAX: usize = 1000;

/// Lints that a broker keeps.
pub(crate) const LINTS_MAX: usize = 1000;

/// Bindings of one exchange up to which the journal says which of them led a message on.
pub(crate) const JOURNAL_BINDINGS_MAX: usize = 4096;

/// How long a delivery may wait for its acknowledgement unless something else is said: half an
/// hour, in milliseconds.
pub(crate) const CONSUMER_TIMEOUT_DEFAULT_MS: u64 = 1_800_000;

/// What one broker takes from its clients, at most. [`Limits::new`] suits a server.
///
/// ```
/// use leveret::{Broker, Limits};
///
/// let limits = Limits::new().message_size_max(1024 * 1024).heartbeat_s(10);
/// let broker = Broker::builder().limits(limits).build();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections of clients; further ones are refused with 530. Default 65,536.
    pub connections_max: usize,
    /// Connections that have not finished their handshake; beyond that the one that has been silent
    /// for longest goes when another one comes. Default 1,024.
    pub unfinished_handshakes_max: usize,
    /// Time for the first octets of a client, in milliseconds. Default 5,000.
    pub first_octets_timeout_ms: u64,
    /// Time for the handshake, in milliseconds. Default 10,000.
    pub handshake_timeout_ms: u64,
    /// Time to wait for connection.close-ok, or for the client to close its socket after it was
    /// sent one, in milliseconds. Default 30,000. Of the stream protocol Close is waited for as
    /// long, but 10 seconds at most.
    pub close_timeout_ms: u64,
    /// Channels of one connection that are open at a time; 0 for no limit. Default 2,047.
    pub channel_max: u16,
    /// Largest frame in octets, 4,096 at least. Default 131,072.
    pub frame_max: u32,
    /// Heartbeat interval that is proposed, in seconds; 0 for none. Default 60.
    pub heartbeat_s: u16,
    /// Largest body of a message in octets; larger ones are refused with 406. Default 16 MiB.
    pub message_size_max: u64,
    /// Octets of memory that the messages of one queue may take before those at its end are kept
    /// in the store alone. Above half of `memory_high_watermark_bytes` all queues keep only their
    /// first messages in memory. Only with a data directory. Default 32 MiB.
    pub queue_memory_bytes_max: usize,
    /// Octets of memory that messages and what clients hold may take before publishers on AMQP
    /// connections are blocked: messages in queues, octets that wait for clients, and about what
    /// channels, consumers, queues and bindings take. Default: no limit.
    pub memory_high_watermark_bytes: usize,
    /// Octets that the disk of the data directory is to have free; with less publishers on AMQP
    /// connections are blocked `[rabbitmq disk-alarms]`. Told on Linux alone. Default: 0, they are
    /// blocked when the disk takes no more.
    pub disk_free_limit_bytes: u64,
    /// How long a delivery may wait for its acknowledgement unless an argument or a policy says
    /// something else, in milliseconds; then its channel is closed with 406
    /// `[rabbitmq consumers#acknowledgement-timeout]`. 0 for ever. Default: half an hour.
    pub consumer_timeout_ms: u64,
    /// Consumers that one channel may have; further ones are refused with 530. Default: no limit.
    pub consumers_per_channel_max: usize,
    /// Octets of direct replies that wait for one connection which does not read, above which
    /// further ones are unroutable; a sixteenth of it while memory is short. Default 32 MiB.
    pub unread_replies_bytes_max: usize,
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Limits::connections_max`](#structfield.connections_max).
    #[must_use]
    pub fn connections_max(mut self, connections_max: usize) -> Self {
        self.connections_max = connections_max;
        self
    }

    /// Sets [`Limits::unfinished_handshakes_max`](#structfield.unfinished_handshakes_max).
    #[must_use]
    pub fn unfinished_handshakes_max(mut self, unfinished_handshakes_max: usize) -> Self {
        self.unfinished_handshakes_max = unfinished_handshakes_max;
        self
    }

    /// Sets [`Limits::first_octets_timeout_ms`](#structfield.first_octets_timeout_ms).
    #[must_use]
    pub fn first_octets_timeout_ms(mut self, first_octets_timeout_ms: u64) -> Self {
        self.first_octets_timeout_ms = first_octets_timeout_ms;
        self
    }

    /// Sets [`Limits::handshake_timeout_ms`](#structfield.handshake_timeout_ms).
    #[must_use]
    pub fn handshake_timeout_ms(mut self, handshake_timeout_ms: u64) -> Self {
        self.handshake_timeout_ms = handshake_timeout_ms;
        self
    }

    /// Sets [`Limits::close_timeout_ms`](#structfield.close_timeout_ms).
    #[must_use]
    pub fn close_timeout_ms(mut self, close_timeout_ms: u64) -> Self {
        self.close_timeout_ms = close_timeout_ms;
        self
    }

    /// Sets [`Limits::channel_max`](#structfield.channel_max).
    #[must_use]
    pub fn channel_max(mut self, channel_max: u16) -> Self {
        self.channel_max = channel_max;
        self
    }

    /// Sets [`Limits::frame_max`](#structfield.frame_max).
    #[must_use]
    pub fn frame_max(mut self, frame_max: u32) -> Self {
        self.frame_max = frame_max;
        self
    }

    /// Sets [`Limits::heartbeat_s`](#structfield.heartbeat_s).
    #[must_use]
    pub fn heartbeat_s(mut self, heartbeat_s: u16) -> Self {
        self.heartbeat_s = heartbeat_s;
        self
    }

    /// Sets [`Limits::message_size_max`](#structfield.message_size_max).
    #[must_use]
    pub fn message_size_max(mut self, message_size_max: u64) -> Self {
        self.message_size_max = message_size_max;
        self
    }

    /// Sets [`Limits::queue_memory_bytes_max`](#structfield.queue_memory_bytes_max).
    #[must_use]
    pub fn queue_memory_bytes_max(mut self, queue_memory_bytes_max: usize) -> Self {
        self.queue_memory_bytes_max = queue_memory_bytes_max;
        self
    }

    /// Sets [`Limits::consumers_per_channel_max`](#structfield.consumers_per_channel_max).
    #[must_use]
    pub fn consumers_per_channel_max(mut self, consumers_per_channel_max: usize) -> Self {
        self.consumers_per_channel_max = consumers_per_channel_max;
        self
    }

    /// Sets [`Limits::unread_replies_bytes_max`](#structfield.unread_replies_bytes_max).
    #[must_use]
    pub fn unread_replies_bytes_max(mut self, unread_replies_bytes_max: usize) -> Self {
        self.unread_replies_bytes_max = unread_replies_bytes_max;
        self
    }

    /// Sets [`Limits::disk_free_limit_bytes`](#structfield.disk_free_limit_bytes).
    #[must_use]
    pub fn disk_free_limit_bytes(mut self, disk_free_limit_bytes: u64) -> Self {
        self.disk_free_limit_bytes = disk_free_limit_bytes;
        self
    }

    /// Sets [`Limits::consumer_timeout_ms`](#structfield.consumer_timeout_ms).
    #[must_use]
    pub fn consumer_timeout_ms(mut self, consumer_timeout_ms: u64) -> Self {
        self.consumer_timeout_ms = consumer_timeout_ms;
        self
    }

    /// Sets [`Limits::memory_high_watermark_bytes`](#structfield.memory_high_watermark_bytes).
    #[must_use]
    pub fn memory_high_watermark_bytes(mut self, memory_high_watermark_bytes: usize) -> Self {
        self.memory_high_watermark_bytes = memory_high_watermark_bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 65_536,
            unfinished_handshakes_max: 1024,
            first_octets_timeout_ms: 5000,
            handshake_timeout_ms: 10_000,
            close_timeout_ms: 30_000,
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat_s: 60,
            message_size_max: 16 * 1024 * 1024,
            queue_memory_bytes_max: 32 * 1024 * 1024,
            memory_high_watermark_bytes: isize::MAX as usize,
            disk_free_limit_bytes: 0,
            consumer_timeout_ms: CONSUMER_TIMEOUT_DEFAULT_MS,
            consumers_per_channel_max: usize::MAX,
            unread_replies_bytes_max: 32 * 1024 * 1024,
        }
    }
}
