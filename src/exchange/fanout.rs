//! `fanout`: every destination gets every message.

use std::hash::Hash;

use super::destinations::{Collector, Destinations};

#[derive(Debug, Clone)]
pub(super) struct Fanout<D> {
    destinations: Destinations<D>,
}

impl<D: Clone + Eq + Hash> Fanout<D> {
    pub(super) fn new() -> Self {
        Self { destinations: Destinations::new() }
    }

    pub(super) fn add(&mut self, destination: &D) {
        self.destinations.add(destination);
    }

    pub(super) fn remove(&mut self, destination: &D) {
        self.destinations.remove(destination);
    }

    pub(super) fn route(&self, out: &mut Collector<'_, D>) {
        self.destinations.collect(out);
    }
}
