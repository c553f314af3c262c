//! What the destination would refuse, or take and not do, and what to do instead. What depends on
//! nothing but the queue this server refuses itself; these rules are about versions, plugins and
//! the change of type by `--quorum`.

use serde_json::{Map, Value};

use super::facts::Facts;

/// What is wrong, and what to do instead.
pub(super) type Objection = (String, &'static str);

/// Plugins that bring types of exchanges, or the version that does.
const EXCHANGE_TYPES: &[(&str, &str)] = &[
    ("x-consistent-hash", "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange there"),
    (
        "x-delayed-message",
        "install rabbitmq_delayed_message_exchange there, or let a queue with x-message-ttl and a \
         dead-letter exchange delay messages",
    ),
    (
        "x-message-deduplication",
        "install rabbitmq_message_deduplication there, or have consumers find duplicates",
    ),
    ("x-modulus-hash", "rabbitmq-plugins enable rabbitmq_sharding there"),
    ("x-random", "rabbitmq-plugins enable rabbitmq_random_exchange there"),
    ("x-recent-history", "rabbitmq-plugins enable rabbitmq_recent_history_exchange there"),
    ("x-super-stream", "rabbitmq-plugins enable rabbitmq_stream there, from RabbitMQ 3.13 on"),
    ("x-local-random", "use a cluster of RabbitMQ 4.0, or x-random"),
];

/// Keys of policies with the version that brought them; others are as old as can be.
const POLICY_KEYS: &[(&str, (u64, u64))] = &[
    ("max-age", (3, 9)),
    ("stream-max-segment-size-bytes", (3, 9)),
    ("dead-letter-strategy", (3, 10)),
    ("queue-version", (3, 12)),
    ("consumer-timeout", (3, 12)),
    ("stream-filter-size-bytes", (3, 13)),
];

/// Arguments of classic queues that quorum queues do not have.
const NOT_OF_QUORUM: &[&str] =
    &["x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator"];

fn argument<'a>(queue: &'a Value, name: &str) -> Option<&'a Value> {
    queue.get("arguments").and_then(|arguments| arguments.get(name))
}

fn is_set(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The type of a queue.
pub(super) fn queue_type(queue: &Value) -> &str {
    argument(queue, "x-queue-type").and_then(Value::as_str).unwrap_or("classic")
}

/// Whether a queue goes when its last consumer does.
pub(super) fn is_auto_delete(queue: &Value) -> bool {
    is_set(queue, "auto_delete")
}

/// Makes a quorum queue of a classic one that is durable; an objection if it cannot be one.
pub(super) fn make_quorum(queue: &mut Value) -> Option<Objection> {
    let is_lasting = is_set(queue, "durable") && !is_auto_delete(queue);
    if queue_type(queue) != "classic" || !is_lasting {
        return None;
    }
    for name in NOT_OF_QUORUM {
        if argument(queue, name).is_none() {
            continue;
        }
        if *name == "x-max-priority" {
            let why = "quorum queues have no priorities (x-max-priority)".to_owned();
            return Some((why, "leave it classic, or make a queue for each priority"));
        }
        // The others say how a classic queue keeps its messages, and nothing about what it does.
        queue.get_mut("arguments").and_then(Value::as_object_mut)?.remove(*name);
    }
    if argument(queue, "x-overflow").and_then(Value::as_str) == Some("reject-publish-dlx") {
        let why = "quorum queues do not know x-overflow reject-publish-dlx".to_owned();
        return Some((why, "leave it classic, or use reject-publish or drop-head"));
    }
    if let Some(fields) = queue.as_object_mut() {
        let arguments = fields.entry("arguments").or_insert_with(|| Map::new().into());
        arguments.as_object_mut()?.insert("x-queue-type".into(), "quorum".into());
    }
    None
}

/// What is wrong with a queue.
pub(super) fn queue(queue: &Value, facts: &Facts) -> Option<Objection> {
    let is = |kind: &str| queue_type(queue) == kind;
    let since = |what: &str, version: &str| format!("{what} is known from RabbitMQ {version} on");
    if is("stream") && !facts.has(3, 9) {
        return Some((since("x-queue-type stream", "3.9"), "upgrade the cluster"));
    }
    if is("quorum") && !facts.has(3, 8) {
        return Some((since("x-queue-type quorum", "3.8"), "upgrade the cluster"));
    }
    if is("quorum") && argument(queue, "x-message-ttl").is_some() && !facts.has(3, 10) {
        let why = since("x-message-ttl of quorum queues", "3.10");
        return Some((why, "upgrade the cluster, or have publishers set expiration"));
    }
    let limit = argument(queue, "x-delivery-limit").and_then(Value::as_i64);
    if limit.is_some_and(|limit| limit < 0) && !facts.has(4, 0) {
        let why = since("x-delivery-limit below 0", "4.0");
        return Some((why, "declare it without: before 4.0 there is no limit by default"));
    }
    if argument(queue, "x-message-deduplication").is_some()
        && !facts.exchange_types.contains("x-message-deduplication")
    {
        let why = "x-message-deduplication needs the plugin rabbitmq_message_deduplication";
        return Some((why.to_owned(), "install it, or have consumers find duplicates"));
    }
    None
}

/// What is wrong with an exchange.
pub(super) fn exchange(exchange: &Value, facts: &Facts) -> Option<Objection> {
    let kind = exchange.get("type").and_then(Value::as_str).unwrap_or("direct");
    if facts.exchange_types.contains(kind) {
        return None;
    }
    let known = EXCHANGE_TYPES.iter().find(|(name, _)| *name == kind);
    let instead = known.map_or("declare it with another type", |(_, instead)| instead);
    Some((format!("the type {kind} is not known there"), instead))
}

/// What is wrong with a policy.
pub(super) fn policy(policy: &Value, facts: &Facts) -> Option<Objection> {
    let apply_to = policy.get("apply-to").and_then(Value::as_str).unwrap_or("all");
    if matches!(apply_to, "classic_queues" | "quorum_queues" | "streams") && !facts.has(3, 12) {
        let why = format!("apply-to {apply_to} is known from RabbitMQ 3.12 on");
        return Some((why, "apply it to queues, with a pattern that finds these alone"));
    }
    let definition = policy.get("definition").and_then(Value::as_object)?;
    let is_new = |&&(name, (major, minor)): &&(&str, (u64, u64))| {
        definition.contains_key(name) && !facts.has(major, minor)
    };
    if let Some((name, (major, minor))) = POLICY_KEYS.iter().find(is_new) {
        let why = format!("{name} is known from RabbitMQ {major}.{minor} on");
        return Some((why, "leave it out of the policy, or upgrade the cluster"));
    }
    let of_federation = definition.keys().any(|name| name.starts_with("federation-"));
    of_federation.then(|| {
        let why = "it asks for federation, whose links belong to one place".to_owned();
        (why, "set it there with its upstreams, by hand")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(version: (u64, u64)) -> Facts {
        let exchange_types = ["direct", "fanout"].map(str::to_owned).into();
        Facts { version, exchange_types, ..Facts::default() }
    }

    #[test]
    fn a_classic_queue_becomes_a_quorum_queue_without_what_is_of_classic_queues_alone() {
        let mut queue = json!({"name": "q", "durable": true, "auto_delete": false,
            "arguments": {"x-queue-mode": "lazy", "x-max-length": 5}});
        assert_eq!(make_quorum(&mut queue), None);
        let expected = json!({"x-queue-type": "quorum", "x-max-length": 5});
        assert_eq!(queue["arguments"], expected);
        let mut transient = json!({"name": "q", "durable": false, "arguments": {}});
        assert_eq!(make_quorum(&mut transient), None);
        assert_eq!(queue_type(&transient), "classic");
    }

    #[test]
    fn priorities_keep_a_queue_from_becoming_a_quorum_queue() {
        let mut queue = json!({"durable": true, "arguments": {"x-max-priority": 5}});
        let (why, instead) = make_quorum(&mut queue).unwrap();
        assert!(why.contains("x-max-priority") && instead.contains("leave it classic"), "{why}");
    }

    #[test]
    fn what_a_version_does_not_know_is_told_with_what_to_do_instead() {
        let ttl = json!({"arguments": {"x-queue-type": "quorum", "x-message-ttl": 5}});
        assert!(queue(&ttl, &facts((3, 9))).unwrap().0.contains("3.10"));
        assert_eq!(queue(&ttl, &facts((3, 10))), None);
        let unlimited = json!({"arguments": {"x-queue-type": "quorum", "x-delivery-limit": -1}});
        assert!(queue(&unlimited, &facts((3, 13))).unwrap().0.contains("4.0"));
        let delayed = json!({"type": "x-delayed-message"});
        assert!(exchange(&delayed, &facts((3, 10))).unwrap().1.contains("delayed_message"));
        assert_eq!(exchange(&json!({"type": "fanout"}), &facts((3, 10))), None);
        let of_streams = json!({"apply-to": "streams", "definition": {"max-age": "1D"}});
        assert!(policy(&of_streams, &facts((3, 11))).unwrap().0.contains("3.12"));
        assert_eq!(policy(&of_streams, &facts((3, 12))), None);
    }
}
