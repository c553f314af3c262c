//! A call that nobody answers in five seconds has failed, and its request is gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::BasicProperties;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use leveret::{Broker, Publish, QueueDeclare};

use crate::{declare, open};

const PATIENCE: Duration = Duration::from_secs(5);

/// The program under test: asks, and waits for the answer by the broker's clock.
async fn call(broker: Arc<Broker>, question: &'static [u8]) -> Option<Vec<u8>> {
    let channel = open(&broker).await;
    let reply_to = "amq.rabbitmq.reply-to";
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let replies = channel.basic_consume(reply_to.into(), "".into(), options, FieldTable::default());
    let mut replies = replies.await.unwrap();
    let properties = BasicProperties::default()
        .with_reply_to(reply_to.into())
        .with_correlation_id("1".into())
        .with_expiration("5000".into());
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "rpc".into(), options, question, properties);
    sent.await.unwrap().await.unwrap();
    tokio::select! {
        reply = replies.next() => reply.map(|reply| reply.unwrap().data),
        () = broker.sleep(PATIENCE) => None,
    }
}

#[tokio::test]
async fn current_thread() {
    let broker = Arc::new(Broker::for_tests());
    declare(&open(&broker).await, "rpc", &[]).await;
    let calling = tokio::spawn(call(Arc::clone(&broker), b"how much?"));
    broker.wait_for_queue_async("rpc", |q| q.ready == 1).await.unwrap();
    // The client waits from when it hears that its request is confirmed.
    while !calling.is_finished() {
        broker.advance_to_next_event_async().await;
    }
    assert_eq!(calling.await.unwrap(), None);
    broker.journal().expired().in_queue("rpc").with_correlation_id("1").assert_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_thread() {
    let broker = Arc::new(Broker::for_tests());
    declare(&open(&broker).await, "rpc", &[]).await;
    let calling = tokio::spawn(call(Arc::clone(&broker), b"how much?"));
    broker.wait_for_queue("rpc", |q| q.ready == 1).unwrap();
    // The client waits from when it hears that its request is confirmed.
    while !calling.is_finished() {
        broker.advance_to_next_event();
        tokio::task::yield_now().await;
    }
    assert_eq!(calling.await.unwrap(), None);
    broker.journal().expired().in_queue("rpc").with_correlation_id("1").assert_one();
}

#[test]
fn blocking() {
    let broker = Broker::for_tests();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    // What expires comes to whoever has asked.
    let rpc = QueueDeclare::new("rpc")
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", "replies");
    channel.queue_declare_with(&rpc).unwrap();
    channel.queue_declare("replies").unwrap();
    let calling = std::thread::spawn(move || {
        let replies = channel.basic_consume("replies").unwrap();
        let question = Publish::to_queue("rpc").body("how much?").reply_to("replies");
        channel.basic_publish(question.correlation_id("1").expiration_ms(5000)).unwrap();
        let reply = replies.recv().unwrap();
        reply.ack().unwrap();
        // Its own question, back from the dead.
        (reply.text() != "how much?").then(|| reply.text().to_string())
    });
    broker.wait_for_queue("rpc", |q| q.ready == 1).unwrap();
    broker.advance(PATIENCE);
    assert_eq!(calling.join().unwrap(), None);
    broker.journal().dead_lettered().in_queue("rpc").with_correlation_id("1").assert_one();
}
