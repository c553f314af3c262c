//! When something happens to a queue by itself.

use super::State;
use crate::time::clock::Timestamp;

impl State {
    /// What that is, and when: never, for most.
    pub fn deadlines(&self) -> [(&'static str, Timestamp); 4] {
        let head = self.ready.head().map_or(Timestamp::NEVER, |head| head.expires_at);
        [
            ("the message at the head expires", head),
            ("the queue expires", self.lease.deadline(self.is_in_use())),
            ("a consumer is too late with an acknowledgement", self.overdue_at),
            ("dead letters that nobody took are sent again", self.retry_at),
        ]
    }

    /// The next of them, if the timer does not know it yet.
    pub fn new_deadline(&mut self) -> Option<Timestamp> {
        let deadline = self.deadlines().into_iter().map(|(_, deadline)| deadline).min()?;
        if deadline >= self.wake_at {
            return None;
        }
        self.wake_at = deadline;
        Some(deadline)
    }
}
