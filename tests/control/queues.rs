//! Queues and their messages, publishes, explanations, and beginning anew.

use lapin::options::BasicGetOptions;

use super::*;

#[tokio::test]
async fn messages_are_seen_and_stay_where_they_are() {
    let server = Server::start(&["--manual-clock"]);
    let channel = server.with_queue("q").await;
    let publish = json!({"routing_key": "q", "body": "1", "headers": {"a": [true, "x"]},
        "properties": {"content_type": "text/plain", "priority": 3, "expiration": "5000"}});
    assert_eq!(server.post("/publish", publish), json!({"confirmed": "ack"}));
    server.fill("q", "2");
    let ready = server.get("/queues/%2F/q/messages");
    let now_ms = server.get("/clock")["now_ms"].as_u64().unwrap();
    assert_eq!(
        ready[0],
        json!({"exchange": "", "routing_key": "q", "body": "1", "headers": {"a": [true, "x"]},
            "properties": {"content_type": "text/plain", "priority": 3, "expiration": "5000"},
            "redelivered": false, "delivery_count": 0, "expires_at_ms": now_ms + 5000})
    );
    assert_eq!(ready[1]["body"], "2");
    assert_eq!(server.get("/queues/%2F/q/messages?max=1").as_array().unwrap().len(), 1);
    channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    let unacked = server.get("/queues/%2F/q/unacked");
    assert_eq!([&unacked[0]["body"], &unacked[0]["consumer_tag"]], [&json!("1"), &Value::Null]);
    assert!(unacked[0]["connection"].as_u64().is_some_and(|number| number > 0));
    assert_eq!([&unacked[0]["connection_name"], &unacked[0]["channel"]], [&Value::Null, &json!(1)]);
    assert_eq!(unacked[0]["delivered_at_ms"], now_ms);
    for path in ["/queues/%2F/none/messages", "/queues/%2F/none/unacked"] {
        let answer = server.refused(404, "GET", path, None);
        assert_eq!(answer, "NOT_FOUND - no queue 'none' in vhost '/'");
    }
    server.refused(404, "GET", "/queues/none/q/messages", None);
    let answer = server.refused(400, "GET", "/queues/%2F/q/messages?max=many", None);
    assert!(answer.contains("invalid digit"), "{answer}");
    server.end();
}

#[tokio::test]
async fn a_queue_is_held_and_lets_one_message_go() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    server.ok("PUT", "/queues/%2F/q/held", Some(json!({"held": true})));
    for body in ["1", "2", "3"] {
        server.fill("q", body);
    }
    let get = || async {
        let options = BasicGetOptions { no_ack: true };
        channel.basic_get("q".into(), options).await.unwrap().map(|m| m.delivery.data)
    };
    assert_eq!(get().await, None);
    server.post("/queues/%2F/q/release", json!({"count": 1}));
    assert_eq!([get().await, get().await], [Some(b"1".to_vec()), None]);
    server.ok("PUT", "/queues/%2F/q/held", Some(json!({"held": false})));
    assert_eq!([get().await, get().await], [Some(b"2".to_vec()), Some(b"3".to_vec())]);
    server.refused(404, "PUT", "/queues/%2F/none/held", Some(json!({"held": true})));
    let answer = server.refused(404, "POST", "/queues/none/q/release", Some(json!({"count": 1})));
    assert_eq!(answer, "NOT_ALLOWED - vhost none not found");
    server.end();
}

#[tokio::test]
async fn a_test_decides_who_gets_a_message() {
    let server = Server::start(&[]);
    let fast = server.connect_as("fast").await.create_channel().await.unwrap();
    let slow = server.connect_as("slow").await.create_channel().await.unwrap();
    declare(&fast, "q").await.unwrap();
    server.ok("PUT", "/queues/%2F/q/held", Some(json!({"held": true})));
    let mut consumers = Vec::new();
    for channel in [&fast, &slow] {
        let options = lapin::options::BasicConsumeOptions::default();
        let consume = channel.basic_consume("q".into(), "c".into(), options, Default::default());
        consumers.push(consume.await.unwrap());
    }
    for body in ["1", "2", "3"] {
        server.fill("q", body);
    }
    let release = "/queues/%2F/q/release";
    let to = |to: Value| json!({"to": to});
    server.post(release, to(json!({"consumer_tag": "c", "connection_name": "slow"})));
    let has = server.get("/queues/%2F/q/unacked")[0].clone();
    assert_eq!((&has["connection_name"], &has["channel"]), (&json!("slow"), &json!(1)));
    let number = &has["connection"];
    server.post(release, to(json!({"consumer_tag": "c", "connection": number, "channel": 1})));
    server.post(release, to(json!({"consumer_tag": "c", "connection_name": "fast"})));
    let unacked = server.get("/queues/%2F/q/unacked");
    let who: Vec<_> = unacked.as_array().unwrap().iter().map(|m| &m["connection_name"]).collect();
    assert_eq!(who, ["slow", "slow", "fast"]);
    for (body, status, answer) in [
        (to(json!({"consumer_tag": "c"})), 400, "PRECONDITION_FAILED"),
        (to(json!({"consumer_tag": "d"})), 404, "NOT_FOUND"),
        (json!({"count": 1, "to": {"consumer_tag": "c"}}), 400, "give either count or to"),
        (
            to(json!({"consumer_tag": "c", "connection_name": "slow", "connection": number})),
            400,
            "give either connection_name or connection",
        ),
    ] {
        let refused = server.refused(status, "POST", release, Some(body));
        assert!(refused.starts_with(answer), "{refused}");
    }
    server.end();
}

#[tokio::test]
async fn many_messages_are_published_with_one_wait() {
    let server = Server::start(&[]);
    let _channel = server.with_queue("q").await;
    let to_q = |body: &str| json!({"routing_key": "q", "body": body, "mandatory": true});
    let lost = json!({"routing_key": "none", "mandatory": true});
    let answer =
        server.post("/publish/all", json!({"messages": [to_q("1"), lost.clone(), to_q("2")]}));
    assert_eq!(answer, json!({"acked": 2}));
    let nowhere = json!({"messages": [{"routing_key": "none"}, to_q("3")]});
    let answer = server.refused(400, "POST", "/publish/all", Some(nowhere));
    assert!(answer.starts_with("NO_ROUTE - no queue got the message to the default"), "{answer}");
    let found = server.get("/queues/%2F/q/messages");
    let bodies = [0, 1, 2].map(|place| found[place]["body"].clone());
    assert_eq!(bodies, ["1", "2", "3"], "those are published that could be");
    server.post("/faults", json!({"on": "confirms", "then": "lose"}));
    let request = json!({"messages": [to_q("3")], "limit_ms": 10});
    let answer = server.refused(408, "POST", "/publish/all", Some(request));
    assert_eq!(answer, "the publish was not confirmed within 10ms");
    let request = json!({"messages": [{"vhost": "/"}]});
    let answer = server.refused(400, "POST", "/publish/all", Some(request));
    assert!(answer.starts_with("vhost and limit_ms are for all messages"), "{answer}");
    let request = json!({"messages": [lost, {"colour": "red"}]});
    let answer = server.refused(400, "POST", "/publish/all", Some(request));
    assert!(answer.starts_with("messages[1].colour: unknown field"), "{answer}");
    server.end();
}

#[test]
fn a_publish_that_cannot_be_is_refused() {
    let server = Server::start(&[]);
    for (publish, status, answer) in [
        (json!({"exchange": "none"}), 404, "NOT_FOUND - no exchange 'none' in vhost '/'"),
        (json!({"vhost": "none"}), 404, "NOT_ALLOWED - vhost none not found"),
        (json!({"body_base64": "?"}), 400, "body_base64: Invalid symbol 63, offset 0."),
        (json!({"headers": {"n": u64::MAX}}), 400, "header 'n': the number"),
        (json!({"properties": {"colour": "red"}}), 400, "properties.colour: unknown field"),
        (
            json!({"properties": {"app_id": "a".repeat(256)}}),
            400,
            "a property has more than 255 octets of text",
        ),
    ] {
        let refused = server.refused(status, "POST", "/publish", Some(publish));
        assert!(refused.starts_with(answer), "{refused}");
    }
    server.end();
}

#[tokio::test]
async fn a_route_is_explained() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    let (exchange, none) = ("amq.headers", FieldTable::default());
    let mut arguments = none.clone();
    arguments.insert("type".into(), AMQPValue::LongString("mail".into()));
    let bound =
        channel.queue_bind("q".into(), exchange.into(), "".into(), Default::default(), arguments);
    bound.await.unwrap();
    let answer = server.get("/explain?exchange=amq.headers&routing_key=k");
    assert_eq!(answer["unroutable"], true);
    assert_eq!(answer["steps"][0]["near"][0]["binding"]["destination"], "q");
    let text = answer["text"].as_str().unwrap();
    assert!(text.starts_with("A message to exchange 'amq.headers' with key 'k':"), "{text}");
    let question = json!({"exchange": "amq.headers", "headers": {"type": "mail"}});
    let answer = server.post("/explain", question);
    assert_eq!(answer["queues"], json!([{"queue": "q", "notes": []}]));
    assert_eq!(answer["steps"][0]["type"], "headers");
    server.refused(404, "GET", "/explain?exchange=none", None);
    server.end();
}

#[tokio::test]
async fn a_test_begins_anew_on_the_same_connection() {
    let server = Server::start(&[]);
    let channel = server.with_queue("q").await;
    server.post("/faults", json!({"on": "publishes", "then": "unroutable"}));
    server.ok("PUT", "/alarms", Some(json!({"memory": true, "disk": true})));
    server.ok("POST", "/reset", None);
    for path in ["/queues", "/faults", "/journal"] {
        assert_eq!(server.get(path), json!([]), "{path}");
    }
    declare(&channel, "q").await.unwrap();
    assert_eq!(server.fill("q", "1"), "ack");
    assert_eq!(server.get("/queues")[0]["ready"], 1);
    server.end();
}
