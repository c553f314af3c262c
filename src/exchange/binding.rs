//! The bindings of one exchange, each known by destination, binding key and arguments.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use amq_protocol::types::FieldTable;
use smallvec::SmallVec;

use super::header_value;

/// Up to so many bindings a destination's list is searched from front to back; above, it is hashed.
const SCANNED_MAX: usize = 16;

/// One binding, as [`Router::bindings`](super::Router::bindings) lists it.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a, D> {
    /// Where messages go.
    pub destination: &'a D,
    /// The binding key.
    pub binding_key: &'a [u8],
    /// The arguments; `None` if there are none.
    pub arguments: Option<&'a FieldTable>,
}

/// A binding without its destination. Cheap to clone.
///
/// Two are equal if key and arguments are the same, whatever the arguments' order. Types count:
/// the short 1 and the long 1 make different bindings. Floats are the same if their bits are, so
/// that a binding that holds a NaN can be found again.
#[derive(Debug, Clone)]
pub(super) struct BindingKey {
    pub(super) key: Arc<[u8]>,
    arguments: Option<Arc<FieldTable>>,
}

impl BindingKey {
    pub(super) fn new(key: &[u8], arguments: &FieldTable) -> Self {
        let arguments = (!arguments.inner().is_empty()).then(|| Arc::new(arguments.clone()));
        Self { key: Arc::from(key), arguments }
    }

    pub(super) fn arguments(&self) -> Option<&FieldTable> {
        self.arguments.as_deref()
    }
}

impl PartialEq for BindingKey {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && match (&self.arguments, &other.arguments) {
                (None, None) => true,
                (Some(a), Some(b)) => header_value::same_table(a, b),
                _ => false,
            }
    }
}

impl Eq for BindingKey {}

impl Hash for BindingKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
        if let Some(arguments) = &self.arguments {
            header_value::hash_table(arguments, state);
        }
    }
}

/// Every binding of one exchange, by destination.
#[derive(Debug, Clone)]
pub(super) struct BindingSet<D> {
    by_destination: HashMap<D, Keys>,
    len: usize,
}

/// The bindings of one destination. Most have one, some have 100,000.
#[derive(Debug, Clone)]
enum Keys {
    Few(SmallVec<[BindingKey; 1]>),
    Many(HashSet<BindingKey>),
}

impl<D: Clone + Eq + Hash> BindingSet<D> {
    pub(super) fn new() -> Self {
        Self { by_destination: HashMap::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, destination: &D, binding: &BindingKey) -> bool {
        self.by_destination.get(destination).is_some_and(|keys| keys.contains(binding))
    }

    /// Adds a binding that is not there yet.
    pub(super) fn insert(&mut self, destination: D, binding: BindingKey) {
        let keys = self.by_destination.entry(destination);
        keys.or_insert_with(|| Keys::Few(SmallVec::new())).insert(binding);
        self.len += 1;
    }

    /// Removes a binding; `false` if there was none.
    pub(super) fn remove(&mut self, destination: &D, binding: &BindingKey) -> bool {
        let Some(keys) = self.by_destination.get_mut(destination) else {
            return false;
        };
        if !keys.remove(binding) {
            return false;
        }
        if keys.len() == 0 {
            self.by_destination.remove(destination);
        }
        self.len -= 1;
        true
    }

    /// Removes up to `max` bindings of a destination, any of them, and returns them.
    pub(super) fn remove_some(&mut self, destination: &D, max: usize) -> Vec<BindingKey> {
        let some: Vec<_> = match self.by_destination.get_mut(destination) {
            Some(Keys::Many(set)) if set.len() > max => {
                set.extract_if(|_| true).take(max).collect()
            }
            _ => match self.by_destination.remove(destination) {
                None => Vec::new(),
                Some(Keys::Few(list)) => list.into_vec(),
                Some(Keys::Many(set)) => set.into_iter().collect(),
            },
        };
        self.len -= some.len();
        some
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Binding<'_, D>> {
        self.by_destination.iter().flat_map(|(destination, keys)| {
            keys.iter().map(move |binding| Binding {
                destination,
                binding_key: &binding.key,
                arguments: binding.arguments(),
            })
        })
    }
}

impl Keys {
    fn contains(&self, binding: &BindingKey) -> bool {
        match self {
            Self::Few(list) => list.contains(binding),
            Self::Many(set) => set.contains(binding),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(set) => set.len(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &BindingKey> {
        let (list, set) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(set) => (None, Some(set)),
        };
        list.into_iter().flatten().chain(set.into_iter().flatten())
    }

    fn insert(&mut self, binding: BindingKey) {
        match self {
            Self::Few(list) if list.len() < SCANNED_MAX => list.push(binding),
            Self::Few(list) => {
                let mut set: HashSet<_> = list.drain(..).collect();
                set.insert(binding);
                *self = Self::Many(set);
            }
            Self::Many(set) => {
                set.insert(binding);
            }
        }
    }

    fn remove(&mut self, binding: &BindingKey) -> bool {
        match self {
            Self::Few(list) => {
                let position = list.iter().position(|each| each == binding);
                position.map(|position| list.swap_remove(position)).is_some()
            }
            Self::Many(set) => set.remove(binding),
        }
    }
}
