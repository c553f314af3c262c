//! Store and forward: the section `[uplink]` of the configuration file. What the named queues and
//! exchanges get is kept here as long as the broker above cannot be reached, and goes there in
//! order, by a static shovel for each.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ConfigError;
use super::shovels::StaticShovels;
use super::values::ByteSize;
use leveret::internals::check_static_shovel;

/// Messages that are under way to the broker above at a time, unless the file says otherwise.
/// Enough to fill a line of 100 ms at 50,000 messages a second.
const PREFETCH: u16 = 5000;

/// The name of what belongs to the uplink begins with this.
const PREFIX: &str = "uplink.";

/// What the file says.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Uplink {
    /// The broker above: a URI, or several that are tried in turn.
    uri: Value,
    /// The virtual host here; the default one if it is not named.
    vhost: Option<String>,
    /// Queues here, each of which goes to that of the same name above.
    #[serde(default)]
    queues: Vec<String>,
    /// Topic or fanout exchanges here: what is published to them goes to those of the same name
    /// above, with the keys that it has.
    #[serde(default)]
    exchanges: Vec<String>,
    /// The type of queues that are declared above.
    queue_type: Option<String>,
    /// Octets that each queue here may have; further messages are refused, and their publishers
    /// told. Default: as much as the disk has room for.
    max_bytes: Option<ByteSize>,
    /// Messages that are under way at a time.
    prefetch: Option<u16>,
    /// Seconds until it tries again. Default 5.
    reconnect_delay_s: Option<u32>,
}

/// The URI may have a password, which is shown to nobody.
impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queues, exchanges, .. } = self;
        f.debug_struct("Uplink").field("queues", queues).field("exchanges", exchanges).finish()
    }
}

/// What an uplink is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UplinkParts {
    /// Its shovels.
    pub shovels: StaticShovels,
    /// The queues, exchanges and bindings that they take from, as definitions.
    pub definitions: Option<Value>,
}

impl Uplink {
    /// What it is made of.
    ///
    /// # Errors
    /// If it names nothing, or a key has a value that makes no sense.
    pub(super) fn parts(&self, default_vhost: &str) -> Result<UplinkParts, ConfigError> {
        if self.queues.is_empty() && self.exchanges.is_empty() {
            return Err(ConfigError::Refused("[uplink] must name queues or exchanges"));
        }
        let vhost = self.vhost.as_deref().unwrap_or(default_vhost);
        let mut shovels = BTreeMap::new();
        for queue in &self.queues {
            let kind = self.queue_type.as_deref().unwrap_or("quorum");
            let to = json!({"dest-queue": queue, "dest-queue-args": {"x-queue-type": kind}});
            shovels.insert(format!("{PREFIX}{queue}"), self.shovel(vhost, queue, to));
        }
        for exchange in &self.exchanges {
            let queue = format!("{PREFIX}{exchange}");
            let to = json!({ "dest-exchange": exchange });
            let name = format!("{PREFIX}exchange.{exchange}");
            shovels.insert(name, self.shovel(vhost, &queue, to));
        }
        for (name, value) in &shovels {
            let checked = check_static_shovel(name, value);
            checked.map_err(|wrong| ConfigError::Uplink(wrong.to_string()))?;
        }
        Ok(UplinkParts {
            shovels: StaticShovels(shovels),
            definitions: Some(self.definitions(vhost)),
        })
    }

    fn shovel(&self, vhost: &str, queue: &str, to: Value) -> Value {
        let host = percent_encoding::utf8_percent_encode(vhost, percent_encoding::NON_ALPHANUMERIC);
        let mut shovel = json!({
            "src-uri": format!("amqp:///{host}"),
            "src-queue": queue,
            "src-prefetch-count": self.prefetch.unwrap_or(PREFETCH),
            "dest-uri": self.uri,
            "ack-mode": "on-confirm",
            "reconnect-delay": self.reconnect_delay_s.unwrap_or(5),
        });
        if let (Value::Object(shovel), Value::Object(to)) = (&mut shovel, to) {
            shovel.extend(to);
        }
        shovel
    }

    fn definitions(&self, vhost: &str) -> Value {
        let arguments = match self.max_bytes {
            Some(ByteSize(most)) => {
                json!({"x-max-length-bytes": most, "x-overflow": "reject-publish"})
            }
            None => json!({}),
        };
        let queue = |name: &str| {
            json!({"vhost": vhost, "name": name, "durable": true, "auto_delete": false,
                "arguments": arguments})
        };
        let kept = self.exchanges.iter().map(|exchange| format!("{PREFIX}{exchange}"));
        let queues: Vec<_> = self.queues.iter().cloned().chain(kept).map(|n| queue(&n)).collect();
        let exchanges = self.exchanges.iter().map(|exchange| {
            json!({"vhost": vhost, "name": exchange, "type": "topic", "durable": true,
                "auto_delete": false, "internal": false, "arguments": {}})
        });
        let bindings = self.exchanges.iter().map(|exchange| {
            json!({"vhost": vhost, "source": exchange, "destination": format!("{PREFIX}{exchange}"),
                "destination_type": "queue", "routing_key": "#", "arguments": {}})
        });
        json!({
            "queues": queues,
            "exchanges": exchanges.collect::<Vec<_>>(),
            "bindings": bindings.collect::<Vec<_>>(),
        })
    }
}
