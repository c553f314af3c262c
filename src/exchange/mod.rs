//! Exchanges: from a message's routing key and headers to the destinations that get it.
//!
//! This is the pure core of routing. A [`Router`] holds the bindings of one exchange; it knows no
//! queue, no lock, no clock and no source of randomness. A destination is whatever handle the
//! caller routes to (a queue, or an exchange for exchange-to-exchange bindings).
//!
//! What exchanges keep besides bindings is here as well: a [`DelayLine`], a [`History`], a
//! [`DuplicateCache`].
//!
//! One file per exchange type; everything that can be parsed is parsed at bind.

mod binding;
mod consistent_hash;
mod delay;
mod delay_line;
mod destinations;
mod direct;
mod duplicates;
mod fanout;
pub(crate) mod federation;
mod header_match;
mod header_value;
mod headers;
mod history;
pub(crate) mod matching;
mod modulus_hash;
pub(crate) mod near;
mod random;
mod router;
mod stable_hash;
mod super_stream;
mod topic;

use std::fmt;

use amq_protocol::types::FieldTable;

pub use binding::Binding;
pub(crate) use delay::{DELAYED_TYPE, delay_ms, negate_delay};
pub(crate) use delay_line::DelayLine;
pub(crate) use duplicates::{DuplicateCache, own_ttl_ms};
pub(crate) use history::{History, is_remembered};
pub use router::Router;

use crate::error::{BindError, ExchangeArgumentError};

/// The type of an exchange: how it compares messages with bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExchangeType {
    /// `direct`: the routing key equals the binding key, byte by byte.
    Direct,
    /// `fanout`: every destination gets every message.
    Fanout,
    /// `topic`: the binding key is a pattern of words with the wildcards `*` and `#`.
    Topic,
    /// `headers`: the binding's arguments are compared with the message's headers.
    Headers,
    /// `x-random` (extension): one destination, picked at random.
    Random,
    /// `x-local-random` (extension): as `x-random`, with empty binding keys only. There is one
    /// node, so every queue is local.
    LocalRandom,
    /// `x-consistent-hash` (extension): one destination, by a stable hash of the routing key, a
    /// header or a property; the binding key is a weight.
    ConsistentHash,
    /// `x-modulus-hash` (extension): one destination, by the hash of the routing key modulo the
    /// number of destinations.
    ModulusHash,
    /// `x-super-stream` (extension): one destination, by the hash of the routing key that stream
    /// clients use; binding keys are the numbers of partitions.
    SuperStream,
    /// `x-delayed-message` (extension): keeps messages for the time in their header `x-delay`,
    /// then routes them as the type in the argument `x-delayed-type`.
    DelayedMessage,
    /// `x-recent-history` (extension): as `fanout`; who is bound newly gets the last messages.
    RecentHistory,
    /// `x-message-deduplication` (extension): as `fanout`; what was here before is dropped.
    MessageDeduplication,
    /// `x-federation-upstream` (extension): as `fanout`; what has come far enough over links of
    /// a federation goes nowhere.
    FederationUpstream,
}

impl ExchangeType {
    /// Every type, the standard ones first.
    pub const ALL: [Self; 13] = [
        Self::Direct,
        Self::Fanout,
        Self::Topic,
        Self::Headers,
        Self::Random,
        Self::LocalRandom,
        Self::ConsistentHash,
        Self::ModulusHash,
        Self::SuperStream,
        Self::DelayedMessage,
        Self::RecentHistory,
        Self::MessageDeduplication,
        Self::FederationUpstream,
    ];

    /// The type that `exchange.declare` calls `name`; `None` for a name nobody knows.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name that `exchange.declare` uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
            Self::Random => "x-random",
            Self::LocalRandom => "x-local-random",
            Self::ConsistentHash => "x-consistent-hash",
            Self::ModulusHash => "x-modulus-hash",
            Self::SuperStream => "x-super-stream",
            Self::DelayedMessage => "x-delayed-message",
            Self::RecentHistory => "x-recent-history",
            Self::MessageDeduplication => "x-message-deduplication",
            Self::FederationUpstream => "x-federation-upstream",
        }
    }

    /// Whether RabbitMQ 4.0 knows the type by a plugin alone.
    pub const fn needs_plugin(self) -> bool {
        !matches!(
            self,
            Self::Direct | Self::Fanout | Self::Topic | Self::Headers | Self::LocalRandom
        )
    }

    /// Whether destinations are picked at random. For `x-delayed-message` this and
    /// [`routes_each_key`](Self::routes_each_key) depend on the type that routes:
    /// [`Router::kind`].
    pub const fn is_random(self) -> bool {
        matches!(self, Self::Random | Self::LocalRandom)
    }

    /// Whether a message is routed once for each of its routing keys (its own and those in the
    /// headers `CC` and `BCC`). The other types route a message once, by its own routing key.
    pub const fn routes_each_key(self) -> bool {
        matches!(self, Self::Direct | Self::Topic)
    }
}

impl fmt::Display for ExchangeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What routing may look at in one message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Routing<'a> {
    /// The message's routing key.
    pub routing_key: &'a [u8],
    /// The message's headers; only looked at if [`Router::needs_headers`] says so.
    pub headers: Option<&'a FieldTable>,
    /// The property `correlation_id`; see [`Router::needs_properties`].
    pub correlation_id: Option<&'a [u8]>,
    /// The property `message_id`; see [`Router::needs_properties`].
    pub message_id: Option<&'a [u8]>,
    /// The property `timestamp`, in seconds; see [`Router::needs_properties`].
    pub timestamp: Option<u64>,
    /// A random number, uniform over all values. Only the random types use it.
    pub random: u64,
}

impl<'a> Routing<'a> {
    /// A message of which only the routing key is known.
    pub fn by_key(routing_key: &'a [u8]) -> Self {
        Self { routing_key, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_types() {
        for kind in ExchangeType::ALL {
            assert_eq!(ExchangeType::from_name(kind.as_str()), Some(kind));
        }
        for unknown in ["", "Direct", "no-such-type", "x-jms-topic"] {
            assert_eq!(ExchangeType::from_name(unknown), None);
        }
    }
}
