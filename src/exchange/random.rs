//! `x-random` and `x-local-random`: one of the destinations, picked at random.

use std::hash::Hash;

use super::binding::BindingKey;
use super::destinations::{Collector, Destinations};
use super::stable_hash::scale;
use super::{BindError, Routing};

/// Every destination is as likely as any other, however many bindings lead to it.
#[derive(Debug, Clone)]
pub(super) struct Random<D> {
    destinations: Destinations<D>,
    /// Whether binding keys must be empty, as RabbitMQ asks for `x-local-random`.
    empty_keys_only: bool,
}

impl<D: Clone + Eq + Hash> Random<D> {
    pub(super) fn new(empty_keys_only: bool) -> Self {
        Self { destinations: Destinations::new(), empty_keys_only }
    }

    pub(super) fn add(&mut self, destination: &D, binding: &BindingKey) -> Result<(), BindError> {
        if self.empty_keys_only && !binding.key.is_empty() {
            let key = String::from_utf8_lossy(&binding.key).into_owned();
            return Err(BindError::KeyNotEmpty(key));
        }
        self.destinations.add(destination);
        Ok(())
    }

    pub(super) fn remove(&mut self, destination: &D) {
        self.destinations.remove(destination);
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        let position = scale(message.random, self.destinations.len());
        if let Some(destination) = self.destinations.get(position) {
            out.push(destination);
        }
    }
}
