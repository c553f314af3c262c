//! What a queue has counted is what has happened.

use amq_protocol::protocol::BasicProperties;
use leveret_protocol::properties::encode_properties;

use super::*;
use crate::queue::tally::Volume;

/// Properties of a message; some are persistent.
pub(super) fn properties(priority: u8, padding: u8) -> Vec<u8> {
    let properties = BasicProperties::default().with_priority(priority);
    encode_properties(&properties.with_delivery_mode(1 + padding % 2))
}

impl World {
    pub(super) fn check_totals(&self) -> Checked {
        let totals = self.state.totals();
        let fates = |fate| {
            let items = self.items.values();
            items.filter(|item| item.place == Place::Gone(fate)).count() as u64
        };
        prop_assert_eq!(totals.publish, self.items.len() as u64);
        prop_assert_eq!(totals.ack, fates(Fate::Acked));
        prop_assert_eq!(totals.purged, fates(Fate::Purged));
        prop_assert_eq!(totals.refused, fates(Fate::Refused));
        let unacknowledged = totals.deliver_no_ack + totals.get_no_ack;
        prop_assert_eq!(unacknowledged, fates(Fate::DeliveredWithoutAck));
        let volume = |of: &dyn Fn(&Item) -> bool| {
            let items = self.items.values().filter(|item| of(item));
            items.fold(Volume::default(), |mut sum, item| {
                sum.add(1, item.body_bytes);
                sum
            })
        };
        let is_unacked = |item: &Item| matches!(item.place, Place::Unacked { .. });
        prop_assert_eq!(self.state.counted.unacked.all, volume(&is_unacked));
        let persistent = |item: &Item| item.message.is_persistent();
        let ready = volume(&|item| item.place == Place::Ready && persistent(item));
        prop_assert_eq!(self.state.ready.persistent(), ready);
        let unacked = volume(&|item| is_unacked(item) && persistent(item));
        prop_assert_eq!(self.state.counted.unacked.persistent, unacked);
        Ok(())
    }
}
