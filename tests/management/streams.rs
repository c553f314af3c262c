//! Streams over HTTP: offsets by name, super streams.

use leveret::{Channel, Consume, Publish, QueueDeclare};
use serde_json::json;

use crate::Api;

fn stream(api: &Api, name: &str, bodies: &[&str]) -> Channel {
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    let declare = QueueDeclare::new(name).durable().argument("x-queue-type", "stream");
    channel.queue_declare_with(&declare).unwrap();
    let publishes = bodies.iter().map(|body| Publish::to_queue(name).body((*body).to_owned()));
    channel.publish_all(publishes).unwrap();
    channel.basic_qos(10).unwrap();
    channel
}

/// The first message that a consumer of this name gets.
fn first(channel: &Channel, name: &str) -> String {
    let consume = Consume::new("s").argument("x-stream-consumer-name", name);
    let consumer = channel.basic_consume_with(&consume.argument("x-stream-offset", "first"));
    consumer.unwrap().try_recv().unwrap().text()
}

#[test]
fn offsets_are_shown_set_and_forgotten() {
    let api = Api::start();
    let channel = stream(&api, "s", &["a", "b", "c"]);
    let path = "/api/leveret/streams/%2F/s/offsets";
    let shown = || api.expect(200, "GET", path, "").json();
    assert_eq!(shown(), json!({"first_offset": 0, "next_offset": 3, "offsets": []}));
    api.expect(204, "PUT", &format!("{path}/audit"), r#"{"offset": 1}"#);
    assert_eq!(shown()["offsets"], json!([{"name": "audit", "offset": 1}]));
    assert_eq!(first(&channel, "audit"), "c");
    api.expect(204, "PUT", &format!("{path}/audit"), r#"{"offset": 0}"#);
    assert_eq!(first(&channel, "audit"), "b");
    api.expect(204, "DELETE", &format!("{path}/audit"), "");
    assert_eq!(first(&channel, "audit"), "a");
    assert_eq!(shown()["offsets"], json!([]));
}

#[test]
fn what_cannot_be_set_is_refused() {
    let api = Api::start();
    let channel = stream(&api, "s", &["a"]);
    channel.queue_declare("jobs").unwrap();
    let path = "/api/leveret/streams/%2F/s/offsets/audit";
    for body in ["", "{}", r#"{"offset": -1}"#, r#"{"offset": "first"}"#, r#"{"offset": 1.5}"#] {
        api.expect(400, "PUT", path, body);
    }
    api.expect(404, "DELETE", path, "");
    api.expect(404, "GET", "/api/leveret/streams/%2F/nothing/offsets", "");
    let refused = api.expect(400, "GET", "/api/leveret/streams/%2F/jobs/offsets", "");
    assert!(refused.body.contains("queue 'jobs' in vhost '/' is not a stream"), "{}", refused.body);
    let long = format!("/api/leveret/streams/%2F/s/offsets/{}", "n".repeat(256));
    api.expect(400, "PUT", &long, r#"{"offset": 1}"#);

    api.expect(201, "PUT", "/api/users/joe", r#"{"password": "joe", "tags": "management"}"#);
    let blind = r#"{"configure": "", "write": "", "read": ""}"#;
    api.expect(201, "PUT", "/api/permissions/%2F/joe", blind);
    let refused = api.call_as("joe", "joe", "PUT", path, r#"{"offset": 1}"#);
    assert_eq!(refused.status, 401, "{}", refused.body);
}

#[test]
fn a_super_stream_is_created_shown_and_deleted() {
    let api = Api::start();
    let path = "/api/leveret/super-streams/%2F/orders";
    api.expect(404, "GET", path, "");
    for body in ["{}", r#"{"partitions": 0}"#, r#"{"partitions": 2, "binding_keys": ["a"]}"#] {
        api.expect(400, "PUT", path, body);
    }
    api.expect(201, "PUT", path, r#"{"partitions": 2, "arguments": {"x-max-age": "1h"}}"#);
    let shown = api.expect(200, "GET", path, "").json();
    assert_eq!(shown, json!({"name": "orders", "partitions": ["orders-0", "orders-1"]}));
    let partition = api.expect(200, "GET", "/api/queues/%2F/orders-1", "").json();
    assert_eq!(
        (&partition["type"], &partition["arguments"]["x-max-age"]),
        (&json!("stream"), &json!("1h"))
    );
    let refused = api.expect(400, "PUT", path, r#"{"binding_keys": ["eu"]}"#);
    assert!(refused.body.contains("already exists"), "{}", refused.body);
    api.expect(204, "DELETE", path, "");
    assert!(api.broker.queues().is_empty());
    api.expect(404, "DELETE", path, "");
    api.expect(201, "PUT", path, r#"{"binding_keys": ["eu", "us"]}"#);
    assert_eq!(api.broker.partitions("/", "orders").unwrap(), ["orders-eu", "orders-us"]);
}

#[test]
fn the_messages_of_a_stream_are_looked_at() {
    let api = Api::start();
    let _channel = stream(&api, "s", &["a", "b", "c"]);
    let path = "/api/leveret/queues/%2F/s/messages?offset=1&count=2";
    let seen = api.expect(200, "GET", path, "").json();
    assert_eq!((&seen[0]["payload"], &seen[1]["payload"]), (&json!("b"), &json!("c")));
    assert_eq!((&seen[0]["id"], &seen[0]["position"]), (&json!(1), &json!(1)));
    let moved = api.call("POST", "/api/leveret/queues/%2F/s/move", r#"{"to": "s"}"#);
    assert_eq!(moved.status, 400, "{}", moved.body);
}
