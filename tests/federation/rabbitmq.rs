//! Federation with a RabbitMQ upstream, and with one downstream. Skipped, with a line, where none
//! is installed.

use leveret::{Broker, Consume, QueueDeclare};
use serde_json::{Value, json};

use crate::rabbitmq_node::RabbitMq;
use crate::{Federated, SOON, numbers};

/// What RabbitMQ has from the beginning: an exchange and a queue that have this broker upstream,
/// and others that are upstream of it.
fn definitions(upstream: &str) -> Value {
    let queue = |name: &str| {
        json!({"vhost": "/", "name": name, "durable": true, "auto_delete": false,
            "arguments": {}})
    };
    let exchange = |name: &str| {
        json!({"vhost": "/", "name": name, "type": "topic", "durable": true,
            "auto_delete": false, "internal": false, "arguments": {}})
    };
    json!({
        "vhosts": [{"name": "/"}],
        "users": [{"name": "guest", "password": "guest", "tags": "administrator"}],
        "permissions": [{"user": "guest", "vhost": "/", "configure": ".*", "write": ".*",
            "read": ".*"}],
        "parameters": [{"vhost": "/", "component": "federation-upstream", "name": "leveret",
            "value": {"uri": upstream, "reconnect-delay": 1}}],
        "policies": [{"vhost": "/", "name": "down", "pattern": "^down", "apply-to": "all",
            "definition": {"federation-upstream": "leveret"}, "priority": 0}],
        "queues": [queue("downqueue"), queue("jobs"), queue("kept")],
        "exchanges": [exchange("downstream"), exchange("events")],
        "bindings": [{"vhost": "/", "source": "downstream", "destination": "kept",
            "destination_type": "queue", "routing_key": "k.#", "arguments": {}}],
    })
}

/// Has a shovel bring messages from this broker to the RabbitMQ, or from there.
fn shovel(broker: &Broker, name: &str, value: &Value) {
    let host = broker.virtual_host("/").unwrap();
    host.set_parameter("shovel", name, &value.to_string()).unwrap();
}

#[test]
fn messages_come_from_a_rabbitmq_and_go_to_one() {
    let Some(mut rabbitmq) = RabbitMq::installed() else { return };
    let broker = Broker::new().named("leveret");
    let file = rabbitmq.path("definitions.json");
    std::fs::write(&file, definitions(&broker.uri()).to_string()).unwrap();
    let load = format!("load_definitions = {}\n", file.display());
    rabbitmq.configure("rabbitmq_federation", &load);
    rabbitmq.boot();
    from_an_exchange(&broker, &rabbitmq.uri);
    from_a_queue(&broker, &rabbitmq.uri);
    to_an_exchange(&broker, &rabbitmq.uri);
    to_a_queue(&broker, &rabbitmq.uri);
    through_a_restart(&broker, &mut rabbitmq);
}

fn from_an_exchange(broker: &Broker, uri: &str) {
    broker.exchange("events");
    broker.bound("here", "events", "a.*");
    broker.federate("events", uri, json!({}));
    broker.wait_for_links(1, "running");
    publish(broker, uri, "events", "a.b", 0..100);
    broker.wait_for_ready("here", 100);
    assert_eq!(broker.drain("here"), numbers(0..100));
    broker.bound("more", "events", "c.d");
    // What is bound is bound upstream a moment later; what is published before that is not meant.
    let mut rounds = 0..;
    let came = broker.wait_until(SOON, |broker| {
        let round = rounds.next().unwrap_or_default();
        publish(broker, uri, "events", "c.d", round..round + 1);
        !broker.drain("more").is_empty()
    });
    came.unwrap();
}

/// Publishes numbers to an exchange of the RabbitMQ, by a shovel.
fn publish(broker: &Broker, uri: &str, exchange: &str, key: &str, what: std::ops::Range<u32>) {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("out").durable()).unwrap();
    let count = what.len();
    what.for_each(|number| broker.tell("", "out", &number.to_string()));
    let to = json!({"src-uri": "amqp://", "src-queue": "out", "dest-uri": uri,
        "dest-exchange": exchange, "dest-exchange-key": key, "src-delete-after": count});
    shovel(broker, "out", &to);
    let host = broker.virtual_host("/").unwrap();
    broker.wait_until(SOON, |_| host.shovels().iter().all(|s| s.name != "out")).unwrap();
}

fn from_a_queue(broker: &Broker, uri: &str) {
    publish(broker, uri, "", "jobs", 0..50);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("jobs").durable()).unwrap();
    let consumer = channel.basic_consume_with(&Consume::new("jobs").no_ack()).unwrap();
    broker.federate("(events|jobs)", uri, json!({}));
    let next = |_| consumer.recv_timeout(SOON).unwrap().body().to_vec();
    let taken: Vec<_> = (0..50).map(|n| String::from_utf8(next(n)).unwrap()).collect();
    assert_eq!(taken, numbers(0..50));
}

/// RabbitMQ has this broker's exchange upstream.
fn to_an_exchange(broker: &Broker, uri: &str) {
    broker.exchange("downstream");
    broker.wait_for_bindings("downstream", 1);
    for number in 0..50 {
        broker.tell("downstream", "k.x", &number.to_string());
    }
    let back = json!({"src-uri": uri, "src-queue": "kept", "dest-uri": "amqp://",
        "dest-queue": "came", "src-delete-after": 50});
    shovel(broker, "back", &back);
    broker.wait_for_ready("came", 50);
    assert_eq!(broker.drain("came"), numbers(0..50));
}

/// RabbitMQ has this broker's queue upstream, and somebody there wants its messages.
fn to_a_queue(broker: &Broker, uri: &str) {
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("downqueue").durable()).unwrap();
    for number in 0..50 {
        broker.tell("", "downqueue", &number.to_string());
    }
    let back = json!({"src-uri": uri, "src-queue": "downqueue", "dest-uri": "amqp://",
        "dest-queue": "moved"});
    shovel(broker, "moving", &back);
    broker.wait_for_ready("moved", 50);
    assert_eq!(broker.drain("moved"), numbers(0..50));
}

fn through_a_restart(broker: &Broker, rabbitmq: &mut RabbitMq) {
    rabbitmq.kill();
    let host = broker.virtual_host("/").unwrap();
    let down = |_: &Broker| host.federation_links().iter().all(|link| link.state == "error");
    broker.wait_until(SOON, down).unwrap();
    rabbitmq.boot();
    broker.wait_for_links(2, "running");
    publish(broker, &rabbitmq.uri, "events", "a.b", 100..200);
    broker.wait_for_all("here", 100..200);
}
