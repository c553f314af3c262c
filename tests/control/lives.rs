//! Brokers that end, and come back, or become what they were.

use super::*;

#[tokio::test]
async fn the_next_broker_finds_what_was_durable() {
    let server = Server::start(&[]);
    let channel = server.connect().await.create_channel().await.unwrap();
    let options = lapin::options::QueueDeclareOptions::durable();
    channel.queue_declare("q".into(), options, Default::default()).await.unwrap();
    let persistent =
        json!({"routing_key": "q", "body": "kept", "properties": {"delivery_mode": 2}});
    assert_eq!(server.post("/publish", persistent)["confirmed"], "ack");
    server.fill("q", "lost");
    let rule = json!({"on": "queue.purge", "then": "crash"});
    let rule = server.post("/faults", rule)["id"].clone();
    channel.queue_purge("q".into(), Default::default()).await.unwrap_err();
    assert_eq!(server.get(&format!("/faults/{rule}"))["fired"], 1);
    let purged = server.get("/journal?kind=dropped").as_array().unwrap().len();
    assert_eq!(purged, 0, "a broker that has crashed is there to be asked");
    server.ok("POST", "/broker/start", None);
    let found = server.get("/queues/%2F/q/messages");
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!((&found[0]["body"], &found[0]["redelivered"]), (&json!("kept"), &json!(true)));
    assert_eq!(server.get("/faults"), json!([]));
    let refused = server.refused(400, "POST", "/broker/start", None);
    assert_eq!(refused, "the broker is running: crash or stop it first");
    server.ok("POST", "/broker/stop", None);
    server.ok("POST", "/broker/stop", None);
    server.ok("POST", "/broker/start", None);
    server.connect().await;
    server.end();
}

#[tokio::test]
async fn a_broker_becomes_what_it_was_even_after_a_crash() {
    let server = Server::start(&["--manual-clock"]);
    let channel = server.with_queue("q").await;
    server.fill("q", "a");
    let taken = server.post("/snapshots", json!({}));
    assert_eq!(taken, json!({"id": 1, "queues": 1, "messages": 1}));
    declare(&channel, "other").await.unwrap();
    channel.queue_purge("q".into(), Default::default()).await.unwrap();
    server.ok("POST", "/snapshots/1/restore", None);
    assert_eq!(server.get("/queues")[0]["ready"], 1);
    assert_eq!(server.get("/queues").as_array().unwrap().len(), 1);
    server.ok("POST", "/broker/crash", None);
    server.ok("POST", "/broker/start", None);
    assert_eq!(server.get("/queues"), json!([]));
    server.ok("POST", "/snapshots/1/restore", None);
    assert_eq!(server.get("/queues")[0]["ready"], 1);
    server.ok("DELETE", "/snapshots/1", None);
    let refused = server.refused(404, "POST", "/snapshots/1/restore", None);
    assert_eq!(refused, "there is no snapshot '1'");
    server.end();
}

#[tokio::test]
async fn a_broker_comes_back_at_all_its_addresses_as_often_as_it_is_stopped() {
    let server = Server::start(&["--tls"]);
    for end in ["/broker/stop", "/broker/crash"].repeat(5) {
        server.ok("POST", end, None);
        server.ok("POST", "/broker/start", None);
        server.connect().await;
    }
    server.end();
}
