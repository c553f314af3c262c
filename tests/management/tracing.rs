//! The firehose: what goes through a virtual host that is traced.

use leveret::Publish;
use serde_json::{Value, json};

use crate::Api;

fn trace(api: &Api, is_on: bool) {
    let body = format!(r#"{{"tracing": {is_on}}}"#);
    api.expect(204, "PUT", "/api/vhosts/%2F", &body);
    assert_eq!(api.call("GET", "/api/vhosts/%2F", "").json()["tracing"], is_on);
}

/// The next copy.
fn next(api: &Api) -> Option<Value> {
    let get = r#"{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    let copies = api.expect(200, "POST", "/api/queues/%2F/copies/get", get).json();
    copies.as_array().unwrap().first().cloned()
}

#[test]
fn copies_of_what_is_published_and_given_out_are_there_while_it_is_on() {
    let api = Api::start();
    let connection = api.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    for queue in ["q", "copies"] {
        channel.queue_declare(queue).unwrap();
    }
    channel.queue_bind("copies", "amq.rabbitmq.trace", "#").unwrap();
    let publish = || channel.basic_publish(Publish::to_queue("q").body("x").message_id("7"));
    publish().unwrap();
    assert_eq!(next(&api), None, "tracing is off");
    trace(&api, true);
    publish().unwrap();
    publish().unwrap();
    for _ in 0..2 {
        let copy = next(&api).unwrap();
        assert_eq!((&copy["routing_key"], &copy["payload"]), (&json!("publish."), &json!("x")));
        let headers = &copy["properties"]["headers"];
        assert_eq!((&headers["user"], &headers["vhost"]), (&json!("guest"), &json!("/")));
        assert_eq!(headers["routed_queues"], json!(["q"]));
        assert_eq!((&headers["routing_keys"], &headers["channel"]), (&json!(["q"]), &json!(1)));
        assert_eq!(headers["properties"], json!({"message_id": "7"}));
    }
    channel.basic_get_no_ack("q").unwrap().unwrap();
    let copy = next(&api).unwrap();
    assert_eq!((&copy["routing_key"], &copy["payload"]), (&json!("deliver.q"), &json!("x")));
    assert_eq!(copy["properties"]["headers"]["redelivered"], 0);
    let consumer = channel.basic_consume("q").unwrap();
    assert_eq!(consumer.iter().take(2).count(), 2);
    assert_eq!(next(&api).unwrap()["routing_key"], "deliver.q");
    assert_eq!(next(&api).unwrap()["routing_key"], "deliver.q");
    assert_eq!(next(&api), None, "copies are not copied");
    trace(&api, false);
    publish().unwrap();
    assert_eq!(next(&api), None);
}

#[test]
fn a_message_without_a_queue_and_one_of_a_transaction_are_traced_too() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("copies").unwrap();
    channel.queue_bind("copies", "amq.rabbitmq.trace", "publish.#").unwrap();
    trace(&api, true);
    channel.basic_publish(Publish::to_exchange("amq.topic", "nobody").body("lost")).unwrap();
    assert_eq!(next(&api).unwrap()["routing_key"], "publish.amq.topic");
    channel.tx_select().unwrap();
    channel.basic_publish(Publish::to_exchange("amq.topic", "nobody").body("late")).unwrap();
    assert_eq!(next(&api), None);
    channel.tx_commit().unwrap();
    assert_eq!(next(&api).unwrap()["payload"], "late");
}
