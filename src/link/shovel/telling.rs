//! What shovels tell those who listen to events `[rabbitmq event-exchange]`. Their status is locked
//! meanwhile.

use super::Shovel;
use super::status::State;
use crate::base::herald::Told;

impl Shovel {
    /// What it does has changed.
    pub(super) fn tell_status(&self, state: &State) {
        self.herald.tell("shovel.worker.status", |told| {
            let told = self.tell_name(told);
            match state {
                State::Starting => told.text("status", "starting"),
                State::Running { source, destination } => told
                    .text("status", "running")
                    .text("src_uri", source)
                    .text("src_protocol", "amqp091")
                    .text("dest_uri", destination)
                    .text("dest_protocol", "amqp091"),
                State::Terminated { reason, .. } => {
                    told.text("status", "terminated").text("reason", reason)
                }
            }
        });
    }

    /// It is there no more.
    pub(super) fn tell_removed(&self) {
        self.herald.tell("shovel.worker.removed", |told| self.tell_name(told));
    }

    fn tell_name(&self, told: Told) -> Told {
        let told = told.text("name", &self.key.1);
        match self.virtual_host() {
            Some(host) => told.text("vhost", host),
            None => told,
        }
    }
}
