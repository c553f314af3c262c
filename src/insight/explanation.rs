//! Why a message goes where it goes: an answer to print.

use std::fmt;

use crate::exchange::ExchangeType;
use crate::insight::journal::UsedBinding;
use crate::insight::journal::describe::{Exchange, quoted};

/// Where a message would go, and why. Printed, it is a text of a few lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// Exchange that it would be published to; empty for the default exchange.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// The exchanges on the way, in the order in which they are visited.
    pub steps: Vec<Step>,
    /// The queues that would get it; empty if it is unroutable.
    pub queues: Vec<Arrival>,
}

/// What one exchange on the way does with the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Name; empty for the default exchange.
    pub exchange: String,
    /// How it routes. Of `x-delayed-message` it is the type in `x-delayed-type`.
    pub kind: ExchangeType,
    /// The bindings that match.
    pub matches: Vec<UsedBinding>,
    /// Bindings that do not match, but nearly do, each with what is different.
    pub near: Vec<(UsedBinding, String)>,
    /// What else has to be known, one sentence each.
    pub notes: Vec<String>,
}

/// A queue that would get the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The queue.
    pub queue: String,
    /// What would happen to the message, as the queue is at present; one sentence each.
    pub notes: Vec<String>,
}

impl Explanation {
    /// Names of the queues that would get the message.
    pub fn queue_names(&self) -> Vec<&str> {
        self.queues.iter().map(|arrival| arrival.queue.as_str()).collect()
    }

    /// Whether no queue would get the message.
    pub fn is_unroutable(&self) -> bool {
        self.queues.is_empty()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchange = Exchange(&self.exchange);
        writeln!(f, "A message to {exchange} with key '{}':", self.routing_key)?;
        self.steps.iter().try_for_each(|step| step.fmt(f))?;
        if self.is_unroutable() {
            return writeln!(f, "No queue gets it: it is dropped, or returned if it is mandatory.");
        }
        writeln!(f, "It goes to {}.", quoted(self.queue_names()))?;
        for Arrival { queue, notes } in &self.queues {
            notes.iter().try_for_each(|note| writeln!(f, "  '{queue}': {note}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} ({})", Exchange(&self.exchange), self.kind)?;
        for binding in &self.matches {
            writeln!(f, "    matches: {binding}")?;
        }
        for (binding, difference) in &self.near {
            writeln!(f, "    nearly:  {binding}: {difference}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "    {note}"))
    }
}
