//! Federation: exchanges and queues that get messages from others elsewhere
//! `[rabbitmq federation]`.
//!
//! Here is what it is without network: what upstreams may hold ([`upstream`]), how far messages
//! and bindings go ([`hops`]), which bindings have to be made upstream ([`bindings`]), which links
//! there ought to be. Who connects is a [`Linker`].

pub(crate) mod bindings;
pub(crate) mod hops;
pub(crate) mod status;
mod telling;
#[cfg(test)]
mod tests;
pub(crate) mod upstream;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use amq_protocol::types::FieldTable;
use regex::Regex;
use serde_json::Value;

use self::status::{LinkStatus, State};
use self::upstream::{Upstream, complaints, complaints_of_set};
use crate::access::ResourceKind;
use crate::base::field_value::{get, string};
use crate::base::herald::Herald;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::definitions::JsonObject;
use crate::link::validation::CheckLocal;
use crate::time::clock::Timestamp;

/// The components of the parameters that are upstreams and sets of them.
pub(crate) const UPSTREAM: &str = "federation-upstream";
pub(crate) const UPSTREAM_SET: &str = "federation-upstream-set";

/// The key of a policy that chooses upstreams by a regular expression.
const UPSTREAM_PATTERN: &str = "federation-upstream-pattern";

/// The set of all upstreams, which nobody defines.
const ALL: &str = "all";

/// A virtual host, and the name of a parameter in it.
type ParameterKey = (String, String);

/// Who makes links.
pub(crate) trait Linker: Send + Sync {
    /// There may be others to be made, or to be ended.
    fn look(&self);

    /// Has this link begin anew.
    fn restart(&self, key: &LinkKey);
}

/// What tells links apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkKey {
    /// The virtual host here.
    pub host: String,
    /// Whether it is for a queue, or else for an exchange.
    pub is_queue: bool,
    /// The exchange or queue here.
    pub name: String,
    /// The upstream.
    pub upstream: String,
    /// The exchange or queue there.
    pub there: String,
}

/// A link.
pub(crate) struct Link {
    pub key: LinkKey,
    pub upstream: Upstream,
    /// The policy that wants it.
    pub policy: String,
    status: Mutex<LinkStatus, rank::FederationStatus>,
    herald: Arc<Herald>,
}

impl Link {
    /// A link that starts. What it does is told to this one.
    pub(crate) fn new(
        key: LinkKey,
        upstream: Upstream,
        policy: String,
        herald: &Arc<Herald>,
        now: Timestamp,
    ) -> Self {
        let status = LinkStatus {
            state: State::Starting,
            changed_at: now,
            uri: upstream.uris.first().map(ToString::to_string).unwrap_or_default(),
            last_error: None,
            received: 0,
        };
        let (status, herald) = (Mutex::new(status), Arc::clone(herald));
        Self { key, upstream, policy, status, herald }
    }

    /// What there is to be told of it.
    pub(crate) fn status(&self) -> LinkStatus {
        self.status.lock().clone()
    }

    /// What it does has changed.
    pub(crate) fn note(&self, state: State, now: Timestamp) {
        let mut status = self.status.lock();
        if let State::Failed { reason } = &state {
            status.last_error = Some((reason.clone(), now));
        }
        self.tell_status(&state, &status.uri);
        status.state = state;
        status.changed_at = now;
    }

    /// It is connected to this broker.
    pub(crate) fn connected(&self, uri: &str, connection: String, now: Timestamp) {
        self.status.lock().uri = uri.to_owned();
        self.note(State::Running { connection }, now);
    }

    /// So many messages have come.
    pub(crate) fn count(&self, received: u64) {
        self.status.lock().received += received;
    }

    /// What RabbitMQ's tools know it by: eight hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        format!("{:08x}", hasher.finish() & u64::from(u32::MAX))
    }
}

#[derive(Default)]
struct Parameters {
    upstreams: BTreeMap<ParameterKey, Value>,
    sets: BTreeMap<ParameterKey, Value>,
}

impl Parameters {
    fn of(&mut self, component: &str) -> &mut BTreeMap<ParameterKey, Value> {
        if component == UPSTREAM { &mut self.upstreams } else { &mut self.sets }
    }
}

/// The federation of a broker.
#[derive(Default)]
pub(crate) struct Federation {
    parameters: Mutex<Parameters, rank::Federation>,
    links: Mutex<BTreeMap<LinkKey, Arc<Link>>, rank::FederationLinks>,
    linker: OnceLock<Arc<dyn Linker>>,
}

impl Federation {
    /// From now on links are made by this one.
    pub(crate) fn linked_by(&self, linker: Arc<dyn Linker>) {
        // A broker has one.
        let _ = self.linker.set(linker);
    }

    /// Sets an upstream or a set of them; tells whether there was none of that name.
    ///
    /// # Errors
    /// All that is wrong with it, as RabbitMQ says it.
    pub(crate) fn set(
        &self,
        component: &str,
        key: ParameterKey,
        value: Value,
        local: CheckLocal<'_>,
    ) -> Result<bool, Vec<String>> {
        let wrong = match component {
            UPSTREAM => complaints(&key.1, &value, local),
            _ => complaints_of_set(&key.1, &value),
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let is_new = self.parameters.lock().of(component).insert(key, value).is_none();
        self.look();
        Ok(is_new)
    }

    /// Removes an upstream or a set; tells whether there was one.
    pub(crate) fn remove(&self, component: &str, key: &ParameterKey) -> bool {
        let removed = self.parameters.lock().of(component).remove(key).is_some();
        self.look();
        removed
    }

    /// The upstreams or sets of a virtual host.
    pub(crate) fn parameters(&self, component: &str, host: &str) -> Vec<(String, Value)> {
        let mut parameters = self.parameters.lock();
        let of_host = parameters.of(component).iter().filter(|((of, _), _)| of == host);
        of_host.map(|((_, name), value)| (name.clone(), value.clone())).collect()
    }

    fn look(&self) {
        if let Some(linker) = self.linker.get() {
            linker.look();
        }
    }

    /// Whether there is any upstream.
    pub(crate) fn is_used(&self) -> bool {
        !self.parameters.lock().upstreams.is_empty()
    }

    /// The upstreams of what has a policy with this definition.
    pub(crate) fn upstreams_of(
        &self,
        host: &str,
        local: &str,
        definition: &FieldTable,
    ) -> Vec<Upstream> {
        let parameters = self.parameters.lock();
        let named = |key: &str| get(definition, key).and_then(string);
        let of_host =
            parameters.upstreams.keys().filter(|(of, _)| of == host).map(|(_, name)| name);
        let alone = |name: &String| (name.clone(), JsonObject::new());
        let elements: Vec<(String, JsonObject)> =
            match (named(UPSTREAM), named(UPSTREAM_SET), named(UPSTREAM_PATTERN)) {
                (Some(name), _, _) => vec![alone(&name.to_owned())],
                (_, Some(ALL), _) => of_host.map(alone).collect(),
                (_, Some(set), _) => {
                    elements(parameters.sets.get(&(host.to_owned(), set.to_owned())))
                }
                (_, _, Some(pattern)) => {
                    let Ok(pattern) = Regex::new(pattern) else { return Vec::new() };
                    of_host.filter(|name| pattern.is_match(name)).map(alone).collect()
                }
                (None, None, None) => Vec::new(),
            };
        let known = elements.iter().filter_map(|(name, element)| {
            let upstream = parameters.upstreams.get(&(host.to_owned(), name.clone()))?;
            Some(Upstream::read(name, element, upstream.as_object()?, (host, local)))
        });
        known.collect()
    }

    /// The links that there are, by virtual host and name.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.links.lock().values().cloned().collect()
    }

    /// There is this link now, in place of one of the same key.
    pub(crate) fn add_link(&self, link: &Arc<Link>) {
        self.links.lock().insert(link.key.clone(), Arc::clone(link));
    }

    /// There is no such link any more.
    pub(crate) fn remove_link(&self, key: &LinkKey) {
        if let Some(removed) = self.links.lock().remove(key) {
            removed.tell_removed();
        }
    }

    /// Has the link with this id begin anew; tells whether there is one.
    pub(crate) fn restart(&self, id: &str) -> bool {
        let link = self.links().into_iter().find(|link| link.id() == id);
        if let (Some(link), Some(linker)) = (&link, self.linker.get()) {
            linker.restart(&link.key);
        }
        link.is_some()
    }
}

impl LinkKey {
    /// For an upstream of this exchange or queue.
    pub(crate) fn new(host: &str, kind: ResourceKind, name: &str, upstream: &Upstream) -> Self {
        let is_queue = kind == ResourceKind::Queue;
        let there = if is_queue { &upstream.queue } else { &upstream.exchange };
        Self {
            host: host.to_owned(),
            is_queue,
            name: name.to_owned(),
            upstream: upstream.name.clone(),
            there: there.clone(),
        }
    }
}

/// The elements of a set: each names an upstream.
fn elements(set: Option<&Value>) -> Vec<(String, JsonObject)> {
    let elements = set.and_then(Value::as_array).into_iter().flatten();
    let named = elements.filter_map(|element| {
        let element = element.as_object()?;
        Some((element.get("upstream")?.as_str()?.to_owned(), element.clone()))
    });
    named.collect()
}
