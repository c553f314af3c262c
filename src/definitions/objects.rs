//! The objects of a definitions file, named and shaped as in RabbitMQ's export
//! `[rabbitmq definitions]`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{JsonObject, null_as_default, object_or_pairs, tags};

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserDefinition {
    /// The login name.
    pub name: String,
    /// Base64 of salt and digest; absent or empty for a user without password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// How `password_hash` was made; absent means `rabbit_password_hashing_sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashing_algorithm: Option<String>,
    /// The password itself, in files that people write. Never exported.
    #[serde(default, skip_serializing)]
    pub password: Option<String>,
    /// The user's tags; read from a list or from text with commas.
    #[serde(default, deserialize_with = "tags")]
    pub tags: Vec<String>,
    /// `max-connections` and `max-channels`; absent or negative is no limit.
    #[serde(default, deserialize_with = "object_or_pairs")]
    pub limits: JsonObject,
}

/// A virtual host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VirtualHostDefinition {
    /// Its name, such as `/`.
    pub name: String,
    /// A text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags for people and tools; read from a list or from text with commas.
    #[serde(default, deserialize_with = "tags")]
    pub tags: Vec<String>,
    /// The type of queues that are declared without `x-queue-type`. Read it with
    /// [`VirtualHostDefinition::default_queue_type`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_queue_type: Option<String>,
    /// The same properties once more, as newer exports have them.
    #[serde(default, deserialize_with = "object_or_pairs")]
    pub metadata: JsonObject,
}

impl VirtualHostDefinition {
    /// The type of queues that are declared without `x-queue-type`, from wherever the file has
    /// it.
    pub fn default_queue_type(&self) -> Option<&str> {
        let in_metadata = || self.metadata.get("default_queue_type").and_then(Value::as_str);
        // RabbitMQ 3.11 exports the text "undefined" for none.
        self.default_queue_type.as_deref().or_else(in_metadata).filter(|name| *name != "undefined")
    }
}

/// A user's permissions in a virtual host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PermissionDefinition {
    /// Whose permissions.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// Pattern of the names that may be configured; empty for none.
    pub configure: String,
    /// Pattern of the names that may be written to; empty for none.
    pub write: String,
    /// Pattern of the names that may be read from; empty for none.
    pub read: String,
}

/// A user's permissions on the keys of a topic exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopicPermissionDefinition {
    /// Whose permissions.
    pub user: String,
    /// Where.
    pub vhost: String,
    /// On which topic exchange.
    pub exchange: String,
    /// Pattern of the routing keys that may be published to.
    pub write: String,
    /// Pattern of the binding keys that may be bound.
    pub read: String,
}

/// A runtime parameter of a virtual host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParameterDefinition {
    /// Absent in the export of a single virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// What the parameter is for, such as `vhost-limits`.
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(default)]
    pub value: Value,
}

/// A runtime parameter of the whole broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GlobalParameterDefinition {
    /// Its name, such as `cluster_name`.
    pub name: String,
    /// Its value.
    #[serde(default)]
    pub value: Value,
}

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyDefinition {
    /// Absent in the export of a single virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// Its name.
    pub name: String,
    /// Pattern of the names that it applies to.
    pub pattern: String,
    /// `queues`, `classic_queues`, `quorum_queues`, `streams`, `exchanges` or `all`.
    #[serde(rename = "apply-to", default = "apply_to_all")]
    pub apply_to: String,
    /// What it sets.
    #[serde(default, deserialize_with = "object_or_pairs")]
    pub definition: JsonObject,
    /// The highest wins.
    #[serde(default, deserialize_with = "null_as_default")]
    pub priority: i64,
}

fn apply_to_all() -> String {
    "all".to_owned()
}

fn yes() -> bool {
    true
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueDefinition {
    /// Its name.
    pub name: String,
    /// Absent in the export of a single virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// Whether it survives a restart; absent means yes.
    #[serde(default = "yes")]
    pub durable: bool,
    /// Whether it goes with its last consumer; absent means no.
    #[serde(default)]
    pub auto_delete: bool,
    /// `classic`, `quorum` or `stream`; the argument `x-queue-type` decides where both are given.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub queue_type: Option<String>,
    /// Its optional arguments; see [`to_field_table`](super::to_field_table).
    #[serde(default, deserialize_with = "object_or_pairs")]
    pub arguments: JsonObject,
}

/// An exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeDefinition {
    /// Its name.
    pub name: String,
    /// Absent in the export of a single virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// Its type, such as `topic`.
    #[serde(rename = "type")]
    pub exchange_type: String,
    /// Whether it survives a restart; absent means yes.
    #[serde(default = "yes")]
    pub durable: bool,
    /// Whether it goes with its last binding; absent means no.
    #[serde(default)]
    pub auto_delete: bool,
    /// Whether only other exchanges may publish to it; absent means no.
    #[serde(default)]
    pub internal: bool,
    /// Its optional arguments; see [`to_field_table`](super::to_field_table).
    #[serde(default, deserialize_with = "object_or_pairs")]
    pub arguments: JsonObject,
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationType {
    /// A queue.
    #[default]
    Queue,
    /// An exchange.
    Exchange,
}

/// A binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BindingDefinition {
    /// The exchange that it leads from.
    pub source: String,
    /// Absent in the export of a single virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// The queue or exchange that it leads to.
    pub destination: String,
    /// Which of the two; absent means a queue.
    #[serde(default)]
    pub destination_type: DestinationType,
    /// The binding key.
    #[serde(default)]
    pub routing_key: String,
    /// Its arguments; see [`to_field_table`](super::to_field_table).
    #[serde(default, deserialize_with = "object_or_pairs")]
    pub arguments: JsonObject,
}
