//! Telling who traces a virtual host what its queues give out.

use crate::base::ids::ChannelId;
use crate::queue::effects::Effects;
use crate::queue::fifo::state::State;
use crate::queue::tap::{Tap, Tapped};
use crate::queue::{Got, Queue};

impl Queue {
    /// Tells what it gives out while this is open.
    pub(crate) fn with_tap(mut self, tap: Tap) -> Self {
        self.tap = tap;
        self
    }

    /// The deliveries that are about to be passed on.
    #[inline]
    pub(super) fn tap_deliveries(&self, state: &State, effects: &mut Effects) {
        if !self.tap.is_open() {
            return;
        }
        for delivery in &effects.deliveries {
            let Some(consumer) = state.consumers().at(delivery.slot) else { continue };
            let Some(entry) = delivery.entry(&state.unacked) else { continue };
            effects.tapped.push(Tapped {
                queue: self.name.clone(),
                channel: consumer.spec.channel,
                message: entry.message.clone(),
                redelivered: entry.redelivered,
            });
        }
    }

    /// What basic.get has got.
    pub(super) fn tap_got(&self, got: &Got, channel: ChannelId, effects: &mut Effects) {
        if let Got::Message(_, entry, _) = got
            && self.tap.is_open()
        {
            let (queue, message) = (self.name.clone(), entry.message.clone());
            let redelivered = entry.redelivered;
            effects.tapped.push(Tapped { queue, channel, message, redelivered });
        }
    }
}
