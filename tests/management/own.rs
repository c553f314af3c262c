//! What RabbitMQ has not: looking, holding, moving, delays, explanations.

use std::time::Duration;

use leveret::{Broker, Channel, ExchangeDeclare, Machine, ManualClock, Publish, QueueDeclare};
use serde_json::{Value, json};

use crate::Api;

fn publish(channel: &Channel, queue: &str, bodies: &[&str]) {
    for body in bodies {
        channel.basic_publish(Publish::to_queue(queue).body(body.to_string())).unwrap();
    }
}

fn payloads(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|m| m["payload"].as_str().unwrap()).collect()
}

fn messages(api: &Api, queue: &str) -> Value {
    let path = format!("/api/leveret/queues/%2F/{queue}/messages");
    api.expect(200, "GET", &path, "").json()
}

#[test]
fn looking_at_messages_leaves_them_as_they_are() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    publish(&channel, "q", &["a", "b", "c"]);
    let path = "/api/leveret/queues/%2F/q/messages?offset=1&count=1&truncate=1";
    let seen = api.expect(200, "GET", path, "").json();
    assert_eq!((payloads(&seen), &seen[0]["position"]), (vec!["b"], &json!(1)));
    assert_eq!(payloads(&messages(&api, "q")), ["a", "b", "c"]);
    let first = channel.basic_get("q").unwrap().unwrap();
    assert!(!first.redelivered());
    let unacked = api.expect(200, "GET", "/api/leveret/queues/%2F/q/unacked", "").json();
    assert_eq!(payloads(&unacked), ["a"]);
    assert_eq!(unacked[0]["channel_details"]["number"], 1);
    assert_eq!(unacked[0]["consumer_tag"], Value::Null);
}

#[test]
fn a_queue_that_is_held_gives_out_what_is_released() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    api.expect(400, "POST", "/api/leveret/queues/%2F/q/release", r#"{"count": 1}"#);
    api.expect(204, "PUT", "/api/leveret/queues/%2F/q/hold", "");
    publish(&channel, "q", &["a", "b"]);
    assert!(channel.basic_get("q").unwrap().is_none());
    api.expect(204, "POST", "/api/leveret/queues/%2F/q/release", r#"{"count": 1}"#);
    assert_eq!(channel.basic_get_no_ack("q").unwrap().unwrap().message().body(), b"a");
    assert_eq!(api.call("GET", "/api/queues/%2F/q", "").json()["held"], true);
    api.expect(204, "DELETE", "/api/leveret/queues/%2F/q/hold", "");
    assert_eq!(channel.basic_get_no_ack("q").unwrap().unwrap().message().body(), b"b");
}

#[test]
fn messages_are_moved_in_order_all_some_or_those_that_are_meant() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    for queue in ["from", "to"] {
        channel.queue_declare(queue).unwrap();
    }
    publish(&channel, "from", &["a", "b", "c", "d", "e"]);
    let path = "/api/leveret/queues/%2F/from/move";
    let moved = |body: &str| api.expect(200, "POST", path, body).json();
    let two = moved(r#"{"to": "to", "count": 2}"#);
    assert_eq!((&two["moved"], &two["left"], &two["to"]["to"]), (&json!(2), &json!(3), &json!(2)));
    let id = messages(&api, "from")[1]["id"].clone();
    assert_eq!(moved(&json!({"to": "to", "where": {"ids": [id]}}).to_string())["moved"], 1);
    assert_eq!(payloads(&messages(&api, "from")), ["c", "e"]);
    assert_eq!(payloads(&messages(&api, "to")), ["a", "b", "d"]);
    assert_eq!(moved(r#"{"to": "to", "where": {"routing_key": "other"}}"#)["moved"], 0);
    assert_eq!(moved(r#"{"to": "to"}"#)["moved"], 2);
    assert_eq!(payloads(&messages(&api, "to")), ["a", "b", "d", "c", "e"]);
    assert!(!messages(&api, "to")[0]["redelivered"].as_bool().unwrap());
    api.expect(400, "POST", path, r#"{"to": "from"}"#);
    api.expect(404, "POST", path, r#"{"to": "missing"}"#);
    api.expect(400, "POST", path, r#"{"to": "to", "where": {"colour": "red"}}"#);
}

#[test]
fn what_a_full_queue_refuses_stays_where_it_is() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    let small = QueueDeclare::new("small").argument("x-max-length", 1);
    channel.queue_declare_with(&small.argument("x-overflow", "reject-publish")).unwrap();
    channel.queue_declare("q").unwrap();
    publish(&channel, "q", &["a", "b", "c"]);
    let moved = api.expect(200, "POST", "/api/leveret/queues/%2F/q/move", r#"{"to": "small"}"#);
    let moved = moved.json();
    assert_eq!((&moved["moved"], &moved["refused"]), (&json!(1), &json!(2)));
    assert_eq!(payloads(&messages(&api, "q")), ["b", "c"]);
}

#[test]
fn dead_letters_go_back_to_where_they_died_as_they_were_published() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.exchange_declare("dlx", "fanout").unwrap();
    channel.queue_declare("dead").unwrap();
    channel.queue_bind("dead", "dlx", "").unwrap();
    channel.exchange_declare("orders", "topic").unwrap();
    for queue in ["one", "two"] {
        let declare = QueueDeclare::new(queue).argument("x-dead-letter-exchange", "dlx");
        channel.queue_declare_with(&declare).unwrap();
        channel.queue_bind(queue, "orders", &format!("{queue}.#")).unwrap();
    }
    for key in ["one.x", "two.y", "one.z"] {
        channel.basic_publish(Publish::to_exchange("orders", key).body(key)).unwrap();
    }
    for queue in ["one", "two", "one"] {
        channel.basic_get(queue).unwrap().unwrap().reject().unwrap();
    }
    publish(&channel, "dead", &["stranger"]);
    let path = "/api/leveret/queues/%2F/dead/return";
    let some = api.expect(200, "POST", path, r#"{"where": {"died_in": "one"}, "count": 1}"#).json();
    assert_eq!(some["to"], json!({"one": 1}));
    let all = api.expect(200, "POST", path, r#"{"where": {"reason": "rejected"}}"#).json();
    assert_eq!((&all["moved"], &all["to"]), (&json!(2), &json!({"one": 1, "two": 1})));
    let rest = api.expect(200, "POST", path, "").json();
    assert_eq!((&rest["moved"], &rest["without_origin"]), (&json!(0), &json!(1)));
    let back = messages(&api, "one");
    assert_eq!(payloads(&back), ["one.x", "one.z"]);
    assert_eq!(
        (&back[0]["exchange"], &back[0]["routing_key"]),
        (&json!("orders"), &json!("one.x"))
    );
    assert_eq!(back[0]["properties"]["headers"]["x-death"][0]["count"], 1);
    channel.basic_get("one").unwrap().unwrap().reject().unwrap();
    let again = messages(&api, "dead");
    assert_eq!(again[1]["properties"]["headers"]["x-death"][0]["count"], 2);
}

#[test]
fn delayed_messages_are_listed_cancelled_and_released() {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let api = Api::over(broker);
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    let declare = ExchangeDeclare::new("later", "x-delayed-message");
    channel.exchange_declare_with(&declare.argument("x-delayed-type", "fanout")).unwrap();
    channel.queue_declare("q").unwrap();
    channel.queue_bind("q", "later", "").unwrap();
    for (body, ms) in [("a", 3000), ("b", 1000), ("c", 2000)] {
        let publish = Publish::to_exchange("later", "k").body(body).header("x-delay", ms);
        channel.basic_publish(publish).unwrap();
    }
    let path = "/api/leveret/exchanges/%2F/later/delayed";
    let listed = api.expect(200, "GET", path, "").json();
    assert_eq!(payloads(&listed["messages"]), ["b", "c", "a"]);
    let id = |at: usize| listed["messages"][at]["id"].as_u64().unwrap();
    api.expect(200, "DELETE", &format!("{path}/{}", id(0)), "");
    api.expect(404, "DELETE", &format!("{path}/{}", id(0)), "");
    api.expect(200, "POST", &format!("{path}/{}/release", id(2)), "");
    assert_eq!(payloads(&messages(&api, "q")), ["a"]);
    api.broker.advance(Duration::from_secs(2));
    assert_eq!(payloads(&messages(&api, "q")), ["a", "c"]);
    let released = api.expect(200, "POST", &format!("{path}/release"), "").json();
    assert_eq!(released["released"], 0);
}

#[test]
fn a_broker_explains_where_a_message_would_go() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.queue_bind("q", "amq.topic", "order.created").unwrap();
    let path = "/api/leveret/exchanges/%2F/amq.topic/explain";
    let told = api.expect(200, "POST", path, r#"{"routing_key": "order.created"}"#).json();
    assert_eq!(told["queues"][0]["queue"], "q");
    let near = api.expect(200, "POST", path, r#"{"routing_key": "order.creatd"}"#).json();
    assert_eq!(near["unroutable"], true);
    assert!(near["text"].as_str().unwrap().contains("not 'created'"));
    assert_eq!(api.call("GET", "/api/leveret/lints", "").json()["enabled"], false);
}

#[test]
fn who_may_not_read_and_publish_moves_nothing() {
    let api = Api::start();
    api.expect(201, "PUT", "/api/users/u", r#"{"password": "pw", "tags": "management"}"#);
    let permit = |read: &str, write: &str| {
        let body = json!({"configure": "", "write": write, "read": read}).to_string();
        api.call("PUT", "/api/permissions/%2F/u", &body);
    };
    for queue in ["a", "b"] {
        api.expect(201, "PUT", &format!("/api/queues/%2F/{queue}"), "{}");
    }
    let status = |method: &str, what: &str, body: &str| {
        let path = format!("/api/leveret/queues/%2F/a/{what}");
        api.call_as("u", "pw", method, &path, body).status
    };
    permit("", "");
    assert_eq!(status("GET", "messages", ""), 401);
    assert_eq!(status("POST", "move", r#"{"to": "b"}"#), 401);
    permit(".*", "");
    assert_eq!(status("GET", "messages", ""), 200);
    assert_eq!(status("GET", "unacked", ""), 200);
    assert_eq!(status("POST", "move", r#"{"to": "b"}"#), 401);
    permit(".*", ".*");
    assert_eq!(status("POST", "move", r#"{"to": "b"}"#), 200);
    assert_eq!(status("PUT", "hold", ""), 401);
}

#[test]
#[cfg(feature = "durable")]
fn what_was_moved_survives_a_restart_where_it_went() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let mut limits = leveret::Limits::default();
        limits.queue_memory_bytes_max = 64 << 10;
        Api::over(Broker::builder().limits(limits).open(directory.path()).unwrap())
    };
    let numbers = |api: &Api, queue: &str| -> Vec<usize> {
        let queue = api.broker.queue("/", queue).unwrap();
        let all = queue.peek(10_000).unwrap();
        all.iter().map(|m| m.text().trim().parse().unwrap()).collect()
    };
    let api = open();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    for queue in ["from", "to"] {
        channel.queue_declare_with(&QueueDeclare::new(queue).durable()).unwrap();
    }
    let message =
        |number: usize| Publish::to_queue("from").body(format!("{number:<1000}")).persistent();
    assert_eq!(api.broker.publish_all((0..1500).map(message)).unwrap(), 1500);
    // After a start those behind the first are in the store alone.
    drop((api, channel));
    let api = open();
    let paged = api.call("GET", "/api/queues/%2F/from", "").json()["messages_paged_out"].clone();
    assert!(paged.as_u64().unwrap() > 300, "{paged}");
    let all = api.broker.queue("/", "from").unwrap();
    let seen = messages(&api, "from");
    assert_eq!(seen.as_array().unwrap().len(), 50);
    let path = "/api/leveret/queues/%2F/from/messages?offset=1300&count=3";
    let ids: Vec<_> = api
        .expect(200, "GET", path, "")
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["id"].clone())
        .collect();
    let moving = "/api/leveret/queues/%2F/from/move";
    let chosen = json!({"to": "to", "where": {"ids": ids}}).to_string();
    assert_eq!(api.expect(200, "POST", moving, &chosen).json()["moved"], 3);
    assert_eq!(numbers(&api, "to"), [1300, 1301, 1302]);
    api.expect(200, "POST", moving, r#"{"to": "to", "count": 600}"#);
    assert_eq!(all.counts().ready, 897);
    let left = (600..1300).chain(1303..1500);
    let moved = (1300..1303).chain(0..600);
    assert!(numbers(&api, "from").into_iter().eq(left.clone()));
    assert!(numbers(&api, "to").into_iter().eq(moved.clone()));
    drop((api, all));
    let api = open();
    assert!(numbers(&api, "from").into_iter().eq(left));
    assert!(numbers(&api, "to").into_iter().eq(moved));
}

#[test]
fn messages_are_copied_and_some_are_dropped_for_good() {
    let api = Api::start();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    for queue in ["from", "to"] {
        channel.queue_declare(queue).unwrap();
    }
    publish(&channel, "from", &["a", "b", "c"]);
    let path = |what: &str| format!("/api/leveret/queues/%2F/from/{what}");
    let post =
        |what: &str, body: &Value| api.expect(200, "POST", &path(what), &body.to_string()).json();
    let seen = messages(&api, "from");
    let id = |at: usize| &seen[at]["id"];
    let copied = post("copy", &json!({"to": "to", "where": {"ids": [id(0), id(2)]}}));
    assert_eq!((&copied["copied"], &copied["left"]), (&json!(2), &json!(3)));
    assert_eq!(payloads(&messages(&api, "to")), ["a", "c"]);
    let dropped = post("drop", &json!({"where": {"ids": [id(1)]}}));
    assert_eq!(dropped, json!({"dropped": 1, "left": 2}));
    for bad in ["{}", r#"{"where": null}"#] {
        api.expect(400, "POST", &path("drop"), bad);
    }
    assert_eq!(post("drop", &json!({"where": {}, "count": 1}))["dropped"], 1);
    assert_eq!(payloads(&messages(&api, "from")), ["c"]);
}

#[test]
fn what_was_dropped_does_not_come_back_after_a_crash() {
    let machine = Machine::new();
    let open = || Broker::builder().open_on_machine(&machine).unwrap();
    let api = Api::over(open());
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare_with(&QueueDeclare::new("q").durable()).unwrap();
    for body in ["a", "b"] {
        let stored = channel.publish(Publish::to_queue("q").body(body).persistent()).wait();
        assert!(stored.unwrap().is_ack());
    }
    let body = r#"{"where": {}, "count": 1}"#;
    let dropped = api.expect(200, "POST", "/api/leveret/queues/%2F/q/drop", body).json();
    assert_eq!(dropped, json!({"dropped": 1, "left": 1}));
    api.broker.crash();
    drop(api);
    assert_eq!(payloads(&messages(&Api::over(open()), "q")), ["b"]);
}
