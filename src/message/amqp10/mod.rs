//! Messages as AMQP 1.0 has them: so they lie in streams, where clients of the stream protocol find
//! them, and so those clients leave them. Converted as RabbitMQ 4.0 does it, but where that ends
//! the connection `[rabbitmq conversions]`.
//!
//! - [`encode`]: header, message annotations, properties, application properties, data.
//! - [`decode`]: back, or from whatever a client has put there.

mod decode;
mod encode;
mod headers;
mod text;
mod values;

pub(crate) use self::decode::{Decoder, Origin};
pub(crate) use self::encode::{encode, filter_value};

/// Codes of sections.
mod section {
    pub(super) const HEADER: u64 = 0x70;
    pub(super) const DELIVERY_ANNOTATIONS: u64 = 0x71;
    pub(super) const MESSAGE_ANNOTATIONS: u64 = 0x72;
    pub(super) const PROPERTIES: u64 = 0x73;
    pub(super) const APPLICATION_PROPERTIES: u64 = 0x74;
    pub(super) const DATA: u64 = 0x75;
    pub(super) const SEQUENCE: u64 = 0x76;
    pub(super) const VALUE: u64 = 0x77;
    pub(super) const FOOTER: u64 = 0x78;
}

/// Names of message annotations that stand for something else than a header.
mod annotation {
    /// The property `type`.
    pub(super) const TYPE: &[u8] = b"x-basic-type";
    /// The exchange that it was published to.
    pub(super) const EXCHANGE: &[u8] = b"x-exchange";
    /// The routing key that it was published with.
    pub(super) const ROUTING_KEY: &[u8] = b"x-routing-key";
    /// The header `CC`.
    pub(super) const CC: &[u8] = b"x-cc";
    /// What `x-death` is made of.
    pub(super) const DEATHS: &[u8] = b"x-opt-deaths";
    /// What was made of it by dead-lettering.
    pub(super) const X_DEATH: &[u8] = b"x-death";
    /// The offset, which every delivery has.
    pub(super) const OFFSET: &[u8] = b"x-stream-offset";
    /// By what readers can leave messages out.
    pub(super) const FILTER_VALUE: &[u8] = b"x-stream-filter-value";
}

/// The property `type` of a message whose body is a section of AMQP 1.0, not data.
const TYPE_AMQP_10: &[u8] = b"amqp-1.0";

#[cfg(test)]
mod tests;
