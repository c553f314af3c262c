//! `x-modulus-hash`: one destination, by the hash of the routing key modulo their number.

use std::hash::Hash;

use super::Routing;
use super::destinations::Collector;
use super::stable_hash::stable_hash;

/// The destinations are in the order of their stable hashes, so the order of binding does not
/// count. Adding or removing one moves most routing keys; that is what a modulus does.
#[derive(Debug, Clone)]
pub(super) struct ModulusHash<D> {
    shards: Vec<Shard<D>>,
}

#[derive(Debug, Clone)]
struct Shard<D> {
    hash: u64,
    destination: D,
    /// How many bindings lead to it.
    bindings: u32,
}

impl<D: Clone + Eq + Hash> ModulusHash<D> {
    pub(super) fn new() -> Self {
        Self { shards: Vec::new() }
    }

    /// Where a destination is, or where it belongs.
    fn find(&self, destination: &D) -> (u64, Result<usize, usize>) {
        let hash = stable_hash(destination);
        let start = self.shards.partition_point(|shard| shard.hash < hash);
        let same_hash = self.shards[start..].iter().take_while(|shard| shard.hash == hash);
        let found = same_hash.enumerate().find(|(_, shard)| shard.destination == *destination);
        (hash, found.map(|(offset, _)| start + offset).ok_or(start))
    }

    pub(super) fn add(&mut self, destination: &D) {
        match self.find(destination) {
            (_, Ok(position)) => self.shards[position].bindings += 1,
            (hash, Err(position)) => {
                let shard = Shard { hash, destination: destination.clone(), bindings: 1 };
                self.shards.insert(position, shard);
            }
        }
    }

    pub(super) fn remove(&mut self, destination: &D) {
        if let (_, Ok(position)) = self.find(destination) {
            self.shards[position].bindings -= 1;
            if self.shards[position].bindings == 0 {
                self.shards.remove(position);
            }
        }
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        let shards = self.shards.len() as u64;
        let Some(position) = stable_hash(message.routing_key).checked_rem(shards) else { return };
        if let Some(shard) = self.shards.get(position as usize) {
            out.push(&shard.destination);
        }
    }
}
