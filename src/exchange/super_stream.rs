//! `x-super-stream`, and `direct` exchanges that are super streams: one partition, by the hash of
//! the routing key that stream clients use `[rabbitmq super streams]`.

use std::hash::Hash;

use super::binding::BindingKey;
use super::destinations::Collector;
use super::direct::Direct;
use super::{BindError, Routing, consistent_hash};

/// What the hash begins with, in all clients.
const SEED: u32 = 104_729;

/// Partitions are bound by their numbers, from 0 on.
#[derive(Debug, Clone)]
pub(super) struct SuperStream<D> {
    by_key: Direct<D>,
    bindings: u32,
    /// A routing key that is a binding key leads there. Only what leads nowhere is hashed.
    is_direct: bool,
}

impl<D: Clone + Eq + Hash> SuperStream<D> {
    /// `is_direct`: of type `direct`.
    pub(super) fn new(is_direct: bool) -> Self {
        Self { by_key: Direct::new(), bindings: 0, is_direct }
    }

    pub(super) fn add(&mut self, destination: &D, binding: &BindingKey) -> Result<(), BindError> {
        if !self.is_direct {
            consistent_hash::check_integer(&binding.key)?;
        }
        self.by_key.add(destination, binding);
        self.bindings += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, destination: &D, binding: &BindingKey) {
        self.by_key.remove(destination, binding);
        self.bindings = self.bindings.saturating_sub(1);
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        if self.is_direct && self.by_key.has(message.routing_key) {
            self.by_key.route(message, out);
        } else if let Some(partition) = partition(message.routing_key, self.bindings) {
            self.by_key.route(&Routing::by_key(partition.to_string().as_bytes()), out);
        }
    }

    /// As [`SuperStream::route`], without hashing if it is of type `direct`.
    pub(super) fn route_exactly(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        if self.is_direct {
            self.by_key.route(message, out);
        } else {
            self.route(message, out);
        }
    }
}

/// Which of so many partitions a routing key leads to; `None` if there are none.
fn partition(mut routing_key: &[u8], partitions: u32) -> Option<u32> {
    // Reading from memory does not fail.
    let hash = murmur3::murmur3_32(&mut routing_key, SEED).unwrap_or_default();
    hash.checked_rem(partitions)
}

#[cfg(test)]
mod tests {
    use super::partition;

    /// The hashes are those of another implementation (mmh3), modulo the number of partitions.
    #[test]
    fn keys_lead_where_clients_think_they_lead() {
        for (key, hash) in [
            ("hello1", 284_792_890),
            ("hello2", 3_228_679_428),
            ("hello3", 1_175_060_731),
            ("hello10", 2_675_414_189),
            ("", 3_329_588_566),
            ("é", 2_922_484_690_u32),
        ] {
            for partitions in 1..20 {
                let expected = Some(hash % partitions);
                assert_eq!(partition(key.as_bytes(), partitions), expected, "{key}");
            }
        }
        assert_eq!(partition(b"any", 0), None);
    }
}
