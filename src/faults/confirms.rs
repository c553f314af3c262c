//! Faults of publisher confirms `[rabbitmq confirms]`.

use crate::faults::{Action, Rule, When};

/// Rules for confirms. They look at the publish that is to be confirmed.
#[derive(Debug)]
pub struct Confirms(());

impl When<Confirms> {
    /// The publisher is told that the broker could not take the message, and its queues have it
    /// all the same, as after a failure of one of several nodes: whoever sends it again sends it
    /// twice. [`When::nack_and_drop`] is a nack of a message that is nowhere.
    pub fn nack(self) -> Rule {
        self.then(Action::Nack)
    }

    /// The publisher is told that the broker could not take the message, and no queue has it:
    /// whoever does not send it again loses it.
    pub fn nack_and_drop(self) -> Rule {
        self.then(Action::NackAndDrop)
    }

    /// The confirm does not go out before [`Rule::release`] or [`Rule::remove`]; those of other
    /// publishes do.
    pub fn hold(self) -> Rule {
        self.then(Action::Hold)
    }

    /// The confirm never comes; those of other publishes do. A
    /// [`Confirming`](crate::Confirming) waits for it until the channel is closed.
    pub fn lose(self) -> Rule {
        self.then(Action::Lose)
    }
}
