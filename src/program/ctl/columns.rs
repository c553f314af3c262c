//! Columns that lists have, by RabbitMQ's names, and where the HTTP API has what is in them.

use serde_json::{Map, Value};

use super::failure::{self, Failure};
use super::output::Said;

pub(super) const VHOSTS: [&str; 8] = [
    "name",
    "tracing",
    "cluster_state",
    "description",
    "tags",
    "default_queue_type",
    "metadata",
    "protected_from_deletion",
];

pub(super) const FEATURE_FLAGS: [&str; 6] =
    ["name", "state", "stability", "provided_by", "desc", "doc_url"];

pub(super) const DEPRECATED_FEATURES: [&str; 5] =
    ["name", "deprecation_phase", "provided_by", "desc", "doc_url"];

pub(super) const QUEUES: [&str; 37] = [
    "name",
    "durable",
    "auto_delete",
    "arguments",
    "policy",
    "operator_policy",
    "pid",
    "owner_pid",
    "exclusive",
    "exclusive_consumer_pid",
    "exclusive_consumer_tag",
    "messages_ready",
    "messages_unacknowledged",
    "messages",
    "messages_ready_ram",
    "messages_unacknowledged_ram",
    "messages_ram",
    "messages_persistent",
    "message_bytes",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "message_bytes_ram",
    "message_bytes_persistent",
    "head_message_timestamp",
    "disk_reads",
    "disk_writes",
    "consumers",
    "consumer_utilisation",
    "consumer_capacity",
    "memory",
    "state",
    "type",
    "leader",
    "members",
    "online",
    "effective_policy_definition",
    "single_active_consumer_tag",
];

pub(super) const UNRESPONSIVE_QUEUES: [&str; 8] = [
    "name",
    "durable",
    "auto_delete",
    "arguments",
    "pid",
    "recoverable_slaves",
    "members",
    "leader",
];

pub(super) const EXCHANGES: [&str; 7] =
    ["name", "type", "durable", "auto_delete", "internal", "arguments", "policy"];

pub(super) const BINDINGS: [&str; 6] = [
    "source_name",
    "source_kind",
    "destination_name",
    "destination_kind",
    "routing_key",
    "arguments",
];

pub(super) const CONNECTIONS: [&str; 30] = [
    "pid",
    "name",
    "port",
    "host",
    "peer_port",
    "peer_host",
    "ssl",
    "ssl_protocol",
    "ssl_key_exchange",
    "ssl_cipher",
    "ssl_hash",
    "peer_cert_subject",
    "peer_cert_issuer",
    "peer_cert_validity",
    "state",
    "channels",
    "protocol",
    "auth_mechanism",
    "user",
    "vhost",
    "timeout",
    "frame_max",
    "channel_max",
    "client_properties",
    "recv_oct",
    "recv_cnt",
    "send_oct",
    "send_cnt",
    "send_pend",
    "connected_at",
];

pub(super) const CHANNELS: [&str; 16] = [
    "pid",
    "connection",
    "name",
    "number",
    "user",
    "vhost",
    "transactional",
    "confirm",
    "consumer_count",
    "messages_unacknowledged",
    "messages_uncommitted",
    "acks_uncommitted",
    "messages_unconfirmed",
    "prefetch_count",
    "global_prefetch_count",
    "state",
];

pub(super) const CONSUMERS: [&str; 8] = [
    "queue_name",
    "channel_pid",
    "consumer_tag",
    "ack_required",
    "prefetch_count",
    "active",
    "activity_status",
    "arguments",
];

/// The columns that were asked for, else the default ones. Fails if there is one that is not known.
pub(super) fn chosen(
    asked: &[String],
    known: &[&str],
    default: &[&str],
) -> Result<Vec<String>, Failure> {
    let asked: Vec<&str> = asked.iter().flat_map(|text| text.split([',', ' '])).collect();
    let asked: Vec<&str> = asked.into_iter().filter(|name| !name.is_empty()).collect();
    let unknown: Vec<_> = asked.iter().filter(|name| !known.contains(name)).copied().collect();
    if !unknown.is_empty() {
        let text = format!(
            "Error (argument validation): Info key(s) {} are not supported\nKnown are: {}",
            unknown.join(","),
            known.join(", ")
        );
        return Err(Failure { code: failure::USAGE, text });
    }
    let names = if asked.is_empty() { default.to_vec() } else { asked };
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The rows of objects of the HTTP API.
pub(super) fn said(columns: Vec<String>, objects: &[Value], header_if_empty: bool) -> Said {
    let row = |object: &Value| -> Map<String, Value> {
        columns.iter().map(|column| (column.clone(), value(object, column))).collect()
    };
    let rows = objects.iter().map(row).collect();
    Said::Rows { columns, rows, header_if_empty }
}

/// What an object has for a column.
fn value(object: &Value, column: &str) -> Value {
    let at = |path: &str| object.pointer(path).cloned().unwrap_or(Value::String(String::new()));
    if let Some(value) = object.get(column) {
        return value.clone();
    }
    match column {
        // What has no process has its name.
        "pid" => at("/name"),
        "owner_pid" => at("/owner_pid_details/name"),
        "source_name" => at("/source"),
        "destination_name" => at("/destination"),
        "destination_kind" => at("/destination_type"),
        "source_kind" => Value::String("exchange".into()),
        "queue_name" => at("/queue/name"),
        "channel_pid" => at("/channel_details/name"),
        "connection" => at("/connection_details/name"),
        _ => Value::String(String::new()),
    }
}
