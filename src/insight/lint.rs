//! What is allowed but seldom meant: found while programs declare, consume and publish.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::error::{Precondition, Result};
use crate::limits::LINTS_MAX;

/// What happens when something is found that is seldom meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LintLevel {
    /// Nothing is looked for.
    #[default]
    Off,
    /// It is logged and kept: see [`Broker::lints`](crate::Broker::lints).
    Warn,
    /// As `Warn`, and the operation is refused with 406.
    Deny,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LintKind {
    /// An argument that starts with `x-` and has no effect on what is declared.
    UnknownArgument,
    /// `x-delayed-type` on an exchange that delays nothing.
    DelayedTypeWithoutDelay,
    /// A dead-letter exchange that does not exist when the queue is declared.
    MissingDeadLetterExchange,
    /// A message with a priority in a classic queue without `x-max-priority`.
    PriorityWithoutMaxPriority,
    /// A message that no queue gets.
    NothingBound,
    /// A consumer without acknowledgements on a queue with a dead-letter exchange: what it fails
    /// on never gets there.
    NoAckWithDeadLetterExchange,
    /// A message that is not persistent in a durable queue.
    TransientInDurableQueue,
    /// A consumer of a stream without a prefetch, which RabbitMQ refuses; leveret does only with
    /// [`BrokerBuilder::require_stream_prefetch`].
    ///
    /// [`BrokerBuilder::require_stream_prefetch`]: crate::BrokerBuilder::require_stream_prefetch
    StreamWithoutPrefetch,
    /// basic.qos with `global=true`, which [`BrokerBuilder::deny_deprecated`] takes as
    /// `global=false`; not looked for otherwise.
    ///
    /// [`BrokerBuilder::deny_deprecated`]: crate::BrokerBuilder::deny_deprecated
    GlobalQos,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lint {
    /// What it is.
    pub kind: LintKind,
    /// What it is about: `queue 'q' in vhost '/'`.
    pub subject: String,
    /// What is wrong, and what to do about it.
    pub text: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.text)
    }
}

/// What was found in a broker.
#[derive(Default)]
pub struct Lints {
    level: LintLevel,
    state: Mutex<State, rank::Lints>,
}

#[derive(Default)]
struct State {
    known: HashSet<(LintKind, String)>,
    found: Vec<Lint>,
}

impl Lints {
    /// Nothing was found yet.
    pub fn new(level: LintLevel) -> Self {
        Self { level, state: Mutex::default() }
    }

    /// Whether anything is looked for.
    pub fn is_on(&self) -> bool {
        self.level != LintLevel::Off
    }

    /// What was found, in order.
    pub fn found(&self) -> Vec<Lint> {
        self.state.lock().found.clone()
    }

    /// Something was found: it is logged and kept once for each subject, and refused if that is
    /// wanted. `about` tells several findings of a kind about one subject apart. Errors: 406.
    pub fn report(&self, kind: LintKind, subject: String, about: &str, text: String) -> Result<()> {
        let refused = Precondition::Lint { subject: subject.clone(), text: text.clone() };
        let lint = Lint { kind, subject, text };
        let mut state = self.state.lock();
        if state.found.len() < LINTS_MAX
            && state.known.insert((kind, format!("{} {about}", lint.subject)))
        {
            tracing::warn!("{lint}");
            state.found.push(lint);
        }
        if self.level == LintLevel::Deny { Err(refused.into()) } else { Ok(()) }
    }
}

/// `; did you mean 'x'?` with the name among those known that comes nearest, if one comes near.
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let distance = |other: &str| crate::exchange::near::distance(name.as_bytes(), other.as_bytes());
    let nearest = known.map(|other| (distance(other), other)).min();
    match nearest.filter(|(distance, _)| *distance <= 4) {
        Some((_, other)) => format!("; did you mean '{other}'?"),
        None => String::new(),
    }
}
