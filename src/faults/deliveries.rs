//! Faults of deliveries to consumers.

use std::time::Duration;

use crate::faults::{Action, Rule, When};

/// Rules for deliveries to consumers. Those of basic.get are answers to a
/// [`Method`](crate::faults::Method).
#[derive(Debug)]
pub struct Deliveries(());

impl When<Deliveries> {
    /// The message is delivered, and then once more with a delivery tag of its own and the
    /// redelivered flag. The queue goes by whichever of both is settled first.
    pub fn twice(self) -> Rule {
        self.then(Action::Twice)
    }

    /// The message is delivered so much later by the broker's clock; others overtake it. If its
    /// consumer is cancelled meanwhile, or its channel ends, it goes back to the queue.
    pub fn delay(self, by: Duration) -> Rule {
        self.then(Action::Delay(by))
    }
}
