//! The exchange of events: what comes and goes, as messages.

#![allow(clippy::panic, reason = "tests")]

use std::time::Duration;

use leveret::{AMQPValue, Broker, Channel, Consumer, FieldTable, QueueDeclare};
use serde_json::{Value, json};

use crate::Api;

const PATH: &str = "/api/leveret/event-exchange";

/// A consumer of all events, and its channel.
fn listen(broker: &Broker) -> (Channel, Consumer) {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("events").unwrap();
    channel.queue_bind("events", "amq.rabbitmq.event", "#").unwrap();
    let consumer = channel.basic_consume("events").unwrap();
    (channel, consumer)
}

/// The next event of this name, whatever comes before it.
fn next(consumer: &Consumer, key: &str) -> Value {
    loop {
        let delivery = consumer.recv_timeout(Duration::from_secs(30));
        let delivery = delivery.unwrap_or_else(|| panic!("no event {key}"));
        let (is_meant, headers) = (delivery.routing_key() == key, delivery.properties());
        let headers = headers.headers().clone().unwrap_or_default();
        assert!(delivery.body().is_empty());
        delivery.ack().unwrap();
        if is_meant {
            return as_json(&headers);
        }
    }
}

fn as_json(table: &FieldTable) -> Value {
    let pairs = table.inner().iter();
    pairs.map(|(name, value)| (name.to_string(), value_as_json(value))).collect()
}

fn value_as_json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(flag) => json!(flag),
        AMQPValue::LongInt(number) => json!(number),
        AMQPValue::LongLongInt(number) => json!(number),
        AMQPValue::LongString(text) => json!(text.to_string()),
        AMQPValue::FieldTable(table) => as_json(table),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(value_as_json).collect(),
        other => panic!("{other:?}"),
    }
}

/// Fails unless an event tells this.
#[track_caller]
fn assert_tells(consumer: &Consumer, key: &str, told: &Value) -> Value {
    let event = next(consumer, key);
    for (name, value) in told.as_object().unwrap() {
        assert_eq!(&event[name], value, "{name} of {key}: {event}");
    }
    assert!(event["timestamp_in_ms"].is_number(), "{event}");
    event
}

/// A policy of an operator, and others that count or do not.
fn policies_of_queues_are_told(api: &Api, events: &Consumer) {
    let expect = |status, method: &str, path: &str, body: &str| {
        assert_eq!(api.call_as("ops", "pw", method, path, body).status, status, "{method} {path}");
    };
    expect(201, "PUT", "/api/queues/v/q1", r#"{"durable": true}"#);
    expect(201, "PUT", "/api/queues/v/x1", r#"{"durable": true}"#);
    let policy = r#"{"pattern": "^q", "definition": {"expires": 90000}, "priority": 2}"#;
    let (first, second) = ("/api/policies/v/first", "/api/policies/v/second");
    expect(201, "PUT", first, policy);
    let told = json!({"name": "q1", "vhost": "v", "type": "rabbit_classic_queue",
        "pattern": "^q", "priority": 2, "definition": {"expires": 90000}});
    assert_tells(events, "queue.policy.updated", &told);
    // Nothing changes by these.
    expect(204, "PUT", first, policy);
    let policy = r#"{"pattern": "1", "definition": {"expires": 80000}, "priority": 1}"#;
    expect(201, "PUT", second, policy);
    let told = json!({"name": "x1", "pattern": "1", "priority": 1});
    assert_tells(events, "queue.policy.updated", &told);
    expect(204, "DELETE", first, "");
    let event = assert_tells(events, "queue.policy.cleared", &json!({"name": "q1", "vhost": "v"}));
    assert_eq!(event["pattern"], Value::Null);
}

#[test]
fn queues_exchanges_and_bindings_are_told() {
    let api = Api::over(Broker::builder().event_exchange(true).build());
    let (channel, events) = listen(&api.broker);
    let by = "guest";
    let queue = QueueDeclare::new("q").durable().argument("x-max-length", 5);
    channel.queue_declare_with(&queue).unwrap();
    let told = json!({"name": "q", "vhost": "/", "durable": true, "auto_delete": false,
        "exclusive": false, "arguments": {"x-max-length": 5}, "owner_pid": "",
        "user_who_performed_action": by});
    assert_tells(&events, "queue.created", &told);
    channel.exchange_declare("x", "topic").unwrap();
    let told = json!({"name": "x", "type": "topic", "vhost": "/", "internal": false,
        "durable": false, "user_who_performed_action": by});
    assert_tells(&events, "exchange.created", &told);
    channel.queue_bind("q", "x", "a.#").unwrap();
    let told = json!({"source_name": "x", "source_kind": "exchange", "destination_name": "q",
        "destination_kind": "queue", "routing_key": "a.#", "arguments": {}, "vhost": "/"});
    assert_tells(&events, "binding.created", &told);
    channel.exchange_delete("x").unwrap();
    assert_tells(&events, "binding.deleted", &told);
    let told = json!({"name": "x", "vhost": "/", "user_who_performed_action": by});
    assert_tells(&events, "exchange.deleted", &told);
    channel.queue_delete("q").unwrap();
    assert_tells(&events, "queue.deleted", &json!({"name": "q", "vhost": "/"}));
}

#[test]
fn connections_channels_and_consumers_are_told_by_name() {
    let api = Api::over(Broker::builder().event_exchange(true).build());
    let (_channel, events) = listen(&api.broker);
    let connection = api.broker.connect().unwrap();
    let opened = json!({"user": "guest", "vhost": "/", "protocol": "Direct 0-9-1",
        "type": "direct", "ssl": false});
    let name = assert_tells(&events, "connection.created", &opened)["name"].clone();
    let other = connection.open_channel().unwrap();
    let channel = format!("{} (1)", name.as_str().unwrap());
    let told = json!({"connection": name, "name": channel, "pid": channel, "number": 1,
        "user": "guest", "vhost": "/"});
    assert_tells(&events, "channel.created", &told);
    other.queue_declare("q").unwrap();
    let consumer = other.basic_consume("q").unwrap();
    let told = json!({"queue": "q", "vhost": "/", "channel": channel, "ack_required": true,
        "exclusive": false, "prefetch_count": 0, "user_who_performed_action": "guest"});
    let tag = assert_tells(&events, "consumer.created", &told)["consumer_tag"].clone();
    drop((consumer, other, connection));
    let told = json!({"queue": "q", "consumer_tag": tag, "channel": channel});
    assert_tells(&events, "consumer.deleted", &told);
    assert_tells(&events, "channel.closed", &json!({"name": channel}));
    assert_tells(&events, "connection.closed", &json!({"name": name, "pid": name}));
}

#[test]
fn what_is_done_over_http_is_told_with_who_did_it() {
    let api = Api::over(Broker::builder().event_exchange(true).build());
    let (_channel, events) = listen(&api.broker);
    api.expect(201, "PUT", "/api/users/ops", r#"{"password": "pw", "tags": "administrator"}"#);
    let who = "user_who_performed_action";
    assert_tells(&events, "user.created", &json!({"name": "ops", who: "guest"}));
    assert_tells(&events, "user.tags.set", &json!({"name": "ops", "tags": ["administrator"]}));
    let put = |status, path: &str, body: &str| {
        let answer = api.call_as("ops", "pw", "PUT", path, body);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    };
    let delete = |path: &str| assert_eq!(api.call_as("ops", "pw", "DELETE", path, "").status, 204);
    put(201, "/api/vhosts/v", r#"{"description": "d", "tags": "a,b"}"#);
    let told = json!({"name": "v", "description": "d", "tags": ["a", "b"], "tracing": false,
        who: "ops"});
    assert_tells(&events, "vhost.created", &told);
    let told = json!({"user": "ops", "vhost": "v", "configure": ".*", who: "ops"});
    assert_tells(&events, "permission.created", &told);
    let policy = r#"{"pattern": "^q", "definition": {"max-length": 3}, "apply-to": "queues"}"#;
    put(201, "/api/policies/v/p", policy);
    let told = json!({"name": "p", "vhost": "v", "pattern": "^q", "apply-to": "queues",
        "definition": {"max-length": 3}, "priority": 0, who: "ops"});
    assert_tells(&events, "policy.set", &told);
    delete("/api/policies/v/p");
    assert_tells(&events, "policy.cleared", &json!({"name": "p", "vhost": "v"}));
    policies_of_queues_are_told(&api, &events);
    put(201, "/api/global-parameters/g", r#"{"value": {"a": 1}}"#);
    let told = json!({"component": "global", "name": "g", "value": {"a": 1}, who: "ops"});
    assert_tells(&events, "parameter.set", &told);
    put(204, "/api/vhost-limits/v/max-queues", r#"{"value": 7}"#);
    assert_tells(&events, "vhost.limits.set", &json!({"vhost": "v", "max-queues": 7}));
    put(204, "/api/users/ops", r#"{"password": "new", "tags": "administrator"}"#);
    assert_tells(&events, "user.password.changed", &json!({"name": "ops", who: "ops"}));
    api.expect(204, "DELETE", "/api/vhosts/v", "");
    assert_tells(&events, "vhost.deleted", &json!({"name": "v", who: "guest"}));
    api.expect(204, "DELETE", "/api/users/ops", "");
    assert_tells(&events, "user.deleted", &json!({"name": "ops"}));
}

#[test]
fn alarms_are_told() {
    let broker = Broker::builder().event_exchange(true).build();
    let (_channel, events) = listen(&broker);
    for (source, set) in [
        ("memory", Broker::set_memory_alarm as fn(&Broker, bool)),
        ("disk", Broker::set_disk_alarm),
    ] {
        set(&broker, true);
        let told = json!({"source": source, "user_who_performed_action": "rmq-internal"});
        assert!(assert_tells(&events, "alarm.set", &told)["node"].is_string());
        set(&broker, false);
        assert_tells(&events, "alarm.cleared", &json!({"source": source}));
    }
}

#[test]
fn what_shovels_do_is_told() {
    let api = Api::over(Broker::builder().event_exchange(true).build());
    let (_channel, events) = listen(&api.broker);
    let (path, key) = ("/api/parameters/shovel/%2F/moving", "shovel.worker.status");
    let shovel = r#"{"value": {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://",
        "dest-queue": "b"}}"#;
    api.expect(201, "PUT", path, shovel);
    let told = |status: &str| json!({"name": "moving", "vhost": "/", "status": status});
    assert_tells(&events, key, &told("starting"));
    let running = assert_tells(&events, key, &told("running"));
    for name in ["src_uri", "dest_uri"] {
        assert!(running[name].as_str().unwrap().starts_with("amqp://"), "{running}");
    }
    api.expect(204, "DELETE", path, "");
    assert_tells(&events, "shovel.worker.removed", &json!({"name": "moving", "vhost": "/"}));
    let shovel = r#"{"value": {"src-uri": "amqp://127.0.0.1:1", "src-queue": "a",
        "dest-uri": "amqp://", "dest-queue": "b"}}"#;
    api.expect(201, "PUT", path, shovel);
    assert_tells(&events, key, &told("starting"));
    let terminated = assert_tells(&events, key, &told("terminated"));
    assert!(terminated["reason"].as_str().unwrap().contains("127.0.0.1:1"), "{terminated}");
}

#[test]
fn what_federation_links_do_is_told() {
    let api = Api::over(Broker::builder().event_exchange(true).build());
    let (_channel, events) = listen(&api.broker);
    api.expect(201, "PUT", "/api/vhosts/there", "");
    let upstream = r#"{"value": {"uri": "amqp:///there"}}"#;
    api.expect(201, "PUT", "/api/parameters/federation-upstream/%2F/up", upstream);
    let policy = r#"{"pattern": "^amq.topic$", "definition": {"federation-upstream": "up"},
        "apply-to": "exchanges"}"#;
    api.expect(201, "PUT", "/api/policies/%2F/fed", policy);
    let link = json!({"exchange": "amq.topic", "upstream_exchange": "amq.topic",
        "type": "exchange", "vhost": "/", "upstream": "up"});
    let key = "federation.link.status";
    assert_eq!(assert_tells(&events, key, &link)["status"], "starting");
    let running = assert_tells(&events, key, &link);
    assert_eq!(running["status"], "running", "{running}");
    assert!(running["local_connection"].is_string(), "{running}");
    api.expect(204, "DELETE", "/api/policies/%2F/fed", "");
    let removed = assert_tells(&events, "federation.link.removed", &link);
    assert_eq!(removed["id"], running["id"]);
}

#[test]
fn it_is_there_only_when_it_was_asked_for() {
    let api = Api::start();
    assert_eq!(api.expect(200, "GET", PATH, "").json(), json!({"enabled": false}));
    api.expect(404, "GET", "/api/exchanges/%2F/amq.rabbitmq.event", "");
    api.expect(204, "PUT", PATH, "");
    api.expect(204, "PUT", PATH, "");
    let exchange = api.expect(200, "GET", "/api/exchanges/%2F/amq.rabbitmq.event", "").json();
    let told = [&exchange["type"], &exchange["internal"], &exchange["durable"]];
    assert_eq!(told, [&json!("topic"), &json!(true), &json!(true)]);
    let plugins = || api.expect(200, "GET", "/api/nodes", "").json()[0]["enabled_plugins"].clone();
    assert!(plugins().as_array().unwrap().contains(&json!("rabbitmq_event_exchange")));
    let (channel, events) = listen(&api.broker);
    channel.queue_declare("q").unwrap();
    next(&events, "queue.created");
    api.expect(204, "DELETE", PATH, "");
    assert!(!plugins().as_array().unwrap().contains(&json!("rabbitmq_event_exchange")));
    channel.queue_delete("q").unwrap();
    api.expect(204, "PUT", PATH, "");
    channel.queue_bind("events", "amq.rabbitmq.event", "#").unwrap();
    channel.queue_declare("other").unwrap();
    assert_eq!(next(&events, "queue.created")["name"], "other", "it is published to again");
}

#[cfg(feature = "durable")]
#[test]
fn it_survives_a_restart_with_its_bindings() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::builder().event_exchange(true).open(directory.path()).unwrap();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("kept").durable()).unwrap();
    channel.queue_bind("kept", "amq.rabbitmq.event", "queue.*").unwrap();
    drop((channel, broker));
    let broker = Broker::builder().open(directory.path()).unwrap();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let consumer = channel.basic_consume("kept").unwrap();
    channel.queue_declare("q").unwrap();
    assert_eq!(next(&consumer, "queue.created")["name"], "q");
}
