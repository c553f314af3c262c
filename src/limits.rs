//! Bounds that nobody needs to tune. What an operator may tune is in [`Limits`](crate::Limits).

/// Bodies up to this size live inside their message; larger ones are shared with the buffer that
/// they arrived in. Below it a copy is cheaper than keeping a read buffer alive.
pub const INLINE_BODY_MAX_BYTES: usize = 16 * 1024;

/// Deliveries that a queue hands out before it passes them on: keeps the work list short and lets
/// consumers that are out of room be noticed.
pub const DELIVERY_BATCH_MAX: usize = 64;

/// Publishes to one queue that a channel gathers before it takes the queue's lock.
pub const PUBLISH_BATCH_MAX: usize = 256;

/// Octets waiting to be written to a connection above which its consumers get no more deliveries.
pub const OUTBOX_HIGH_BYTES: usize = 1024 * 1024;

/// Octets waiting to be written to a connection below which its consumers are served again.
pub const OUTBOX_LOW_BYTES: usize = 256 * 1024;

/// Deliveries waiting in an embedded consumer above which it gets no more.
pub const MAILBOX_HIGH: usize = 4096;

/// Deliveries waiting in an embedded consumer below which it is served again.
pub const MAILBOX_LOW: usize = 1024;

/// The largest `x-message-ttl`, `x-expires` and `expiration`: ten years, in milliseconds.
pub const TIME_MAX_MS: u64 = 315_360_000_000;

/// The largest `x-max-priority`.
pub const PRIORITY_MAX: u64 = 255;

