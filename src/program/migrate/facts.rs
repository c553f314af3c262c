//! What the destination is and has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ends::Ends;
use crate::program::ctl::failure::Failure;
use crate::program::ctl::session::{Session, part};

/// The name of a queue, after that of its virtual host.
pub(super) type QueueKey = (String, String);

/// What the destination is and has.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The version as it says it, and its first two numbers.
    pub version_text: String,
    pub version: (u64, u64),
    /// Whether it is a leveret, which is asked itself what it takes.
    pub is_leveret: bool,
    /// The types of exchanges that it knows.
    pub exchange_types: BTreeSet<String>,
    /// Its users and virtual hosts, which stay as they are.
    pub users: BTreeSet<String>,
    pub vhosts: BTreeSet<String>,
    /// Its queues.
    pub queues: BTreeMap<QueueKey, Value>,
    /// Whether the user that moves messages may publish in the name of others.
    pub impersonates: bool,
}

/// A text in an object; empty if it is not there.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number in an object; 0 if it is not there.
pub(super) fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// What an object is called, after its virtual host.
pub(super) fn key(object: &Value) -> QueueKey {
    (text(object, "vhost").to_owned(), text(object, "name").to_owned())
}

impl Facts {
    pub(super) fn of(destination: &Session, is_outward: bool) -> Result<Self, Failure> {
        let overview = destination.value("/api/overview")?;
        let version_text = text(&overview, "rabbitmq_version").to_owned();
        let mut numbers = version_text.split('.').map(|part| part.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let names = |path: &str| -> Result<BTreeSet<String>, Failure> {
            let objects = destination.list(path)?;
            Ok(objects.iter().map(|object| text(object, "name").to_owned()).collect())
        };
        let types = overview.get("exchange_types").and_then(Value::as_array);
        let types = types.into_iter().flatten().map(|kind| text(kind, "name").to_owned());
        let tags = destination.value("/api/whoami")?.get("tags").map(Value::to_string);
        Ok(Self {
            version_text,
            version,
            is_leveret: !is_outward,
            exchange_types: types.collect(),
            users: names("/api/users")?,
            vhosts: names("/api/vhosts")?,
            queues: queues(destination)?,
            impersonates: tags.unwrap_or_default().contains("impersonator"),
        })
    }

    /// Whether it is at least this version.
    pub(super) fn has(&self, major: u64, minor: u64) -> bool {
        self.version >= (major, minor)
    }
}

/// The queues of a server.
pub(super) fn queues(server: &Session) -> Result<BTreeMap<QueueKey, Value>, Failure> {
    let queues = server.list("/api/queues")?;
    Ok(queues.into_iter().map(|queue| (key(&queue), queue)).collect())
}

/// Messages that are on their way to be routed later, by the exchange that keeps them.
pub(super) fn delayed(ends: &Ends, exchanges: &[QueueKey]) -> Result<u64, Failure> {
    let mut messages = 0;
    for (vhost, name) in exchanges.iter().filter(|_| ends.is_outward) {
        let path = format!("/api/leveret/exchanges/{}/{}/delayed", part(vhost), part(name));
        messages += number(&ends.source.value(&path)?, "total");
    }
    Ok(messages)
}
