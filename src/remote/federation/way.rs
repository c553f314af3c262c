//! What becomes of a message on its way from an upstream: where it is published here, and what its
//! headers tell.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::ShortString;
use lapin::message::Delivery;

use crate::link::federation::hops::{Place, goes_on, moved, received};
use crate::link::properties::without_user_id;

/// The way of the messages of one link.
pub(super) struct Way {
    /// Whether it leads to a queue, or else to an exchange.
    pub(super) is_queue: bool,
    /// Name of the exchange or queue here.
    pub(super) name: String,
    /// The broker that messages come from, as it is shown.
    pub(super) uri: String,
    pub(super) from: Place,
    pub(super) here: Place,
    pub(super) max_hops: u32,
    pub(super) trusts_user_id: bool,
}

impl Way {
    /// Exchange, routing key and properties with which a message is published here; nothing for
    /// one that goes no further.
    pub(super) fn onwards(
        &self,
        delivery: &Delivery,
    ) -> Option<(ShortString, ShortString, BasicProperties)> {
        let Delivery { exchange, routing_key, redelivered, properties, .. } = delivery;
        let headers = properties.headers().clone();
        let named = (self.uri.as_str(), self.name.as_str());
        let (exchange, key, headers) = if self.is_queue {
            let published = (exchange.as_str(), routing_key.as_str());
            let headers = moved(headers, named, published, *redelivered);
            ("".into(), self.name.as_str().into(), headers)
        } else {
            if !goes_on(headers.as_ref(), self.max_hops, &self.here) {
                return None;
            }
            let headers = received(headers, named, &self.from, *redelivered);
            (self.name.as_str().into(), routing_key.clone(), headers)
        };
        let mut properties = properties.clone().with_headers(headers);
        if !self.trusts_user_id {
            properties = without_user_id(&properties);
        }
        Some((exchange, key, properties))
    }
}
