//! Messages get from one end to the other, in order, as it was asked for.

use leveret::{AMQPValue, Broker, Publish, QueueDeclare};
use serde_json::json;

use crate::{SOON, Shovelling, broker, listening, numbers, to};

#[test]
fn messages_move_within_a_broker_in_their_order() {
    let broker = broker(&["in"]);
    broker.fill("in", 0..2500);
    broker.shovel(&to("amqp://", json!({}))).unwrap();
    broker.wait_for_ready("out", 2500);
    assert_eq!(broker.drain("out"), numbers(0..2500));
    broker.wait_until(SOON, |broker| broker.status().unwrap().confirmed == 2500).unwrap();
    let status = broker.status().unwrap();
    assert_eq!((status.state, status.forwarded, status.pending), ("running", 2500, 0));
    broker.wait_until_empty("in");
}

#[test]
fn messages_move_to_another_broker_in_every_ack_mode() {
    for mode in ["on-confirm", "on-publish", "no-ack"] {
        let (here, (there, uri)) = (broker(&["in"]), listening(&[]));
        here.fill("in", 0..500);
        let prefetch = json!({"ack-mode": mode, "src-prefetch-count": 10});
        here.shovel(&to(&uri, prefetch)).unwrap();
        there.wait_for_ready("out", 500);
        assert_eq!(there.drain("out"), numbers(0..500), "{mode}");
        here.wait_until_empty("in");
        here.fill("in", 500..510);
        there.wait_for_ready("out", 10);
    }
}

#[test]
fn messages_are_fetched_from_another_broker() {
    let (here, (there, uri)) = (broker(&[]), listening(&["in"]));
    there.fill("in", 0..100);
    here.shovel(&to("amqp://", json!({"src-uri": uri}))).unwrap();
    here.wait_for_ready("out", 100);
    assert_eq!(here.drain("out"), numbers(0..100));
}

#[test]
fn an_exchange_is_a_source_and_a_destination() {
    let broker = broker(&["caught"]);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    channel.queue_bind("caught", "amq.direct", "k").unwrap();
    let shovel = json!({
        "src-uri": "amqp://", "src-exchange": "amq.topic", "src-exchange-key": "order.#",
        "dest-uri": "amqp://", "dest-exchange": "amq.direct", "dest-exchange-key": "k",
    });
    broker.shovel(&shovel).unwrap();
    broker.wait_for_state("running");
    let order = Publish::to_exchange("amq.topic", "order.new").body("7");
    channel.basic_publish(order).unwrap();
    channel.basic_publish(Publish::to_exchange("amq.topic", "other").body("8")).unwrap();
    broker.wait_for_ready("caught", 1);
    assert_eq!(broker.drain("caught"), ["7"]);
}

#[test]
fn without_a_destination_a_message_keeps_exchange_and_key() {
    let (here, (there, uri)) = (broker(&["in"]), listening(&["in", "out"]));
    let shovel = to(&uri, json!({"dest-queue": null}));
    here.shovel(&shovel).unwrap();
    here.fill("in", 0..1);
    there.wait_for_ready("in", 1);
}

#[test]
fn messages_are_stamped_and_their_properties_set() {
    let broker = broker(&["in"]);
    let shovel = to(
        "amqp://",
        json!({
            "dest-add-forward-headers": true, "dest-add-timestamp-header": true,
            "dest-publish-properties": {"delivery_mode": 2, "app_id": "shovel"},
        }),
    );
    broker.shovel(&shovel).unwrap();
    let message = Publish::to_queue("in").body("x").message_id("m").user_id("guest");
    assert!(broker.publish(message).wait().unwrap().is_ack());
    broker.wait_for_ready("out", 1);
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let message = channel.basic_get_no_ack("out").unwrap().unwrap();
    let properties = message.properties();
    assert_eq!(properties.delivery_mode(), &Some(2));
    let (app, message) = (properties.app_id().clone(), properties.message_id().clone());
    assert_eq!(app.map(|app| app.to_string()).as_deref(), Some("shovel"));
    assert_eq!(message.map(|message| message.to_string()).as_deref(), Some("m"));
    let headers = properties.headers().clone().unwrap();
    assert!(matches!(headers.inner().get("x-shovelled"), Some(AMQPValue::FieldArray(trails))
        if trails.as_slice().len() == 1));
    assert!(headers.inner().contains_key("x-shovelled-timestamp"));
}

#[test]
fn a_shovel_is_deleted_after_the_messages_that_there_were() {
    let broker = broker(&["in"]);
    broker.fill("in", 0..30);
    broker.shovel(&to("amqp://", json!({"src-delete-after": "queue-length"}))).unwrap();
    broker.wait_until(SOON, |broker| broker.status().is_none()).unwrap();
    broker.wait_for_ready("out", 30);
    broker.fill("in", 30..31);
    broker.wait_for_ready("in", 1);
}

#[test]
fn a_shovel_is_deleted_after_so_many_messages() {
    for mode in ["on-confirm", "on-publish"] {
        let broker = broker(&["in"]);
        broker.fill("in", 0..30);
        let after = json!({"src-delete-after": 7, "ack-mode": mode});
        broker.shovel(&to("amqp://", after)).unwrap();
        broker.wait_until(SOON, |broker| broker.status().is_none()).unwrap();
        assert_eq!(broker.drain("out"), numbers(0..7));
        broker.wait_for_ready("in", 23);
        assert_eq!(broker.drain("in"), numbers(7..30));
    }
}

#[test]
fn a_stream_is_read_from_where_it_is_asked_for() {
    let broker = Broker::new();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let stream = QueueDeclare::new("in").durable().argument("x-queue-type", "stream");
    channel.queue_declare_with(&stream).unwrap();
    broker.fill("in", 0..50);
    let from = json!({"src-consumer-args": {"x-stream-offset": "first"}});
    broker.shovel(&to("amqp://", from)).unwrap();
    broker.wait_for_ready("out", 50);
    assert_eq!(broker.drain("out"), numbers(0..50));
}

#[test]
fn a_shovel_goes_by_the_rights_of_its_user_or_none_where_it_names_none() {
    let broker = broker(&["in"]);
    broker.fill("in", 0..3);
    // A broker on its own ground needs no credentials; who shows some has to have the right ones.
    broker.shovel(&to("amqp://guest:wrong@/%2f", json!({}))).unwrap();
    broker.wait_until(SOON, |broker| broker.status().unwrap().last_error.is_some()).unwrap();
    let error = broker.status().unwrap().last_error.unwrap();
    assert!(error.starts_with("destination: amqp:///%2f: ACCESS_REFUSED"), "{error}");
    broker.shovel(&to("amqp://guest:guest@/%2f", json!({}))).unwrap();
    broker.wait_for_ready("out", 3);
}
