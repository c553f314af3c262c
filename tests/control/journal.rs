//! Events, as other languages ask for them.

use super::*;

/// A broker in which a message was published, delivered to nobody and expired, and another was
/// unroutable.
async fn with_events() -> Server {
    let server = Server::start(&["--manual-clock"]);
    let channel = server.connect().await.create_channel().await.unwrap();
    declare_with_ttl(&channel, "mail", 1000).await;
    let publish = json!({"routing_key": "mail", "body": "hello", "headers": {"n": 1},
        "properties": {"correlation_id": "c7", "type": "greeting"}});
    server.post("/publish", publish);
    server.post(
        "/publish",
        json!({"routing_key": "male", "body_base64": "/w==", "mandatory": false}),
    );
    server.post("/clock/advance", json!({"ms": 1000}));
    server
}

#[tokio::test]
async fn events_say_all_they_know() {
    let server = with_events().await;
    let published = server.get("/journal?kind=published&routing_key=mail");
    let event = &published[0];
    let message = event["message"].as_u64().unwrap();
    for (field, value) in [
        ("kind", json!("published")),
        ("vhost", json!("/")),
        ("exchange", json!("")),
        ("routing_key", json!("mail")),
        ("user", json!("guest")),
        ("body", json!("hello")),
        ("headers", json!({"n": 1})),
        ("properties", json!({"correlation_id": "c7", "type": "greeting"})),
    ] {
        assert_eq!(event[field], value, "{event}");
    }
    assert!(event["connection"].is_u64() && event["number"].is_u64() && event["at_ms"].is_u64());
    let line = event["line"].as_str().unwrap();
    assert!(line.contains("published to the default exchange with key 'mail'"), "{line}");

    let way = server.get(&format!("/journal?message={message}"));
    let kinds: Vec<_> = way.as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str().unwrap()).collect();
    assert_eq!(kinds, ["published", "routed", "enqueued", "confirmed", "expired", "dropped"]);
    assert_eq!(way[1]["queues"], json!(["mail"]));
    let dropped = &way[5];
    assert_eq!([&dropped["because"], &dropped["reason"]], ["died", "expired"]);
    let other = server.get("/journal?kind=unroutable");
    assert_eq!(other[0]["body_base64"], "/w==");
    assert_eq!(other[0]["returned"], false);
    server.end();
}

#[tokio::test]
async fn every_parameter_narrows_down() {
    let server = with_events().await;
    let number = server.get("/journal?kind=enqueued")[0]["number"].as_u64().unwrap();
    let count =
        |parameters: &str| server.get(&format!("/journal?{parameters}")).as_array().unwrap().len();
    for (parameters, expected) in [
        ("kind=published", 2),
        ("kind=published&exchange=", 2),
        ("kind=published&routing_key_like=ma*", 0),
        ("kind=published&routing_key_like=*", 2),
        ("kind=published&body=hello", 1),
        ("kind=published&body_base64=%2Fw%3D%3D", 1),
        ("kind=published&body_contains=ell", 1),
        ("kind=published&headers=%7B%22n%22%3A1%7D", 1),
        ("kind=published&headers=%7B%22n%22%3A2%7D", 0),
        ("kind=published&correlation_id=c7", 1),
        ("kind=published&user=nobody", 0),
        ("kind=published&vhost=other", 0),
        ("kind=enqueued&queue=mail", 1),
        ("kind=routed&to_queue=mail", 1),
        ("kind=dropped&because=expired", 1),
        ("kind=dropped&because=maxlen", 0),
        ("kind=dropped&dropped_because=died", 1),
        ("kind=dropped&dropped_because=purged", 0),
        ("kind=delivered&redelivered=true", 0),
        ("consumer_tag=c", 0),
        ("last=3", 3),
    ] {
        assert_eq!(count(parameters), expected, "{parameters}");
    }
    let after = server.get(&format!("/journal?after={number}"));
    assert_eq!(after[0]["number"], number + 1);
    for (parameters, answer) in [
        ("kind=lost", "unknown variant `lost`, expected one of `published`"),
        ("because=age", "expected one of `rejected`, `expired`, `maxlen`, `delivery_limit`"),
        ("colour=red", "unknown field `colour`, expected one of `kind`, `exchange`"),
        ("headers=1", "headers are a JSON object"),
    ] {
        let refused = server.refused(400, "GET", &format!("/journal?{parameters}"), None);
        assert!(refused.contains(answer), "{parameters}: {refused}");
    }
    server.ok("DELETE", "/journal", None);
    assert_eq!(server.get("/journal"), json!([]));
    server.end();
}

#[tokio::test]
async fn a_check_that_fails_tells_what_did_happen() {
    let server = with_events().await;
    let check = |check: Value| server.post("/journal/check", check);
    let held = json!({"holds": true});
    let published = json!({"kind": "published", "routing_key": "mail"});
    let dropped = json!({"kind": "dropped"});
    assert_eq!(check(json!({"events": published, "count": 1})), held);
    assert_eq!(check(json!({"events": published, "some": true})), held);
    assert_eq!(check(json!({"events": published, "texts": ["hello"]})), held);
    assert_eq!(check(json!({"events": published, "before": dropped})), held);

    let answer = check(json!({"events": {"kind": "published", "routing_key": "mall"}, "count": 1}));
    assert_eq!(answer["holds"], false);
    let text = answer["text"].as_str().unwrap();
    assert!(text.starts_with("expected of the events that are published with key 'mall': 1"));
    assert!(text.contains("what comes nearest:") && text.contains("with key 'mail'"), "{text}");
    let answer = check(json!({"events": dropped, "before": published}));
    assert!(answer["text"].as_str().unwrap().starts_with("expected all events that are dropped"));
    let both = json!({"events": dropped, "count": 1, "some": true});
    let answer = server.refused(400, "POST", "/journal/check", Some(both));
    assert_eq!(answer, "give one of count, some, texts and before");
    server.end();
}
