//! When a publisher is told what was confirmed: at once, or in its turn, if it sends much.

use std::sync::Arc;

use crate::base::wake::Wake;
use crate::limits::{FLOOR_HEARD_BYTES, FLOOR_WAIT_MAX_MS};
use crate::node::floor::{Floor, Place, Ticket};

/// What a connection has sent since it was told, and its place on the floor.
#[derive(Default)]
pub(super) struct Turn {
    /// Octets in which publishes came since it was told.
    heard: usize,
    place: Option<(Ticket, Place)>,
    /// Since when it is not told.
    since_ms: u64,
}

impl Turn {
    /// So many octets came, with publishes among them.
    pub(super) fn hear(&mut self, octets: usize) {
        self.heard += octets;
    }

    /// Whether it has sent so much that it is told in its turn.
    pub(super) fn sends_much(&self) -> bool {
        self.heard >= FLOOR_HEARD_BYTES
    }

    /// It has said all that it had to say: others may be told.
    pub(super) fn has_finished(&mut self, floor: &Floor, now_ms: u64) {
        if self.heard > 0 && matches!(self.place, Some((_, Place::Has { .. }))) {
            self.leave(floor, now_ms);
        }
    }

    /// Whether it may be told what was confirmed. If not it is woken in its turn.
    pub(super) fn may_tell(
        &mut self,
        floor: &Floor,
        now_ms: u64,
        publisher: impl FnOnce() -> Arc<dyn Wake>,
    ) -> bool {
        match self.place {
            Some((_, Place::Has { until_ms })) if now_ms < until_ms => {
                return !floor.is_asked_for();
            }
            Some((ticket, Place::Waits { .. })) => {
                self.place = Some((ticket, floor.look(now_ms, ticket)));
            }
            _ => {
                self.leave(floor, now_ms);
                self.since_ms = now_ms;
                self.place = Some(floor.ask(now_ms, &publisher()));
            }
        }
        matches!(self.place, Some((_, Place::Has { .. })))
    }

    /// Looks again, if it is time: who has waited for long is told, whoever has the floor.
    pub(super) fn look(&mut self, floor: &Floor, now_ms: u64) {
        let Some((ticket, place)) = self.place.filter(|_| now_ms >= self.until_ms()) else {
            return;
        };
        let waits = matches!(place, Place::Waits { .. });
        if waits && now_ms < self.since_ms + FLOOR_WAIT_MAX_MS {
            self.place = Some((ticket, floor.look(now_ms, ticket)));
            if now_ms < self.until_ms() {
                return;
            }
        } else if waits {
            self.heard = 0;
        }
        self.leave(floor, now_ms);
    }

    /// It is told.
    pub(super) fn tell(&mut self, floor: &Floor, now_ms: u64) {
        self.heard = 0;
        if matches!(self.place, Some((_, Place::Waits { .. }))) {
            self.leave(floor, now_ms);
        }
    }

    /// It has gone, or has nothing to wait for.
    pub(super) fn leave(&mut self, floor: &Floor, now_ms: u64) {
        if let Some((ticket, _)) = self.place.take() {
            floor.leave(now_ms, ticket);
        }
    }

    /// When it looks again at the latest, in milliseconds.
    pub(super) fn until_ms(&self) -> u64 {
        match self.place {
            Some((_, Place::Waits { until_ms })) => until_ms.min(self.since_ms + FLOOR_WAIT_MAX_MS),
            Some((_, Place::Has { until_ms })) if self.sends_much() => until_ms,
            _ => u64::MAX,
        }
    }
}

#[cfg(test)]
mod simulation;
