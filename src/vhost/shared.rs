//! What the virtual hosts of a broker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::herald::Herald;
use crate::base::memory_alarm::MemoryAlarm;
use crate::faults::Registry;
use crate::insight::journal::Journal;
use crate::insight::lint::Lints;
use crate::persist::Persistence;
use crate::persist::stream_logs::StreamLogs;
use crate::time::change_signal::ChangeSignal;
use crate::time::clock::Clock;
use crate::time::timers::Timers;

/// What the virtual hosts of a broker share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Time.
    pub clock: Clock,
    /// Deadlines of queues and exchanges.
    pub timers: Arc<Timers>,
    /// Octets held by all queues and exchanges.
    pub memory: Arc<MemoryAlarm>,
    /// Faults that tests declare.
    pub(crate) faults: Arc<Registry>,
    /// What survives a restart is kept there.
    pub persistence: Option<Arc<Persistence>>,
    /// The logs of streams.
    pub(crate) streams: StreamLogs,
    /// What has happened, if that is to be kept.
    pub journal: Option<Arc<Journal>>,
    /// What is seldom meant, if that is looked for.
    pub lints: Option<Arc<Lints>>,
    /// What RabbitMQ 4.3 does not permit is refused.
    pub deny_deprecated: bool,
    /// What RabbitMQ 4.0 knows by plugins alone is not known.
    pub without_plugins: bool,
    /// What RabbitMQ 4.0 does wrong is repeated.
    pub rabbitmq_faults: bool,
    /// Consumers of streams without a prefetch are refused.
    pub require_stream_prefetch: bool,
    /// Told of everything that is done.
    pub changes: Arc<ChangeSignal>,
    /// Told of what comes and goes, for the exchange of events.
    pub herald: Arc<Herald>,
    /// Whether there ever was a consumer, or a basic.get.
    pub consumed: Arc<AtomicBool>,
    /// Octets of messages that a queue may have in memory, see [`crate::Limits`].
    pub queue_memory_bytes_max: usize,
    /// How long a delivery may wait for its acknowledgement, in milliseconds.
    pub consumer_timeout_ms: u64,
    /// Consumers that one channel may have, see [`crate::Limits`].
    pub consumers_per_channel_max: usize,
}

impl Shared {
    /// Whether anybody has consumed, or tried to.
    pub(crate) fn has_consumed(&self) -> bool {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Somebody consumes; or, after a reset, nobody has yet.
    pub(crate) fn set_consumed(&self, consumed: bool) {
        // Written once, read by every basic.get.
        if self.has_consumed() != consumed {
            self.consumed.store(consumed, Ordering::Relaxed);
        }
    }
}
