//! Streams: seen, held, published to, brought back.

use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use super::*;

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

async fn declare_stream(channel: &lapin::Channel) {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("stream"));
    channel.queue_declare("s".into(), options, arguments).await.unwrap();
}

#[tokio::test]
async fn a_stream_is_seen_held_and_brought_back() {
    let server = Server::start(&[]);
    let channel = server.connect().await.create_channel().await.unwrap();
    declare_stream(&channel).await;
    ["1", "2"].iter().for_each(|body| drop(server.fill("s", body)));
    let bodies = || {
        let messages = server.get("/queues/%2F/s/messages");
        let messages = messages.as_array().unwrap().clone();
        messages.iter().map(|message| message["body"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(), ["1", "2"]);
    let snapshot = server.post("/snapshots", json!({}));
    assert_eq!((&snapshot["queues"], &snapshot["messages"]), (&json!(1), &json!(2)));

    server.ok("PUT", "/queues/%2F/s/held", Some(json!({"held": true})));
    channel.basic_qos(10, BasicQosOptions::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), text("first"));
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("s".into(), "c".into(), options, arguments).await.unwrap();
    server.post("/queues/%2F/s/release", json!({"count": 1}));
    let wait = json!({"for": {"queue": {"name": "s", "ready": 2, "unacked": 1, "consumers": 1}}});
    server.post("/wait", wait);
    let unacked = server.get("/queues/%2F/s/unacked");
    assert_eq!((&unacked[0]["body"], &unacked[0]["consumer_tag"]), (&json!("1"), &json!("c")));
    let delivered = server.get("/journal?kind=delivered&queue=s");
    assert_eq!(delivered.as_array().unwrap().len(), 1);

    server.fill("s", "3");
    assert_eq!(bodies(), ["1", "2", "3"]);
    let id = &snapshot["id"];
    server.post(&format!("/snapshots/{id}/restore"), json!({}));
    assert_eq!(bodies(), ["1", "2"]);
    drop(consumer);
    server.post("/reset", json!({}));
    server.refused(404, "GET", "/queues/%2F/s/messages", None);
    server.end();
}
