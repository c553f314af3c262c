//! What applies to a queue: its arguments, and the policies that match it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::queue::effects::Effects;
use crate::queue::{DeadLetterTarget, NO_TTL, Queue, QueueArguments, Settings};
use crate::time::clock::Timestamp;

impl Queue {
    /// New policies apply: settings and, unless the arguments name one, the dead-letter exchange.
    pub fn set_policies(
        self: &Arc<Self>,
        policies: &[&QueueArguments],
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let settings = self.settings_with(policies);
        self.set_stream_settings(&settings, effects);
        self.apply(now, effects, |state, effects| state.set_settings(settings, now, effects));
    }

    /// The same when they have changed: see [`State::change_settings`].
    pub fn change_policies(
        self: &Arc<Self>,
        policies: &[&QueueArguments],
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let settings = self.settings_with(policies);
        self.set_stream_settings(&settings, effects);
        self.apply(now, effects, |state, effects| state.change_settings(settings, now, effects));
    }

    fn settings_with(&self, policies: &[&QueueArguments]) -> Settings {
        let arguments = &self.attributes.arguments;
        *self.dead_letter_target.write() = DeadLetterTarget::of(arguments, policies);
        let settings = Settings::within(arguments, policies, self.storage.timeout_ms());
        self.message_ttl_ms.store(settings.message_ttl_ms.unwrap_or(NO_TTL), Ordering::Relaxed);
        settings
    }

    /// The settings that it works by: its arguments and the policies that apply.
    pub fn settings(&self) -> Settings {
        self.state.lock().settings().clone()
    }

    /// Where its dead letters go, if they go anywhere.
    pub fn dead_letter_target(&self) -> Option<DeadLetterTarget> {
        self.dead_letter_target.read().clone()
    }
}
