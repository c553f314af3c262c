//! How often somebody has logged in, or was not let in `[rabbitmq auth-attempts]`.

use std::sync::atomic::{AtomicU64, Ordering};

/// What somebody logs in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginProtocol {
    /// AMQP 0-9-1.
    Amqp,
    /// The HTTP API.
    Http,
    /// RabbitMQ's stream protocol.
    Stream,
}

impl LoginProtocol {
    /// As connections tell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Amqp => "AMQP 0-9-1",
            Self::Http => "HTTP",
            Self::Stream => "stream",
        }
    }
}

/// The counts of one protocol, since the broker's start or since they were reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttemptCounts {
    pub succeeded: u64,
    pub failed: u64,
}

#[derive(Default)]
struct Counters {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// All attempts to log in.
#[derive(Default)]
pub(crate) struct LoginAttempts {
    amqp: Counters,
    http: Counters,
    stream: Counters,
}

impl LoginAttempts {
    fn of(&self, protocol: LoginProtocol) -> &Counters {
        match protocol {
            LoginProtocol::Amqp => &self.amqp,
            LoginProtocol::Http => &self.http,
            LoginProtocol::Stream => &self.stream,
        }
    }

    /// Counts an attempt.
    pub(crate) fn note(&self, protocol: LoginProtocol, succeeded: bool) {
        let counters = self.of(protocol);
        let counter = if succeeded { &counters.succeeded } else { &counters.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted.
    pub(crate) fn counts(&self, protocol: LoginProtocol) -> AttemptCounts {
        let counters = self.of(protocol);
        AttemptCounts {
            succeeded: counters.succeeded.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
        }
    }

    /// Counts from nothing again.
    pub(crate) fn reset(&self) {
        for counters in [&self.amqp, &self.http] {
            counters.succeeded.store(0, Ordering::Relaxed);
            counters.failed.store(0, Ordering::Relaxed);
        }
    }
}
