//! What is remembered of a migration, as a parameter of this server: so it may be resumed from
//! anywhere, and after a restart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ends::Ends;
use super::facts::{QueueKey, key, number, text};
use crate::program::ctl::failure::{self, Failure};

/// The name of the parameter.
pub(super) const NAME: &str = "leveret_migration";

const PATH: &str = "/api/global-parameters/leveret_migration";

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Messages that each queue had at the destination before any were moved.
    pub before: BTreeMap<QueueKey, u64>,
    /// The watermark of the memory before publishers were held, in octets.
    pub watermark: Option<u64>,
    /// Permissions of users at the source before that to write was taken from them.
    pub permissions: Vec<Value>,
    /// Whether there was something to be remembered.
    pub is_under_way: bool,
}

fn direction(ends: &Ends) -> &'static str {
    if ends.is_outward { "to" } else { "from" }
}

impl State {
    /// What is remembered, of a migration between these ends.
    pub(super) fn load(ends: &Ends) -> Result<Self, Failure> {
        if !ends.here.has(PATH)? {
            return Ok(Self::default());
        }
        let found = ends.here.value(PATH)?;
        let value = found.get("value").cloned().unwrap_or_default();
        let (way, cluster) = (text(&value, "direction"), text(&value, "cluster"));
        if (way, cluster) != (direction(ends), &ends.cluster_shown()) {
            let text = format!(
                "a migration {way} {cluster} is under way: end it by leveret migrate --{way} ... \
                 --switch, or give it up by --stop"
            );
            return Err(Failure::new(failure::UNAVAILABLE, text));
        }
        let queues = value.get("queues").and_then(Value::as_array);
        let before =
            queues.into_iter().flatten().map(|queue| (key(queue), number(queue, "before")));
        let watermark = value.get("watermark").and_then(Value::as_u64);
        let permissions = value.get("permissions").and_then(Value::as_array).cloned();
        let permissions = permissions.unwrap_or_default();
        Ok(Self { before: before.collect(), watermark, permissions, is_under_way: true })
    }

    /// Remembers it.
    pub(super) fn save(&mut self, ends: &Ends) -> Result<(), Failure> {
        let queue = |((vhost, name), before): (&QueueKey, &u64)| {
            json!({
                "vhost": vhost, "name": name, "before": before,
            })
        };
        let queues: Vec<_> = self.before.iter().map(queue).collect();
        let value = json!({
            "direction": direction(ends), "cluster": ends.cluster_shown(),
            "watermark": self.watermark, "queues": queues, "permissions": self.permissions,
        });
        ends.here.put(PATH, &json!({ "name": NAME, "value": value }))?;
        self.is_under_way = true;
        Ok(())
    }

    /// Forgets it.
    pub(super) fn forget(ends: &Ends) -> Result<(), Failure> {
        ends.here.delete(PATH).map(drop)
    }
}
