//! What people see and do of a broker for tests: its clock, journal, faults and snapshots.

use leveret::{Broker, Publish, QueueDeclare};
use serde_json::json;

use crate::Api;

fn api() -> Api {
    Api::over(Broker::for_tests())
}

#[test]
fn the_clock_is_moved_to_the_next_deadline_and_what_waited_happens() {
    let api = api();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    let jobs = QueueDeclare::new("jobs").argument("x-message-ttl", 30_000);
    channel.queue_declare_with(&jobs).unwrap();
    channel.basic_publish(Publish::to_queue("jobs")).unwrap();
    let clock = &api.call("GET", "/api/leveret/testing", "").json()["clock"];
    let now = clock["now"].as_u64().unwrap();
    assert_eq!(clock["manual"], true);
    assert_eq!(clock["next_deadline"].as_u64(), Some(now + 30_000));
    let moved = api.call("POST", "/api/leveret/clock/advance", r#"{"ms": 10000}"#).json();
    assert_eq!(moved["now"].as_u64(), Some(now + 10_000));
    assert_eq!(api.broker.counts("jobs").unwrap().ready, 1);
    let moved = api.call("POST", "/api/leveret/clock/advance", r#"{"to_next_event": true}"#).json();
    assert_eq!(moved["now"].as_u64(), Some(now + 30_000));
    assert_eq!(api.broker.counts("jobs").unwrap().ready, 0);
    for bad in ["{}", r#"{"ms": 1, "to_next_event": true}"#, r#"{"ms": -1}"#, r#"{"ms": "x"}"#] {
        assert_eq!(api.call("POST", "/api/leveret/clock/advance", bad).status, 400, "{bad}");
    }
}

#[test]
fn all_that_waits_for_a_time_is_told_in_its_order() {
    let api = api();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    let queue = |name: &str| QueueDeclare::new(name);
    let jobs = queue("jobs").argument("x-message-ttl", 30_000).argument("x-expires", 90_000);
    channel.queue_declare_with(&jobs).unwrap();
    channel.basic_publish(Publish::to_queue("jobs")).unwrap();
    let later = leveret::ExchangeDeclare::new("later", "x-delayed-message");
    channel.exchange_declare_with(&later.argument("x-delayed-type", "direct")).unwrap();
    channel.queue_bind("jobs", "later", "k").unwrap();
    for ms in [50_000, 10_000] {
        let publish = Publish::to_exchange("later", "k").header("x-delay", ms);
        channel.basic_publish(publish).unwrap();
    }
    let testing = api.call("GET", "/api/leveret/testing", "").json();
    let now = testing["clock"]["now"].as_u64().unwrap();
    let told = testing["deadlines"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap().to_owned();
            (it["at"].as_u64().unwrap() - now, text("kind"), text("name"), text("what"))
        })
        .collect();
    let expected = [
        (10_000, "exchange", "later", "a delayed message is sent on"),
        (30_000, "queue", "jobs", "the message at the head expires"),
        (50_000, "exchange", "later", "a delayed message is sent on"),
        (90_000, "queue", "jobs", "the queue expires"),
    ];
    let expected =
        expected.map(|(at, kind, name, what)| (at, kind.into(), name.into(), what.into()));
    assert_eq!(told, expected);
}

#[test]
fn the_system_s_clock_is_nobody_s_to_move() {
    let api = Api::start();
    assert_eq!(api.call("POST", "/api/leveret/clock/advance", r#"{"ms": 1}"#).status, 400);
    assert_eq!(api.call("GET", "/api/overview", "").json()["leveret_testing"], false);
    assert_eq!(api.call("GET", "/api/leveret/journal", "").status, 400);
}

#[test]
fn the_journal_tells_the_life_of_one_message() {
    let api = api();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("a").unwrap();
    for body in ["one", "two"] {
        channel.basic_publish(Publish::to_queue("a").body(body)).unwrap();
    }
    channel.basic_get("a").unwrap().unwrap();
    let told = api.call("GET", "/api/leveret/journal", "").json();
    let events = told["events"].as_array().unwrap();
    let published: Vec<_> = events.iter().filter(|event| event["kind"] == "published").collect();
    assert_eq!(published.len(), 2);
    assert_eq!(published[0]["body"], "\"one\"");
    let of_one = format!("/api/leveret/journal?message={}", published[0]["message"]);
    let life = api.call("GET", &of_one, "").json();
    let kinds: Vec<_> = life["events"].as_array().unwrap().iter().map(|e| &e["kind"]).collect();
    assert_eq!(kinds, [&json!("published"), &json!("routed"), &json!("enqueued"), &json!("got")]);
    let last = api.call("GET", "/api/leveret/journal?last=1", "").json();
    assert_eq!(last["skipped"].as_u64().unwrap() + 1, events.len() as u64);
    assert_eq!(last["events"][0]["number"], events.last().unwrap()["number"]);
    assert_eq!(api.call("DELETE", "/api/leveret/journal", "").status, 204);
    assert_eq!(api.call("GET", "/api/leveret/journal", "").json()["events"], json!([]));
}

#[test]
fn faults_are_counted_released_and_taken_back() {
    let api = api();
    let connection = api.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    api.broker.faults().confirms().nack();
    assert!(!channel.publish(Publish::to_queue("q")).wait().unwrap().is_ack());
    let faults = api.call("GET", "/api/leveret/testing", "").json()["faults"].clone();
    let nacks = faults.as_array().unwrap().iter().find(|f| f["text"] == "confirms: nack").unwrap();
    assert_eq!(nacks["fired"], 1);
    let path = format!("/api/leveret/faults/{}", nacks["id"]);
    assert_eq!(api.call("POST", &format!("{path}/release"), "").json(), json!({"released": 0}));
    assert_eq!(api.call("DELETE", &path, "").status, 204);
    assert_eq!(api.call("DELETE", &path, "").status, 404);
    assert!(channel.publish(Publish::to_queue("q")).wait().unwrap().is_ack());
}

#[test]
fn a_snapshot_makes_the_broker_what_it_was() {
    let api = api();
    let channel = api.broker.connect().unwrap().open_channel().unwrap();
    channel.queue_declare("q").unwrap();
    channel.basic_publish(Publish::to_queue("q")).unwrap();
    let taken = api.call("POST", "/api/leveret/snapshots", "").json();
    assert_eq!((&taken["queues"], &taken["messages"]), (&json!(1), &json!(1)));
    channel.basic_publish(Publish::to_queue("q")).unwrap();
    let path = format!("/api/leveret/snapshots/{}", taken["id"]);
    assert_eq!(api.call("POST", &format!("{path}/restore"), "").status, 204);
    assert_eq!(api.broker.counts("q").unwrap().ready, 1);
    let listed = api.call("GET", "/api/leveret/testing", "").json()["snapshots"].clone();
    assert_eq!(listed, json!([taken]));
    assert_eq!(api.call("DELETE", &path, "").status, 204);
    assert_eq!(api.call("POST", &format!("{path}/restore"), "").status, 404);
}
