//! When something happens to a queue by itself.

use super::State;
use crate::time::clock::Timestamp;

impl State {
    /// What that is, and when: never, for most.
    pub fn deadlines(&self) -> [(&'static str, Timestamp); 4] {
        let [head, lease, overdue, retry] = self.times();
        [
            ("the message at the head expires", head),
            ("the queue expires", lease),
            ("a consumer is too late with an acknowledgement", overdue),
            ("dead letters that nobody took are sent again", retry),
        ]
    }

    #[inline]
    fn times(&self) -> [Timestamp; 4] {
        let head = self.ready.head().map_or(Timestamp::NEVER, |head| head.expires_at);
        [head, self.lease.deadline(|| self.is_in_use()), self.overdue_at, self.retry_at]
    }

    /// The next of them, if the timer does not know it yet.
    #[inline]
    pub fn new_deadline(&mut self) -> Option<Timestamp> {
        // Each message asks.
        let [head, lease, overdue, retry] = self.times();
        let deadline = head.min(lease).min(overdue).min(retry);
        if deadline >= self.wake_at {
            return None;
        }
        self.wake_at = deadline;
        Some(deadline)
    }
}
