//! Shovels: messages that move by themselves, from one broker to another or within one
//! `[rabbitmq shovel]`.
//!
//! Here is what a shovel is, without clock and network: what may be asked for
//! ([`definition`], [`checks`]), what has been taken and what has arrived ([`machine`]), what
//! messages get on their way ([`forward`]), and which there are. Who carries messages is a
//! [`Carrier`].

mod checks;
pub(crate) mod definition;
pub(crate) mod forward;
pub(crate) mod machine;
pub(crate) mod status;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use self::definition::Definition;
use self::status::{ShovelStatus, State};
use crate::base::herald::Herald;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::time::clock::Timestamp;

/// The component of the parameters that are shovels.
pub(crate) const COMPONENT: &str = "shovel";

/// A virtual host, and the name of a shovel in it. Static shovels are in none: theirs is empty.
pub(crate) type Key = (String, String);

/// A static shovel: its name, what it is asked to do, and the same as it was written.
pub(crate) type StaticShovel = (String, Definition, Value);

/// Who carries messages.
pub(crate) trait Carrier: Send + Sync {
    /// A shovel is to be carried from now on, in place of one of the same key.
    fn start(&self, shovel: &Arc<Shovel>);

    /// The shovel of this key is not to be carried any more.
    fn stop(&self, key: &Key);
}

/// A shovel that was set.
pub(crate) struct Shovel {
    /// Its virtual host and its name.
    pub key: Key,
    /// What it is asked to do.
    pub definition: Definition,
    /// The same, as it was set.
    value: Value,
    status: Mutex<ShovelStatus, rank::ShovelStatus>,
    herald: Arc<Herald>,
}

impl Shovel {
    fn new(
        key: Key,
        definition: Definition,
        value: Value,
        herald: &Arc<Herald>,
        now: Timestamp,
    ) -> Arc<Self> {
        let (status, herald) = (Mutex::new(ShovelStatus::starting(now)), Arc::clone(herald));
        Arc::new(Self { key, definition, value, status, herald })
    }

    /// Whether it was set by the configuration, and not as a parameter of a virtual host.
    pub(crate) fn is_static(&self) -> bool {
        self.key.0.is_empty()
    }

    /// The virtual host that it belongs to, if it is not static.
    pub(crate) fn virtual_host(&self) -> Option<&str> {
        Some(self.key.0.as_str()).filter(|host| !host.is_empty())
    }

    /// What there is to be told of it.
    pub(crate) fn status(&self) -> ShovelStatus {
        self.status.lock().clone()
    }

    /// What it does has changed.
    pub(crate) fn note(&self, state: State, now: Timestamp) {
        let mut status = self.status.lock();
        if let State::Terminated { reason, .. } = &state {
            status.last_error = Some((reason.clone(), now));
        }
        self.tell_status(&state);
        status.state = state;
        status.changed_at = now;
    }

    /// What was counted has changed.
    pub(crate) fn count(&self, update: impl FnOnce(&mut ShovelStatus)) {
        update(&mut self.status.lock());
    }
}

/// The shovels of a broker.
#[derive(Default)]
pub(crate) struct Shovels {
    all: Mutex<BTreeMap<Key, Arc<Shovel>>, rank::Shovels>,
    carrier: OnceLock<Arc<dyn Carrier>>,
    herald: Arc<Herald>,
}

impl Shovels {
    /// None yet. What they do is told to this one.
    pub(crate) fn new(herald: &Arc<Herald>) -> Self {
        Self { herald: Arc::clone(herald), ..Self::default() }
    }

    /// From now on shovels are carried, those that there are and those to come.
    pub(crate) fn carried_by(&self, carrier: Arc<dyn Carrier>) {
        let all = self.all.lock();
        // A broker has one.
        if self.carrier.set(Arc::clone(&carrier)).is_ok() {
            all.values().for_each(|shovel| carrier.start(shovel));
        }
    }

    /// Sets a shovel, in place of one of the same name; tells whether there was none. One that is
    /// set as it was goes on undisturbed.
    pub(crate) fn set(
        &self,
        key: Key,
        definition: Definition,
        value: Value,
        now: Timestamp,
    ) -> bool {
        let mut all = self.all.lock();
        let before = all.get(&key);
        let is_new = before.is_none();
        if before.is_some_and(|before| before.value == value) {
            return false;
        }
        let shovel = Shovel::new(key.clone(), definition, value, &self.herald, now);
        all.insert(key, Arc::clone(&shovel));
        self.start(&shovel);
        is_new
    }

    /// From now on these are the static shovels. Those that are as they were go on undisturbed.
    pub(crate) fn set_static(&self, wanted: Vec<StaticShovel>, now: Timestamp) {
        let of_before = self.list().into_iter().filter(|shovel| shovel.is_static());
        for shovel in of_before {
            if !wanted.iter().any(|(name, ..)| *name == shovel.key.1) {
                self.remove(&shovel.key);
            }
        }
        for (name, definition, value) in wanted {
            self.set((String::new(), name), definition, value, now);
        }
    }

    /// Removes a shovel; tells whether there was one.
    pub(crate) fn remove(&self, key: &Key) -> bool {
        let mut all = self.all.lock();
        let Some(removed) = all.remove(key) else { return false };
        if let Some(carrier) = self.carrier.get() {
            carrier.stop(key);
        }
        removed.tell_removed();
        true
    }

    /// Ends the connections of a shovel and begins anew; tells whether there is one.
    pub(crate) fn restart(&self, key: &Key) -> bool {
        let all = self.all.lock();
        let shovel = all.get(key);
        if let Some(shovel) = shovel {
            self.start(shovel);
        }
        shovel.is_some()
    }

    fn start(&self, shovel: &Arc<Shovel>) {
        if let Some(carrier) = self.carrier.get() {
            carrier.start(shovel);
        }
    }

    /// All of them, by virtual host and name.
    pub(crate) fn list(&self) -> Vec<Arc<Shovel>> {
        self.all.lock().values().cloned().collect()
    }

    /// The parameters of a virtual host that are shovels: names and values.
    pub(crate) fn parameters(&self, virtual_host: &str) -> Vec<(String, Value)> {
        let all = self.all.lock();
        let of_host = all.values().filter(|shovel| shovel.virtual_host() == Some(virtual_host));
        of_host.map(|shovel| (shovel.key.1.clone(), shovel.value.clone())).collect()
    }
}
