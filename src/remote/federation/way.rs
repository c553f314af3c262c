//! What becomes of a message on its way from an upstream: where it is published here, and what its
//! headers tell.

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::ShortString;
use lapin::message::Delivery;

use crate::link::federation::hops::{Place, goes_on, moved, received};

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

/// The user of another broker is nobody here.
fn without_user_id(all: &BasicProperties) -> BasicProperties {
    let mut properties = BasicProperties::default();
    macro_rules! keep {
        ($($get:ident $with:ident,)*) => {
            $(if let Some(value) = all.$get().clone() {
                properties = properties.$with(value);
            })*
        };
    }
    keep! {
        content_type with_content_type,
        content_encoding with_content_encoding,
        headers with_headers,
        delivery_mode with_delivery_mode,
        priority with_priority,
        correlation_id with_correlation_id,
        reply_to with_reply_to,
        expiration with_expiration,
        message_id with_message_id,
        timestamp with_timestamp,
        kind with_type,
        app_id with_app_id,
        cluster_id with_cluster_id,
    }
    properties
}
