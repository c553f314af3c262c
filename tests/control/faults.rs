//! Rules, and what clients see of them.

use std::pin::Pin;

use futures_core::Stream as _;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};

use super::*;

async fn publish(channel: &lapin::Channel, body: &str) -> lapin::Result<lapin::Confirmation> {
    let options = BasicPublishOptions::default();
    let (exchange, key) = ("".into(), "q".into());
    channel.basic_publish(exchange, key, options, body.as_bytes(), Default::default()).await?.await
}

async fn next(consumer: &mut lapin::Consumer) -> Delivery {
    std::future::poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await.unwrap().unwrap()
}

/// Counts of a rule.
fn counts(rule: &Value) -> (u64, u64) {
    (rule["seen"].as_u64().unwrap(), rule["fired"].as_u64().unwrap())
}

#[tokio::test]
async fn a_declaration_is_refused_once() {
    let server = Server::start(&[]);
    let refuse = json!({"code": 406, "text": "not now"});
    let rule =
        json!({"on": "queue.declare", "queue": "jobs", "nth": 1, "then": {"refuse": refuse}});
    let rule = server.post("/faults", rule);
    assert_eq!(rule["id"], 1);
    let text = "on queue.declare for queue 'jobs', 1 times: close the channel with 406 (not now)";
    assert_eq!(rule["text"], text);
    let connection = server.connect().await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "mail").await.unwrap();
    let error = declare(&channel, "jobs").await.unwrap_err();
    assert_eq!(reply_code(&error), Some(406));
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "jobs").await.unwrap();
    assert_eq!(counts(&server.get("/faults/1")), (2, 1));
    assert_eq!(counts(&server.ok("DELETE", "/faults/1", None)), (2, 1));
    let answer = server.refused(404, "GET", "/faults/1", None);
    assert_eq!(answer, "there is no fault '1'; there are: none");
    server.end();
}

#[tokio::test]
async fn the_third_publish_is_lost_with_its_connection() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    channel.confirm_select(Default::default()).await.unwrap();
    server.post("/faults", json!({"on": "publishes", "nth": 3, "then": "drop_connection"}));
    for body in ["1", "2"] {
        assert!(publish(&channel, body).await.unwrap().is_ack());
    }
    let error = publish(&channel, "3").await.unwrap_err();
    assert_eq!(reply_code(&error), None, "the connection ended without a word: {error}");
    assert_eq!(server.get("/queues")[0]["ready"], 2);
    server.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn confirms_are_nacked_late_or_lost() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    channel.confirm_select(Default::default()).await.unwrap();
    let nack = json!({"on": "confirms", "headers": {"try": 1}, "then": "nack"});
    server.post("/faults", nack);
    let attempt = |n| {
        let publish = json!({"routing_key": "q", "headers": {"try": n}});
        server.post("/publish", publish)["confirmed"].clone()
    };
    assert_eq!([attempt(1), attempt(2)], ["nack", "ack"]);
    server.ok("DELETE", "/faults", None);

    let held = json!({"on": "confirms", "body_contains": "late", "then": "hold"});
    let held = server.post("/faults", held);
    let id = held["id"].as_u64().unwrap();
    let late = tokio::spawn(async move { publish(&channel, "too late").await });
    while counts(&server.get(&format!("/faults/{id}"))).1 == 0 {
        tokio::task::yield_now().await;
    }
    let released = server.ok("POST", &format!("/faults/{id}/release"), None);
    assert!(late.await.unwrap().unwrap().is_ack());
    assert_eq!(released["released"], 1);

    let lost = json!({"on": "confirms", "properties": {"message_id": "7"}, "then": "lose"});
    let lost = server.post("/faults", lost);
    assert_eq!(lost["text"], r#"confirms with properties {"message_id":"7"}: lose"#);
    let publish = json!({"routing_key": "q", "properties": {"message_id": "7"}, "limit_ms": 10});
    let answer = server.refused(408, "POST", "/publish", Some(publish));
    assert_eq!(answer, "the publish was not confirmed within 10ms");
    server.end();
}

#[tokio::test]
async fn a_delivery_comes_twice_and_another_late() {
    let server = Server::start(&["--manual-clock"]);
    let channel = server.with_queue("q").await;
    let twice = json!({"on": "deliveries", "queue": "q", "body": "double", "then": "twice"});
    server.post("/faults", twice);
    let late = json!({"on": "deliveries", "body": "late", "then": {"delay": {"ms": 60_000}}});
    server.post("/faults", late);
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let consumer = channel.basic_consume("q".into(), "c".into(), options, Default::default());
    let mut consumer = consumer.await.unwrap();
    for body in ["late", "double"] {
        server.fill("q", body);
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(next(&mut consumer).await);
    }
    let bodies = |seen: &[Delivery]| -> Vec<_> {
        seen.iter()
            .map(|m| (String::from_utf8_lossy(&m.data).into_owned(), m.redelivered))
            .collect()
    };
    assert_eq!(bodies(&seen), [("double".to_owned(), false), ("double".to_owned(), true)]);
    server.post("/clock/advance", json!({"ms": 60_000}));
    assert_eq!(next(&mut consumer).await.data, b"late");
    server.end();
}

#[tokio::test]
async fn a_publish_finds_no_queue_though_one_is_bound() {
    let server = Server::start(&[]);
    server.with_queue("q").await;
    let rule = json!({"on": "publishes", "exchange": "", "routing_key": "q", "vhost": "/",
        "after": 1, "times": 1, "then": "unroutable"});
    server.post("/faults", rule);
    let publish = json!({"routing_key": "q", "mandatory": true});
    let confirmed: Vec<_> = (0..3).map(|_| server.post("/publish", publish.clone())).collect();
    let confirmed: Vec<_> = confirmed.iter().map(|answer| &answer["confirmed"]).collect();
    assert_eq!(confirmed, ["ack", "returned", "ack"]);
    server.end();
}

#[tokio::test]
async fn all_connections_end_at_once() {
    let server = Server::start(&[]);
    for (path, body, code) in [
        ("/connections/drop", json!(null), None),
        ("/connections/close", json!({"code": 320, "text": "maintenance"}), Some(320)),
    ] {
        let channel = server.with_queue("q").await;
        assert_eq!(server.post(path, body), json!({"connections": 1}));
        server.post("/wait", json!({"for": {"connections": 0}}));
        let error = declare(&channel, "other").await.unwrap_err();
        // Whoever asks too soon is told of the channel alone.
        assert!(code.is_none() || reply_code(&error).is_none_or(|is| Some(is) == code), "{error}");
    }
    server.end();
}

#[test]
fn every_occasion_says_what_it_offers() {
    let server = Server::start(&[]);
    let reason = json!({"code": 320, "text": "so"});
    let faults = [
        json!("drop_connection"),
        json!({"close_channel": reason}),
        json!({"close_connection": reason}),
        json!({"refuse": reason}),
        json!("stop_reading"),
        json!("unroutable"),
        json!("nack"),
        json!("hold"),
        json!("lose"),
        json!("twice"),
        json!({"delay": {"ms": 5}}),
        json!("to_the_end"),
        json!("corrupt"),
        json!("truncate"),
    ];
    let occasions = [
        ("any method", 0..5),
        ("basic.ack", 0..5),
        ("publishes", 0..6),
        ("confirms", 6..9),
        ("requeues", 11..12),
        ("frames", 12..14),
    ];
    let call = |on: &str, then: &Value| {
        let rule = json!({"on": on, "then": then});
        server.call("POST", "/faults", Some(rule))
    };
    for (on, offered) in occasions {
        for (at, fault) in faults.iter().enumerate() {
            let (status, answer) = call(on, fault);
            let expected = if offered.contains(&at) { 201 } else { 400 };
            assert_eq!(status, expected, "{on} {fault}: {answer}");
        }
    }
    for (at, fault) in faults.iter().enumerate() {
        let offered = at < 3 || at == 9 || at == 10;
        assert_eq!(call("deliveries", fault).0, if offered { 201 } else { 400 }, "{fault}");
    }
    let (_, answer) = call("confirms", &json!("corrupt"));
    assert_eq!(
        answer["error"],
        "then: confirms do not offer corrupt, but nack, nack_and_drop, hold, lose"
    );
    server.end();
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    let server = Server::start(&[]);
    let refused = |rule: Value| server.refused(400, "POST", "/faults", Some(rule));
    let answer = refused(json!({"on": "queue.declear", "then": "drop_connection"}));
    assert!(answer.starts_with("on: there is no 'queue.declear'; there are publishes, confirms,"));
    assert!(answer.contains("queue.declare, queue.bind"), "{answer}");
    let answer = refused(json!({"on": "publishes", "then": "explode"}));
    assert!(answer.starts_with("then: unknown variant `explode`, expected one of"), "{answer}");
    let answer = refused(json!({"on": "publishes", "then": {"refuse": {"code": 406}}}));
    assert!(answer.contains("missing field `text`"), "{answer}");
    let answer = refused(json!({"on": "publishes", "nth": 1, "after": 2, "then": "unroutable"}));
    assert_eq!(answer, "give either nth, or times and after");
    let answer = refused(json!({"on": "confirms", "afterwards": true, "then": "nack"}));
    assert_eq!(answer, "confirms know no afterwards");
    let answer = refused(json!({"on": "confirms", "body": "", "body_base64": "", "then": "nack"}));
    assert_eq!(answer, "give either body or body_base64");
    assert_eq!(server.get("/faults"), json!([]));
    server.end();
}
