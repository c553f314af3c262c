//! Faults of publisher confirms `[rabbitmq confirms]`.

use crate::faults::{Action, Rule, When};

/// Rules for confirms. They look at the publish that is to be confirmed.
#[derive(Debug)]
pub struct Confirms(());

impl When<Confirms> {
    /// The publisher is told that the broker could not take the message. Its queues have it all
    /// the same: whoever sends it again sends it twice.
    pub fn nack(self) -> Rule {
        self.then(Action::Nack)
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
