//! What links tell those who listen to events `[rabbitmq event-exchange]`. Their status is locked.

use super::Link;
use super::status::State;
use crate::base::herald::Told;

impl Link {
    /// What it does with this upstream has changed.
    pub(super) fn tell_status(&self, state: &State, uri: &str) {
        self.herald.tell("federation.link.status", |told| {
            let told = self.tell_identity(told).text("uri", uri);
            match state {
                State::Starting => told.text("status", "starting"),
                State::Running { connection } => {
                    told.text("status", "running").text("local_connection", connection)
                }
                State::Failed { reason } => told.text("status", "error").text("error", reason),
            }
        });
    }

    /// It is there no more.
    pub(super) fn tell_removed(&self) {
        self.herald.tell("federation.link.removed", |told| self.tell_identity(told));
    }

    fn tell_identity(&self, told: Told) -> Told {
        let key = &self.key;
        let (here, there) = match key.is_queue {
            true => ("queue", "upstream_queue"),
            false => ("exchange", "upstream_exchange"),
        };
        told.text(here, &key.name)
            .text(there, &key.there)
            .text("type", here)
            .text("vhost", &key.host)
            .text("upstream", &key.upstream)
            .text("id", self.id())
    }
}
