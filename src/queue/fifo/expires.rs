//! Queue expiry: `x-expires` `[rabbitmq ttl#queue-ttl]`.

use crate::time::clock::Timestamp;

/// The lease of a queue that is deleted when nobody uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    expires_ms: Option<u64>,
    used_at: Timestamp,
}

impl Lease {
    /// A lease that starts now; `None` never ends.
    pub(crate) fn new(expires_ms: Option<u64>, now: Timestamp) -> Self {
        Self { expires_ms, used_at: now }
    }

    /// The queue was used: declared, polled, or left by its last consumer.
    pub(crate) fn renew(&mut self, now: Timestamp) {
        self.used_at = now;
    }

    /// ChangeSignal how long the queue lives unused.
    pub(crate) fn set_expires_ms(&mut self, expires_ms: Option<u64>, now: Timestamp) {
        if self.expires_ms != expires_ms {
            *self = Self::new(expires_ms, now);
        }
    }

    /// When the queue ends if it has no consumers and nobody uses it.
    #[inline]
    pub(crate) fn deadline(&self, is_in_use: impl FnOnce() -> bool) -> Timestamp {
        match self.expires_ms {
            Some(ms) if !is_in_use() => self.used_at.after_ms(ms),
            _ => Timestamp::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumers_hold_it_and_use_renews_it() {
        let start = Timestamp::from_millis(0);
        let mut lease = Lease::new(Some(100), start);
        assert_eq!(lease.deadline(|| false), start.after_ms(100));
        assert_eq!(lease.deadline(|| true), Timestamp::NEVER);
        lease.renew(start.after_ms(60));
        assert_eq!(lease.deadline(|| false), start.after_ms(160));
        lease.set_expires_ms(None, start);
        assert_eq!(lease.deadline(|| false), Timestamp::NEVER);
    }
}
