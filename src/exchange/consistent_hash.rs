//! `x-consistent-hash`: one destination, the same for the same key, as long as it is bound.

use std::collections::HashSet;
use std::hash::Hash;

use amq_protocol::types::{AMQPValue, FieldTable};
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::binding::BindingKey;
use super::destinations::Collector;
use super::header_value::{Side, hash_for_match};
use super::stable_hash::{StableHasher, mix, stable_hash};
use super::{BindError, ExchangeArgumentError, Routing};
use crate::base::argument;
use crate::base::erlang_term;
use crate::base::field_value::type_name;

/// Weighted rendezvous hashing: every destination draws a number from the hash of the key and its
/// own hash, scaled by its weight, and the best one gets the message.
///
/// A ring of points would be faster with hundreds of destinations, but it spreads well only with
/// some hundred points for each unit of weight, and weights have no limit. Rendezvous hashing
/// needs no memory, spreads exactly by weight, and a destination that comes or goes moves only the
/// keys that it takes or leaves, whatever the order of binding. Placement is as stable as what
/// `D: Hash` feeds: a handle that hashes its name keeps its keys over a restart.
#[derive(Debug, Clone)]
pub(super) struct ConsistentHash<D> {
    hash_on: HashOn,
    shares: IndexMap<D, Share>,
    /// A destination's share goes with any of its bindings, as with RabbitMQ.
    forgets: bool,
}

/// What part of a message is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HashOn {
    RoutingKey,
    Header(String),
    CorrelationId,
    MessageId,
    Timestamp,
}

#[derive(Debug, Clone)]
struct Share {
    /// The stable hash of the destination.
    hash: u64,
    /// The bindings, oldest first; only the oldest one's weight counts.
    bindings: SmallVec<[(u64, BindingKey); 1]>,
}

impl<D: Clone + Eq + Hash> ConsistentHash<D> {
    pub(super) fn new(arguments: &FieldTable) -> Result<Self, ExchangeArgumentError> {
        Ok(Self { hash_on: HashOn::parse(arguments)?, shares: IndexMap::new(), forgets: false })
    }

    pub(super) fn forget_with_any_binding(&mut self) {
        self.forgets = true;
    }

    pub(super) fn needs_headers(&self) -> bool {
        matches!(self.hash_on, HashOn::Header(_))
    }

    pub(super) fn needs_properties(&self) -> bool {
        matches!(self.hash_on, HashOn::CorrelationId | HashOn::MessageId | HashOn::Timestamp)
    }

    pub(super) fn add(&mut self, destination: &D, binding: &BindingKey) -> Result<(), BindError> {
        let weight = parse_weight(&binding.key)?;
        let share = self
            .shares
            .entry(destination.clone())
            .or_insert_with(|| Share { hash: stable_hash(destination), bindings: SmallVec::new() });
        share.bindings.push((weight, binding.clone()));
        Ok(())
    }

    pub(super) fn remove(&mut self, destination: &D, binding: &BindingKey) {
        let Some(share) = self.shares.get_mut(destination) else { return };
        share.bindings.retain(|(_, each)| each != binding);
        if share.bindings.is_empty() || self.forgets {
            self.shares.swap_remove(destination);
        }
    }

    /// Removes several bindings of one destination.
    pub(super) fn remove_all(&mut self, destination: &D, bindings: &[BindingKey]) {
        let Some(share) = self.shares.get_mut(destination) else { return };
        let gone: HashSet<_> = bindings.iter().collect();
        share.bindings.retain(|(_, each)| !gone.contains(each));
        if share.bindings.is_empty() || (self.forgets && !bindings.is_empty()) {
            self.shares.swap_remove(destination);
        }
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        let key_hash = self.hash_on.hash(message);
        let costs =
            self.shares.iter().map(|(destination, share)| (destination, share.cost(key_hash)));
        let best = costs.min_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some((destination, _)) = best {
            out.push(destination);
        }
    }
}

impl Share {
    /// An exponentially distributed draw whose rate is the weight: the chance that it is the
    /// smallest of several is the weight's part of the sum of all weights.
    fn cost(&self, key_hash: u64) -> f64 {
        let weight = self.bindings.first().map_or(1, |(weight, _)| *weight);
        // 53 bits, the precision of a double, and never 0 or 1.
        let uniform = ((mix(key_hash ^ self.hash) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -uniform.ln() / weight as f64
    }
}

impl HashOn {
    fn parse(arguments: &FieldTable) -> Result<Self, ExchangeArgumentError> {
        let header = string_argument(arguments, argument::HASH_HEADER)?;
        let property = string_argument(arguments, argument::HASH_PROPERTY)?;
        match (header, property) {
            (None, None) => Ok(Self::RoutingKey),
            (Some(header), None) => Ok(Self::Header(header)),
            (None, Some(property)) => match property.as_str() {
                "correlation_id" => Ok(Self::CorrelationId),
                "message_id" => Ok(Self::MessageId),
                "timestamp" => Ok(Self::Timestamp),
                _ => Err(ExchangeArgumentError::UnsupportedProperty(property)),
            },
            (Some(_), Some(_)) => Err(ExchangeArgumentError::HashHeaderAndProperty),
        }
    }

    /// The hash of a message. Messages that lack the part all have the same.
    fn hash(&self, message: &Routing<'_>) -> u64 {
        match self {
            Self::RoutingKey => stable_hash(message.routing_key),
            Self::Header(name) => {
                let headers = message.headers.map(FieldTable::inner);
                let value = headers.and_then(|headers| headers.get(name.as_str()));
                let mut hasher = StableHasher::new();
                hash_for_match(value.unwrap_or(&AMQPValue::Void), Side::Message, &mut hasher);
                std::hash::Hasher::finish(&hasher)
            }
            Self::CorrelationId => stable_hash(&message.correlation_id),
            Self::MessageId => stable_hash(&message.message_id),
            Self::Timestamp => stable_hash(&message.timestamp),
        }
    }
}

fn string_argument(
    arguments: &FieldTable,
    argument: &'static str,
) -> Result<Option<String>, ExchangeArgumentError> {
    match arguments.inner().get(argument) {
        None => Ok(None),
        Some(AMQPValue::LongString(text)) => Ok(Some(text.to_string())),
        Some(AMQPValue::ShortString(text)) => Ok(Some(text.to_string())),
        Some(other) => {
            let type_name = type_name(other);
            Err(ExchangeArgumentError::NotAString { argument, type_name })
        }
    }
}

/// Whether a binding key is digits with an optional sign, of any length, as Erlang reads integers.
pub(super) fn check_integer(key: &[u8]) -> Result<(), BindError> {
    let digits = key.strip_prefix(b"+").or(key.strip_prefix(b"-")).unwrap_or(key);
    match !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        true => Ok(()),
        false => Err(BindError::WeightNotAnInteger(erlang_term::binary(key))),
    }
}

/// Reads a weight. One beyond 64 bits is as good as the largest within.
fn parse_weight(key: &[u8]) -> Result<u64, BindError> {
    check_integer(key)?;
    let negative = key.starts_with(b"-");
    let digits = key.strip_prefix(b"+").or(key.strip_prefix(b"-")).unwrap_or(key);
    let value = digits.iter().fold(0_u64, |value, digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    if negative || value == 0 { Err(BindError::WeightTooSmall) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_erlang_reads_integers() {
        assert_eq!(parse_weight(b"1"), Ok(1));
        assert_eq!(parse_weight(b"+0010000"), Ok(10_000));
        assert_eq!(parse_weight(b"10001"), Ok(10_001));
        assert_eq!(parse_weight(b"99999999999999999999999"), Ok(u64::MAX));
        for (key, text) in [
            (&b"heavy"[..], "The binding key must be an integer: <<\"heavy\">>"),
            (b"", "The binding key must be an integer: <<>>"),
            (b"1 ", "The binding key must be an integer: <<\"1 \">>"),
            (b"1.5", "The binding key must be an integer: <<\"1.5\">>"),
            (b"0", "The binding key must be greater than 0"),
            (b"-0", "The binding key must be greater than 0"),
            (b"-99999999999999999999999", "The binding key must be greater than 0"),
        ] {
            let refused = parse_weight(key).map_err(|error| error.to_string());
            assert_eq!(refused, Err(text.to_owned()));
        }
    }
}
