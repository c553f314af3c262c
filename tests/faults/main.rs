//! Every fault that can be declared, and what a client sees of it: lapin in memory, on a manual
//! clock, and embedded channels.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod alarms;
mod confirms;
mod connections;
mod crashes;
mod deliveries;
mod embedded;
mod frames;
mod publishes;
mod requeues;
mod rules;
mod streams;

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{FieldTable, LongString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
};
use leveret::Counts;
use leveret::{Broker, ManualClock, Publish};

/// A broker on a manual clock that has the queue `q`.
fn broker() -> Broker {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    behind(&broker).queue_declare("q").unwrap();
    broker
}

/// A channel that the test looks behind the scenes with.
fn behind(broker: &Broker) -> leveret::Channel {
    broker.connect().unwrap().open_channel().unwrap()
}

fn put(broker: &Broker, body: &str) {
    behind(broker).basic_publish(Publish::to_queue("q").body(body.to_owned())).unwrap();
}

fn counts(broker: &Broker) -> Counts {
    broker.virtual_host("/").unwrap().queue("q").unwrap().counts()
}

/// The bodies of all messages in `q`, in order, and whether each was delivered before.
fn drain(broker: &Broker) -> Vec<(String, bool)> {
    let channel = behind(broker);
    let got = std::iter::from_fn(|| channel.basic_get_no_ack("q").unwrap());
    got.map(|m| (String::from_utf8_lossy(m.body()).into_owned(), m.redelivered())).collect()
}

/// The value of `work`; panics with `what` when it takes more than ten seconds.
async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| panic!("waited 10 s for {what}"))
}

/// Waits until `condition` holds, which clients bring about in their own time.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn connect(broker: &Broker) -> Connection {
    connect_as(broker, "").await.unwrap()
}

async fn connect_as(broker: &Broker, name: &str) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
    within("the handshake", leveret::lapin::connect(broker, properties)).await
}

async fn declare(channel: &Channel, queue: &str) -> lapin::Result<()> {
    let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
    within("declare-ok", channel.queue_declare(queue.into(), options, none)).await.map(drop)
}

/// A channel that confirms.
async fn confirming(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

/// Publishes to an exchange, mandatory, and returns the confirm that is to come.
async fn send(
    channel: &Channel,
    (exchange, key): (&str, &str),
    body: &str,
) -> lapin::Result<impl Future<Output = lapin::Result<Confirmation>> + use<>> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default();
    channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties).await
}

/// Publishes to `q` and waits for the confirm.
async fn publish(channel: &Channel, body: &str) -> lapin::Result<Confirmation> {
    within("a confirm", send(channel, ("", "q"), body).await?).await
}

async fn consume(channel: &Channel) -> Consumer {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("q".into(), "".into(), options, none).await.unwrap()
}

async fn next(consumer: &mut Consumer) -> lapin::Result<Delivery> {
    let next = std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context));
    within("a delivery", next).await.expect("the consumer was cancelled")
}

async fn ack(delivery: &Delivery) {
    delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
}

/// The reply code and text that the broker closed a channel or connection with.
fn reply(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().to_string())),
        _ => None,
    }
}
