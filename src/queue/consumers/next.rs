//! Who gets the next messages.

use crate::queue::consumers::line::Turn;
use crate::queue::consumers::{Consumer, ConsumerId, Consumers};

impl Consumers {
    /// Chooses the consumer of the next message. Whoever turns out to have no credit or room
    /// leaves the line. The chosen one goes to the end of its line.
    pub(crate) fn next(&mut self) -> Option<&mut Consumer> {
        let slots = &mut self.slots;
        let slot = self.lines.next(|place| {
            let Some(consumer) = slots.get_mut(place.slot).and_then(Option::as_mut) else {
                return Turn::HasLeft;
            };
            if consumer.ticket != place.ticket {
                Turn::HasLeft
            } else if consumer.reserve() {
                Turn::Takes
            } else {
                consumer.ticket = 0;
                Turn::Passes
            }
        })?;
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Chooses the consumer of the next messages, as [`Consumers::next`] does, and tells how many
    /// it takes, up to `max`: more than one if it stands alone and they are passed on together.
    #[inline]
    pub(crate) fn next_run(&mut self, max: u32) -> Option<(&mut Consumer, u32)> {
        let slot = self.next()?.id.slot;
        let is_alone = self.lines.alone() == Some(slot);
        let consumer = self.slots.get_mut(slot)?.as_mut()?;
        let credit = consumer.unacked_max.saturating_sub(consumer.unacked);
        let count = if is_alone && consumer.takes_run { credit.min(max) } else { 1 };
        Some((consumer, count))
    }

    /// The consumer has not got so many of those that it was to settle, and never will.
    #[inline]
    pub(crate) fn give_back(&mut self, id: ConsumerId, count: u32) {
        let consumer = self.slots.get_mut(id.slot).and_then(Option::as_mut);
        if let Some(consumer) = consumer.filter(|consumer| consumer.id == id) {
            consumer.unacked = consumer.unacked.saturating_sub(count);
        }
    }

    /// The consumer in this slot, which took the last message, if it takes the next one as well: it
    /// stands alone, has credit, and the messages are passed on together.
    #[inline]
    pub(crate) fn next_of_run(&mut self, slot: usize) -> Option<&mut Consumer> {
        if self.lines.alone() != Some(slot) {
            return None;
        }
        let consumer = self.slots.get_mut(slot)?.as_mut();
        consumer.filter(|it| it.takes_run && it.ticket != 0 && it.has_credit())
    }

    /// Chooses this consumer for the next message if it stands in line and takes it: it goes to
    /// the end of its line. If it has no credit or room it leaves the line.
    pub(crate) fn choose(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        let consumer = self.get_mut(id).filter(|consumer| consumer.ticket != 0)?;
        let takes = consumer.reserve();
        self.leave_line(id.slot);
        if !takes {
            return None;
        }
        self.stand_in_line(id.slot);
        self.get_mut(id)
    }

    /// Whether one of this priority at least stands in line and has credit.
    pub(crate) fn could_take(&self, priority_min: i64) -> bool {
        let takes = |consumer: &Consumer| {
            consumer.ticket != 0 && consumer.spec.priority >= priority_min && consumer.has_credit()
        };
        self.iter().any(takes)
    }

    /// Whether nobody stands in line.
    pub fn none_waiting(&self) -> bool {
        self.lines.is_empty()
    }
}
