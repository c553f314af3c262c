//! Length limits: `x-max-length`, `x-max-length-bytes`, `x-overflow` `[rabbitmq maxlength]`.
use crate::limits::QUORUM_REFILL_PERCENT;
use crate::message::deaths::DeathReason;
use crate::queue::effects::Effects;
use crate::queue::fifo::state::{Room, State};
use crate::time::clock::Timestamp;

/// What happens at a full queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest messages are dropped, or dead-lettered with the reason `maxlen`.
    #[default]
    DropHead,
    /// New messages are refused: their publishers get a nack, if they asked for confirms.
    RejectPublish,
    /// As `RejectPublish`, and what was refused is dead-lettered with the reason `maxlen`.
    RejectPublishDlx,
}

/// The limits of one queue. Only ready messages count, and of them only the bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthLimit {
    /// Most ready messages.
    pub max_length: Option<u64>,
    /// Most octets in the bodies of ready messages.
    pub max_length_bytes: Option<u64>,
    /// What happens beyond.
    pub overflow: Overflow,
}

/// Messages that come and cannot be refused any more, as their store has them already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Promised {
    length: u64,
    length_bytes: u64,
}

impl Promised {
    /// One has come.
    pub(super) fn take(&mut self, body_bytes: u64) {
        self.length = self.length.saturating_sub(1);
        self.length_bytes = self.length_bytes.saturating_sub(body_bytes);
    }
}

impl LengthLimit {
    /// Whether a message of `body_bytes` is refused by a queue that holds `length` ready messages
    /// of `length_bytes`.
    pub fn refuses(&self, length: u64, length_bytes: u64, body_bytes: u64) -> bool {
        self.overflow != Overflow::DropHead
            && self.is_exceeded(length + 1, length_bytes.saturating_add(body_bytes))
    }

    /// Whether there is a limit.
    pub fn is_set(&self) -> bool {
        self.max_length.is_some() || self.max_length_bytes.is_some()
    }

    /// Whether messages have to be dropped from the head.
    pub fn must_drop(&self, length: u64, length_bytes: u64) -> bool {
        self.overflow == Overflow::DropHead && self.is_exceeded(length, length_bytes)
    }

    /// Whether a quorum queue that was too long takes publishes again.
    pub fn is_well_below(&self, length: u64, length_bytes: u64) -> bool {
        let part = |max: u64| u128::from(max) * u128::from(QUORUM_REFILL_PERCENT) / 100;
        self.max_length.is_none_or(|max| u128::from(length) <= part(max))
            && self.max_length_bytes.is_none_or(|max| u128::from(length_bytes) <= part(max))
    }

    fn is_exceeded(&self, length: u64, length_bytes: u64) -> bool {
        self.max_length.is_some_and(|max| length > max)
            || self.max_length_bytes.is_some_and(|max| length_bytes > max)
    }
}

impl State {
    /// Whether a message that arrives is refused. A quorum queue refuses publishes once it is too
    /// long, and not the one that makes it so.
    #[inline]
    pub(super) fn refuses(&self, body_bytes: u64, room: Room) -> bool {
        let length = &self.settings.length;
        if length.overflow == Overflow::DropHead {
            return false;
        }
        if self.is_quorum {
            return self.is_full && room == Room::Refused;
        }
        let ready = self.ready.len() as u64 + self.promised.length;
        let ready_bytes = self.ready.body_bytes() + self.promised.length_bytes;
        length.refuses(ready, ready_bytes, body_bytes)
    }

    /// Keeps the place for a message that is about to come, unless it would be refused: then tells
    /// so. Who asks sends it.
    pub(in crate::queue) fn promise_room(&mut self, body_bytes: u64) -> bool {
        let is_promised = !self.refuses(body_bytes, Room::Refused);
        if is_promised {
            self.promised.length += 1;
            self.promised.length_bytes += body_bytes;
        }
        is_promised
    }

    /// What is too much leaves, or will leave once it is paged in; or publishes are refused from
    /// now on.
    #[inline]
    pub(in crate::queue) fn keep_length(&mut self, effects: &mut Effects) {
        if self.settings.length.is_set() || self.is_full || self.cuts {
            self.look_at_limits(effects);
        }
    }

    fn look_at_limits(&mut self, effects: &mut Effects) {
        if self.settings.length.overflow != Overflow::DropHead && !self.cuts {
            return self.look_if_full();
        }
        self.is_full = false;
        let drops = |state: &Self| {
            let length = LengthLimit { overflow: Overflow::DropHead, ..state.settings.length };
            length.must_drop(state.ready.len() as u64, state.ready.body_bytes())
        };
        while drops(self) {
            if self.ready.head().is_none() {
                return; // the rest of it is on disk alone
            }
            self.kill_head(DeathReason::MaxLen, effects);
        }
        self.cuts = false;
    }

    /// What a quorum queue looks at after consumers were served.
    #[inline]
    pub fn look_at_length(&mut self, now: Timestamp, effects: &mut Effects) {
        if self.is_quorum && (self.settings.length.is_set() || self.is_full) {
            self.keep_length(effects);
            self.expire(now, effects);
        }
    }

    fn look_if_full(&mut self) {
        let discarded: u64 = self.discards.iter().map(|kept| kept.message.body_len() as u64).sum();
        let length = (self.ready.len() + self.discards.len()) as u64;
        let length_bytes = self.ready.body_bytes() + discarded;
        let limit = &self.settings.length;
        if limit.is_exceeded(length, length_bytes) {
            self.is_full = true;
        } else if limit.is_well_below(length, length_bytes) {
            self.is_full = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_quorum_queue_waits_until_it_is_well_below_its_limits() {
        let limit = LengthLimit { max_length: Some(2), ..LengthLimit::default() };
        assert!(limit.is_well_below(1, 9) && !limit.is_well_below(2, 0));
        let limit = LengthLimit { max_length_bytes: Some(u64::MAX), ..limit };
        assert!(limit.is_well_below(0, u64::MAX / 5 * 4) && !limit.is_well_below(0, u64::MAX));
    }

    #[test]
    fn rejects_by_either_limit() {
        let limit = LengthLimit {
            max_length: Some(2),
            max_length_bytes: Some(5),
            overflow: Overflow::RejectPublish,
        };
        assert!(!limit.refuses(1, 3, 2));
        assert!(limit.refuses(1, 3, 3));
        assert!(limit.refuses(2, 0, 0));
        assert!(!limit.must_drop(9, 9));
    }

    #[test]
    fn no_limit_never_acts() {
        let limit = LengthLimit::default();
        assert!(!limit.refuses(u64::MAX - 1, u64::MAX, u64::MAX));
        assert!(!limit.must_drop(u64::MAX, u64::MAX));
    }
}
