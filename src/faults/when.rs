//! The beginning of a rule: on which occasions it acts.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::faults::rule::{RuleState, Window};
use crate::faults::subject::{Condition, Filter};
use crate::faults::{Action, Message, Phase, Registry, Rule, Trigger};

/// A rule that has no action yet, about occasions of the kind `E`. Begun by the methods of
/// [`Faults`](crate::faults::Faults); the last call says what happens, and puts it in force.
#[must_use = "a rule is in force once it has an action"]
pub struct When<E> {
    registry: Arc<Registry>,
    trigger: Trigger,
    filter: Filter,
    window: Window,
    phase: Phase,
    text: String,
    kind: PhantomData<E>,
}

impl<E> When<E> {
    pub(crate) fn new(registry: &Arc<Registry>, trigger: Trigger, text: String) -> Self {
        Self {
            registry: Arc::clone(registry),
            trigger,
            filter: Filter::default(),
            window: Window::default(),
            phase: Phase::default(),
            text,
            kind: PhantomData,
        }
    }

    /// On connections whose client gave itself this name: the client property `connection_name`.
    pub fn on_connection(mut self, name: impl Into<String>) -> Self {
        self.filter.connection = Some(name.into());
        self
    }

    /// In this virtual host.
    pub fn on_virtual_host(mut self, name: impl Into<String>) -> Self {
        self.filter.virtual_host = Some(name.into());
        self
    }

    /// On channels with this number.
    pub fn on_channel(mut self, number: u16) -> Self {
        self.filter.channel = Some(number);
        self
    }

    /// About this queue: that a method names, a delivery comes from, or a message goes back to.
    /// Publishes and confirms are about exchanges, but those of the stream protocol and of a
    /// [`StreamHandle`](crate::StreamHandle), which are about a stream.
    pub fn for_queue(mut self, name: impl Into<String>) -> Self {
        self.filter.queue = Some(name.into());
        self
    }

    /// About this exchange: that a method names, or a message was published to. Empty for the
    /// default exchange.
    pub fn for_exchange(mut self, name: impl Into<String>) -> Self {
        self.filter.exchange = Some(name.into());
        self
    }

    /// With this routing key: of a message, or that a method names.
    pub fn for_routing_key(mut self, key: impl Into<String>) -> Self {
        self.filter.routing_key = Some(key.into());
        self
    }

    /// About messages for which `condition` holds: publishes, confirms of them, and deliveries.
    /// The condition may be called while queues are locked: it looks at the message and leaves the
    /// broker alone. Several conditions all have to hold.
    pub fn matching(
        self,
        condition: impl Fn(&Message<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.matching_as("matching a condition", condition)
    }

    /// As [`When::matching`], with a text that says which condition it is.
    #[doc(hidden)]
    pub fn matching_as(
        mut self,
        text: impl Into<String>,
        test: impl Fn(&Message<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.filter.message.push(Condition { text: text.into(), test: Arc::new(test) });
        self
    }

    /// Only on the `n`th occasion, counted from 1; 0 counts as 1.
    pub fn nth(self, n: usize) -> Self {
        self.after(n.saturating_sub(1)).times(1)
    }

    /// At most so often. Default: always.
    pub fn times(mut self, times: usize) -> Self {
        self.window.times = Some(times);
        self
    }

    /// Not before so many occasions have passed. Default: 0.
    pub fn after(mut self, occasions: usize) -> Self {
        self.window.after = occasions;
        self
    }

    /// Whether it acts before or after what it is about.
    #[doc(hidden)]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Puts the rule in force. It is up to the caller that the occasion offers the action.
    #[doc(hidden)]
    pub fn then(self, action: Action) -> Rule {
        let Self { registry, trigger, filter, window, phase, text, .. } = self;
        let afterwards = if phase == Phase::After { "afterwards " } else { "" };
        let after = match window.after {
            0 => String::new(),
            after => format!(", after {after}"),
        };
        let times = window.times.map_or(String::new(), |times| format!(", {times} times"));
        let text = format!("{text}{filter}{after}{times}: {afterwards}{action}");
        let state = Arc::new(RuleState::new(trigger, filter, (window, phase), action, text));
        registry.add(Arc::clone(&state));
        Rule::new(state, &registry)
    }
}
