//! `direct`: a routing key leads to the bindings with exactly that key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::Routing;
use super::binding::BindingKey;
use super::destinations::{Collector, Destinations};

#[derive(Debug, Clone)]
pub(super) struct Direct<D> {
    by_key: HashMap<Arc<[u8]>, Destinations<D>>,
}

impl<D: Clone + Eq + Hash> Direct<D> {
    pub(super) fn new() -> Self {
        Self { by_key: HashMap::new() }
    }

    pub(super) fn add(&mut self, destination: &D, binding: &BindingKey) {
        let destinations = self.by_key.entry(Arc::clone(&binding.key));
        destinations.or_insert_with(Destinations::new).add(destination);
    }

    pub(super) fn remove(&mut self, destination: &D, binding: &BindingKey) {
        let Some(destinations) = self.by_key.get_mut(&binding.key) else { return };
        destinations.remove(destination);
        if destinations.is_empty() {
            self.by_key.remove(&binding.key);
        }
    }

    /// Whether there is a binding with that key.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.by_key.contains_key(key)
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        if let Some(destinations) = self.by_key.get(message.routing_key) {
            destinations.collect(out);
        }
    }
}
