//! What may be asked of a shovel, and what RabbitMQ says of the rest.

use std::sync::Arc;

use serde_json::{Value, json};

use super::definition::{AckMode, Definition, DeleteAfter, Destination, Source};
use super::{Carrier, Key, Shovel, Shovels};
use crate::base::broker_uri::BrokerUri;
use crate::base::lock::Mutex;
use crate::base::rank;
use crate::time::clock::Timestamp;

/// A shovel from queue `a` with these keys besides.
fn shovel(extra: Value) -> Value {
    let mut value = json!({"src-uri": "amqp://", "dest-uri": "amqp://", "src-queue": "a"});
    let object = value.as_object_mut().unwrap();
    for (key, value) in extra.as_object().unwrap() {
        match value {
            Value::Null => object.remove(key),
            value => object.insert(key.clone(), value.clone()),
        };
    }
    value
}

fn parse(extra: Value) -> Result<Definition, Vec<String>> {
    Definition::parse("s", &shovel(extra), &|_| None)
}

#[test]
fn what_is_not_said_is_as_rabbitmq_has_it() {
    let definition = parse(json!({})).unwrap();
    assert_eq!(definition.prefetch, 1000);
    assert_eq!(definition.reconnect_delay_s, 5);
    assert_eq!(definition.ack_mode, AckMode::OnConfirm);
    assert_eq!(definition.delete_after, DeleteAfter::Never);
    assert_eq!(definition.destination, Destination::Exchange { name: None, key: None });
}

#[test]
fn all_keys_are_read() {
    let definition = parse(json!({
        "src-protocol": "amqp091", "dest-protocol": "amqp091", "src-queue": null,
        "src-uri": ["amqp:///a", "amqp://h"], "src-exchange": "x", "src-exchange-key": "k.#",
        "src-prefetch-count": 7, "src-delete-after": 9, "src-consumer-args": {"x-priority": 3},
        "dest-queue": "b", "dest-queue-args": {"x-queue-type": "quorum"}, "ack-mode": "on-publish",
        "reconnect-delay": 0, "dest-add-forward-headers": true, "dest-add-timestamp-header": true,
        "dest-publish-properties": {"delivery_mode": 2},
    }))
    .unwrap();
    assert_eq!(definition.source_uris.len(), 2);
    assert_eq!(definition.source, Source::Exchange { name: "x".into(), key: "k.#".into() });
    assert_eq!((definition.prefetch, definition.reconnect_delay_s), (7, 0));
    assert_eq!(definition.delete_after, DeleteAfter::Messages(9));
    assert_eq!(definition.ack_mode, AckMode::OnPublish);
    assert!(definition.forward_headers && definition.timestamp_header);
    assert!(matches!(&definition.destination, Destination::Queue { name, arguments }
        if name == "b" && arguments.inner().len() == 1));
    assert_eq!(definition.properties.delivery_mode(), &Some(2));
}

#[test]
fn the_names_of_before_are_known() {
    let definition = parse(json!({"prefetch-count": 7, "delete-after": "queue-length",
        "add-forward-headers": true, "publish-properties": {"type": "t"}}))
    .unwrap();
    assert_eq!((definition.prefetch, definition.forward_headers), (7, true));
    assert_eq!(definition.delete_after, DeleteAfter::QueueLength);
    assert!(definition.properties.kind().is_some());
}

#[test]
fn complaints_are_rabbitmqs_in_its_order() {
    let none = Definition::parse("s", &json!({}), &|_| None);
    assert_eq!(
        none.unwrap_err(),
        [
            "Must specify 'src-exchange' or 'src-queue'",
            "Key \"dest-uri\" not found in s",
            "Key \"src-uri\" not found in s",
        ]
    );
    for (extra, complaint) in [
        (json!({"src-exchange": "x"}), "Cannot specify 'src-exchange' and 'src-queue'"),
        (
            json!({"dest-queue": "b", "dest-exchange": "c"}),
            "Cannot specify 'dest-exchange' and 'dest-queue'",
        ),
        (
            json!({"ack-mode": "no-ack", "src-delete-after": 3}),
            "Cannot specify 'no-ack' and numerical 'delete-after'",
        ),
        (
            json!({"foo": 1, "bar": "x"}),
            "Unrecognised terms [{<<\"bar\">>,<<\"x\">>},{<<\"foo\">>,1}] in s",
        ),
        (json!({"src-uri": 5}), "src-uri should be list, actually was 5"),
        (json!({"src-uri": ["amqp://", 5]}), "src-uri should be list, actually was 5"),
        (json!({"ack-mode": 1}), "ack-mode should be binary, actually was 1"),
        (
            json!({"ack-mode": "x"}),
            "ack-mode should be one of [<<\"no-ack\">>,<<\"on-publish\">>,<<\"on-confirm\">>], \
             actually was <<\"x\">>",
        ),
        (
            json!({"reconnect-delay": "x"}),
            "reconnect-delay should be a number, actually was <<\"x\">>",
        ),
        (
            json!({"src-prefetch-count": -1}),
            "src-prefetch-count should be a number from 0 to 65535, actually was -1",
        ),
        (
            json!({"src-delete-after": true}),
            "src-delete-after should be a number greater than or equal to 0, \"never\" or \
             \"queue-length\", actually was true",
        ),
        (
            json!({"dest-add-forward-headers": 3}),
            "dest-add-forward-headers should be boolean, actually was 3",
        ),
        (json!({"src-queue": 5}), "src-queue should be binary, actually was 5"),
        (
            json!({"src-consumer-args": {"x": 1}}),
            "Unrecognised terms [{<<\"x\">>,1}] in src-consumer-args",
        ),
        (json!({"dest-publish-properties": 5}), "dest-publish-properties not a list 5"),
        (json!({"dest-queue": "a"}), "the shovel s has the same queue at both ends"),
        (json!({"src-protocol": "amqp10"}), "src-protocol amqp10 is not supported; amqp091 is"),
    ] {
        assert_eq!(parse(extra).unwrap_err(), [complaint]);
    }
    assert_eq!(
        parse(json!({"dest-publish-properties": {"delivery_mode": "x", "foo": 1}})).unwrap_err(),
        [
            "Unrecognised terms [{<<\"foo\">>,1}] in dest-publish-properties",
            "delivery_mode should be a number, actually was <<\"x\">>",
        ]
    );
}

#[test]
fn who_sets_a_shovel_has_to_have_access_where_it_goes() {
    let local = |uri: &BrokerUri| (uri.virtual_host != "/").then(|| "no".to_owned());
    let far = shovel(json!({"dest-uri": ["amqp://", "amqp://h/x", "amqp:///x"]}));
    assert_eq!(Definition::parse("s", &far, &local).unwrap_err(), ["no"]);
}

#[derive(Default)]
struct Noted(Mutex<Vec<String>, rank::Timers>);

impl Carrier for Noted {
    fn start(&self, shovel: &Arc<Shovel>) {
        self.0.lock().push(format!("start {}", shovel.key.1));
    }

    fn stop(&self, key: &Key) {
        self.0.lock().push(format!("stop {}", key.1));
    }
}

#[test]
fn shovels_are_carried_from_when_there_is_a_carrier() {
    let (shovels, carrier) = (Shovels::default(), Arc::new(Noted::default()));
    let key = |name: &str| ("/".to_owned(), name.to_owned());
    let set = |name: &str, extra| {
        let definition = parse(extra).unwrap();
        shovels.set(key(name), definition.clone(), json!(definition.prefetch), Timestamp::NEVER)
    };
    assert!(set("early", json!({})));
    shovels.carried_by(Arc::clone(&carrier) as _);
    assert!(set("late", json!({})));
    assert!(!set("late", json!({})), "as it was");
    assert!(!set("late", json!({"prefetch-count": 3})));
    assert!(shovels.restart(&key("early")) && !shovels.restart(&key("other")));
    assert!(shovels.remove(&key("late")) && !shovels.remove(&key("late")));
    assert!(shovels.remove(&key("early")));
    assert!(shovels.list().is_empty());
    assert_eq!(
        *carrier.0.lock(),
        ["start early", "start late", "start late", "start early", "stop late", "stop early",]
    );
}
