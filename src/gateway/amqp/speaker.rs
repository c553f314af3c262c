//! A publisher as one of those who speak on the [floor](crate::node::floor): when it is told what
//! was confirmed. That is at once, or in its turn, if it sends much.

use std::sync::Arc;

use crate::base::wake::Wake;
use crate::limits::{FLOOR_HEARD_BYTES, FLOOR_WAIT_MAX_MS};
use crate::node::floor::{Floor, Place, Ticket};

/// What a connection has sent since it was told, and its place on the floor.
///
/// Whenever it may not be told it has a place, and with it a time at which it looks again.
#[derive(Default)]
pub(super) struct Speaker {
    /// Octets in which publishes came since it was told.
    heard: usize,
    /// None of which the time was over when the task was woken.
    place: Option<(Ticket, Place)>,
    /// Since when it is not told.
    withheld_since_ms: Option<u64>,
}

impl Speaker {
    /// So many octets came, with publishes among them.
    pub(super) fn hear(&mut self, octets: usize) {
        self.heard += octets;
    }

    /// Whether it has sent so much that it is told in its turn.
    pub(super) fn sends_much(&self) -> bool {
        self.heard >= FLOOR_HEARD_BYTES
    }

    /// It has said all that it had to say: others may be told. Tells whether it had the floor.
    pub(super) fn has_finished(&mut self, floor: &Floor, now_ms: u64) -> bool {
        let had_the_floor = self.heard > 0 && matches!(self.place, Some((_, Place::Has { .. })));
        if had_the_floor {
            self.leave(floor, now_ms);
        }
        had_the_floor
    }

    /// Whether it may be told what was confirmed. If not it is woken in its turn.
    pub(super) fn may_tell(
        &mut self,
        floor: &Floor,
        now_ms: u64,
        publisher: impl FnOnce() -> Arc<dyn Wake>,
    ) -> bool {
        let may = self.has_nobody_to_wait_for(floor, now_ms, publisher);
        if !may {
            self.withheld_since_ms.get_or_insert(now_ms);
        }
        may
    }

    fn has_nobody_to_wait_for(
        &mut self,
        floor: &Floor,
        now_ms: u64,
        publisher: impl FnOnce() -> Arc<dyn Wake>,
    ) -> bool {
        if let Some((ticket, Place::Has { .. })) = self.place {
            if !floor.is_asked_for() {
                return true;
            }
            self.has_turn(ticket, floor.extend(now_ms, ticket), now_ms);
            if self.place.is_some() {
                return false;
            }
        }
        let (ticket, place) = match self.place {
            Some((ticket, _)) => (ticket, floor.look(now_ms, ticket)),
            None => floor.ask(now_ms, &publisher()),
        };
        self.has_turn(ticket, place, now_ms)
    }

    /// Whether it is its turn in this place, which it takes. One whose time is over already was
    /// its turn, too.
    fn has_turn(&mut self, ticket: Ticket, place: Place, now_ms: u64) -> bool {
        self.place = Some((ticket, place)).filter(|_| now_ms < place.until_ms());
        matches!(place, Place::Has { .. })
    }

    /// The task is woken: looks again, if it is time. Who has waited for long is told, whoever has
    /// the floor.
    pub(super) fn look(&mut self, floor: &Floor, now_ms: u64) {
        if self.withheld_since_ms.is_some_and(|since_ms| now_ms >= since_ms + FLOOR_WAIT_MAX_MS) {
            self.end_waiting();
            self.leave(floor, now_ms);
        }
        let is_over = |place: &(Ticket, Place)| now_ms >= place.1.until_ms();
        let Some((ticket, place)) = self.place.filter(is_over) else { return };
        if matches!(place, Place::Has { .. }) {
            self.leave(floor, now_ms);
        } else if self.has_turn(ticket, floor.look(now_ms, ticket), now_ms) {
            self.end_waiting();
        }
    }

    /// It is told with the next write.
    fn end_waiting(&mut self) {
        self.heard = 0;
        self.withheld_since_ms = None;
    }

    /// It is told.
    pub(super) fn tell(&mut self, floor: &Floor, now_ms: u64) {
        self.end_waiting();
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
        let Some(since_ms) = self.withheld_since_ms else { return u64::MAX };
        let until_ms = self.place.map_or(u64::MAX, |(_, place)| place.until_ms());
        until_ms.min(since_ms + FLOOR_WAIT_MAX_MS)
    }
}

#[cfg(test)]
mod simulation;
