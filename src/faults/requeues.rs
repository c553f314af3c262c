//! Faults of messages that go back to their queue.

use crate::faults::{Action, Rule, When};

/// Rules for messages that go back to their queue. They look at the queue, not at the message; an
/// occasion is a run of messages that go back at once.
#[derive(Debug)]
pub struct Requeues(());

impl When<Requeues> {
    /// The messages go to the end of the queue instead of where they came from, in the order in
    /// which they were delivered. What is on disk already keeps its place. A quorum queue serves
    /// all that came back before the rest, so there they go to the end of what came back.
    pub fn to_the_end(self) -> Rule {
        self.then(Action::ToTheEnd)
    }
}
