//! Messages as the wire wants them.

use std::num::NonZeroU32;

use leveret_protocol::BodyRef;

use crate::message::Message;

/// Calls `write` with the message as the wire wants it.
#[inline]
pub(super) fn with_encoding(
    message: &Message,
    delivery_count: Option<NonZeroU32>,
    write: impl FnOnce(&leveret_protocol::Message<'_>),
) {
    let counted;
    let mut properties = message.raw_properties().0;
    if let Some(count) = delivery_count {
        counted = crate::message::with_delivery_count(properties, count.get());
        properties = &counted;
    }
    write(&leveret_protocol::Message {
        exchange: message.exchange_octets(),
        routing_key: message.routing_key_octets(),
        properties,
        body: match message.shared_body() {
            Some(body) => BodyRef::Shared(body),
            None => BodyRef::Slice(message.body()),
        },
    });
}
