//! How many channels a user has open, on all connections together.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many channels a user has open, on all connections together.
#[derive(Debug, Default)]
pub(crate) struct OpenChannels(AtomicU32);

impl OpenChannels {
    /// Counts one more, unless there are `limit` of them; tells whether it did.
    pub(crate) fn enter(&self, limit: Option<u64>) -> bool {
        let limit = limit.unwrap_or(u64::MAX);
        let more = |open: u32| open.checked_add(1).filter(|_| u64::from(open) < limit);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// One less.
    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_the_limit() {
        let channels = OpenChannels::default();
        assert!(!channels.enter(Some(0)));
        assert!(channels.enter(Some(2)) && channels.enter(None));
        assert!(!channels.enter(Some(2)));
        channels.leave();
        assert!(channels.enter(Some(2)));
    }
}
