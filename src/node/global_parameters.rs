//! Runtime parameters of the whole node: any value under a name `[rabbitmq parameters]`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::lock::{RwLock, WriteGuard};
use crate::base::rank;

/// Parameters of the whole node, by name.
#[derive(Default)]
pub(crate) struct GlobalParameters(RwLock<BTreeMap<String, Value>, rank::GlobalParameters>);

impl GlobalParameters {
    /// To be changed.
    pub(super) fn write(&self) -> WriteGuard<'_, BTreeMap<String, Value>> {
        self.0.write()
    }

    /// The value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.0.read().get(name).cloned()
    }

    /// All of them, by name.
    pub(crate) fn list(&self) -> Vec<(String, Value)> {
        let all = self.0.read();
        all.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
