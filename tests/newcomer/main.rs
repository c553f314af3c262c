//! The first tests that somebody writes who has read docs/testing.md: a retry with a TTL, a call
//! without an answer, a confirm that says no, a consumer that dies, and a saga. Each in a runtime
//! with one thread, in one with several, and with threads alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod consumer_crash;
mod nacked_confirm;
mod retry;
mod rpc;
mod saga;

use std::time::Duration;

use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ConnectionProperties, Consumer};
use leveret::Broker;

const LIMIT: Duration = Duration::from_secs(10);

/// A channel of lapin to the broker, which confirms publishes.
async fn open(broker: &Broker) -> Channel {
    let connection = leveret::lapin::connect(broker, ConnectionProperties::default()).await;
    let channel = connection.unwrap().create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

async fn declare(channel: &Channel, queue: &str, arguments: &[(&str, AMQPValue)]) {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), durable, table).await.unwrap();
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Publishes to a queue; tells whether the broker has confirmed it.
async fn send(channel: &Channel, queue: &str, body: &[u8]) -> lapin::Result<bool> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let confirm = channel.basic_publish("".into(), queue.into(), options, body, properties);
    Ok(confirm.await?.await?.is_ack())
}

async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
}
