//! Virtual hosts, and definitions of another broker.

use super::*;

#[tokio::test]
async fn a_virtual_host_is_there_for_the_default_user_even_after_a_crash() {
    let server = Server::start(&[]);
    server.connect_to("shop").await.unwrap_err();
    for _ in 0..2 {
        server.ok("PUT", "/vhosts/shop", None);
    }
    let channel = server.connect_to("shop").await.unwrap().create_channel().await.unwrap();
    declare(&channel, "q").await.unwrap();
    let publish = json!({"vhost": "shop", "messages": [{"routing_key": "q", "body": "1"}]});
    assert_eq!(server.post("/publish/all", publish)["acked"], 1);
    assert_eq!(server.get("/queues/shop/q/messages")[0]["body"], "1");
    server.ok("POST", "/broker/crash", None);
    server.ok("POST", "/broker/start", None);
    server.connect_to("shop").await.unwrap();
    let answer = server.refused(400, "PUT", &format!("/vhosts/{}", "v".repeat(256)), None);
    assert_eq!(answer, "the name of a virtual host has at most 255 octets");
    server.end();
}

/// What a production broker exports: its `guest` is locked, and another user is the one that works.
fn production() -> Value {
    json!({
        "rabbit_version": "4.0.5",
        "users": [{"name": "guest", "password_hash": "", "tags": []},
            {"name": "app", "password": "secret", "tags": []}],
        "vhosts": [{"name": "/"}, {"name": "shop"}],
        "permissions": [
            {"user": "guest", "vhost": "shop", "configure": "", "write": "", "read": ""},
            {"user": "app", "vhost": "shop", "configure": "", "write": ".*", "read": ".*"}],
        "exchanges": [{"name": "orders", "vhost": "shop", "type": "topic", "durable": true,
            "auto_delete": false, "internal": false, "arguments": {}}],
        "queues": [{"name": "billing", "vhost": "shop", "durable": true, "auto_delete": false,
            "arguments": {"x-queue-type": "quorum"}}],
        "bindings": [{"source": "orders", "vhost": "shop", "destination": "billing",
            "destination_type": "queue", "routing_key": "order.*", "arguments": {}}]
    })
}

/// The default user works in the production topology.
async fn assert_it_is_production(server: &Server) {
    let publish = json!({"vhost": "shop", "exchange": "orders", "routing_key": "order.created",
        "mandatory": true});
    assert_eq!(server.post("/publish", publish)["confirmed"], "ack");
    let channel = server.connect_to("shop").await.unwrap().create_channel().await.unwrap();
    declare(&channel, "of the test").await.unwrap();
    let uri = server.ready["amqp"].as_str().unwrap();
    let uri = uri.replace("%2F", "shop").replace("guest:guest", "app:secret");
    let channel = lapin::Connection::connect(&uri, Default::default()).await.unwrap();
    let channel = channel.create_channel().await.unwrap();
    let refused = declare(&channel, "of the app").await.unwrap_err();
    assert_eq!(reply_code(&refused), Some(403));
}

#[tokio::test]
async fn the_topology_of_production_is_imported() {
    let server = Server::start(&[]);
    server.post("/definitions", production());
    assert_it_is_production(&server).await;
    let mut other = production();
    other["queues"][0]["arguments"] = json!({});
    let answer = server.refused(400, "POST", "/definitions", Some(other));
    assert!(answer.starts_with("queue 'billing': inequivalent arg 'x-queue-type'"), "{answer}");
    let answer = server.refused(400, "POST", "/definitions", Some(json!({"queues": [{}]})));
    assert!(answer.starts_with("queues[0]: missing field `name`"), "{answer}");
    let misspelt = json!({"queue": [{"name": "q", "durable": true}]});
    let answer = server.refused(400, "POST", "/definitions", Some(misspelt));
    assert_eq!(answer, "section 'queue': there is no such section; did you mean 'queues'?");
    let one_host = json!({"queues": [{"name": "q", "durable": true}]});
    server.post("/definitions", one_host);
    let partly = json!({"exchanges": [{"name": "x", "type": "none"}], "bindings": [{"source": 1}],
        "queues": [{"name": "r", "durable": true}, {"name": "q", "durable": false}]});
    let answer = server.refused(400, "POST", "/definitions", Some(partly));
    let reasons: Vec<_> = answer.split("; ").collect();
    let starts =
        ["bindings[0].source: ", "exchange 'x': ", "queue 'q': inequivalent arg 'durable'"];
    assert_eq!(reasons.len(), starts.len(), "{answer}");
    assert!(reasons.iter().zip(starts).all(|(text, start)| text.starts_with(start)), "{answer}");
    assert_eq!(server.fill("r", "1"), "ack");
    assert_eq!(server.fill("q", "1"), "ack");
    server.end();
}

#[tokio::test]
async fn it_starts_with_definitions_and_keeps_them_over_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("definitions.json");
    std::fs::write(&path, production().to_string()).unwrap();
    let server = Server::start(&["--definitions", path.to_str().unwrap()]);
    assert_it_is_production(&server).await;
    server.ok("POST", "/broker/crash", None);
    server.ok("POST", "/broker/start", None);
    assert_it_is_production(&server).await;
    server.end();
}

#[tokio::test]
async fn what_an_upgrade_would_break_is_refused() {
    let server = Server::start(&["--deny-deprecated"]);
    let channel = server.connect().await.create_channel().await.unwrap();
    let refused = declare(&channel, "q").await.unwrap_err();
    assert_eq!(reply_code(&refused), Some(541));
    let request = json!({"queues": [{"name": "q", "durable": false}]});
    let answer = server.refused(400, "POST", "/definitions", Some(request));
    assert!(answer.contains("transient_nonexcl_queues"), "{answer}");
    server.end();
}
