//! `headers`: a binding's arguments are compared with the message's headers.
//!
//! A binding is only tried on messages that meet one of its conditions: it is filed under the
//! hashes of the header names and values that could make it match, and a message looks up each of
//! its headers. So a message's cost is that of its headers and of what is filed under them, not
//! that of all bindings.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use amq_protocol::types::{AMQPValue, FieldTable};
use smallvec::SmallVec;

use super::binding::BindingKey;
use super::destinations::{Collector, Destinations};
use super::header_match::{HeaderMatch, Mode};
use super::header_value::{Side, hash_for_match};
use super::{BindError, Routing};

#[derive(Debug, Clone)]
pub(super) struct Headers<D> {
    /// Bindings by the hash of a header that can make them match.
    filed: HashMap<u64, Destinations<Arc<Entry<D>>>>,
    /// Where bindings lead to that have no condition, and match every message.
    unconditional: Destinations<D>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry<D> {
    destination: D,
    binding: BindingKey,
    header_match: HeaderMatch,
}

impl<D: Eq> PartialEq for Entry<D> {
    fn eq(&self, other: &Self) -> bool {
        self.destination == other.destination && self.binding == other.binding
    }
}

impl<D: Eq> Eq for Entry<D> {}

impl<D: Hash> Hash for Entry<D> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.destination.hash(state);
        self.binding.hash(state);
    }
}

impl<D: Clone + Eq + Hash> Headers<D> {
    pub(super) fn new() -> Self {
        Self {
            filed: HashMap::new(),
            unconditional: Destinations::new(),
            hasher: RandomState::new(),
        }
    }

    /// Whether any binding looks at headers.
    pub(super) fn needs_headers(&self) -> bool {
        !self.filed.is_empty()
    }

    pub(super) fn add(&mut self, destination: &D, binding: &BindingKey) -> Result<(), BindError> {
        let entry = Arc::new(Entry::new(destination, binding)?);
        if entry.is_unconditional() {
            self.unconditional.add(destination);
        }
        for place in self.places(&entry.header_match) {
            self.filed.entry(place).or_insert_with(Destinations::new).add(&entry);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, destination: &D, binding: &BindingKey) {
        let Ok(entry) = Entry::new(destination, binding).map(Arc::new) else { return };
        if entry.is_unconditional() {
            self.unconditional.remove(destination);
        }
        for place in self.places(&entry.header_match) {
            let Some(entries) = self.filed.get_mut(&place) else { continue };
            entries.remove(&entry);
            if entries.is_empty() {
                self.filed.remove(&place);
            }
        }
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        self.unconditional.collect(out);
        let headers = message.headers.filter(|_| self.needs_headers());
        for (name, value) in headers.into_iter().flatten() {
            let value_place = self.place(name.as_str(), Some((value, Side::Message)));
            for place in [value_place, self.place(name.as_str(), None)] {
                for entry in self.filed.get(&place).into_iter().flat_map(Destinations::iter) {
                    entry.try_on(message.headers, out);
                }
            }
        }
    }

    /// Where a binding is filed: `any` under each of its conditions, `all` under one that says
    /// more than that a header is there, if it has one.
    fn places(&self, header_match: &HeaderMatch) -> SmallVec<[u64; 4]> {
        let conditions = header_match.conditions();
        let place = |(name, value): &(_, _)| self.condition_place(name, value);
        match header_match.mode() {
            Mode::Any => {
                let mut places: SmallVec<[u64; 4]> = conditions.iter().map(place).collect();
                places.sort_unstable();
                places.dedup();
                places
            }
            Mode::All => {
                let by_value = conditions.iter().find(|(_, value)| *value != AMQPValue::Void);
                by_value.or(conditions.first()).map(place).into_iter().collect()
            }
        }
    }

    fn condition_place(&self, name: &amq_protocol::types::ShortString, value: &AMQPValue) -> u64 {
        let value = (*value != AMQPValue::Void).then_some((value, Side::Binding));
        self.place(name.as_str(), value)
    }

    /// The place of a header's name and value, or of its name alone.
    fn place(&self, name: &str, value: Option<(&AMQPValue, Side)>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        name.hash(&mut hasher);
        if let Some((value, side)) = value {
            hash_for_match(value, side, &mut hasher);
        }
        hasher.finish()
    }
}

impl<D: Clone + Eq + Hash> Entry<D> {
    fn new(destination: &D, binding: &BindingKey) -> Result<Self, BindError> {
        let header_match = HeaderMatch::parse(binding.arguments())?;
        Ok(Self { destination: destination.clone(), binding: binding.clone(), header_match })
    }

    fn is_unconditional(&self) -> bool {
        self.header_match.mode() == Mode::All && self.header_match.conditions().is_empty()
    }

    fn try_on(&self, headers: Option<&FieldTable>, out: &mut Collector<'_, D>) {
        if self.header_match.matches(headers) {
            out.push(&self.destination);
        }
    }
}
