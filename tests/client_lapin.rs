//! What a program written with lapin relies on, end to end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::pin::Pin;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    ExchangeKind,
};
use sha2::{Digest, Sha256};
use support::{TestBroker, large_body, unique, within};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The names of one run and the channel that all parts use.
struct Client {
    connection: Connection,
    channel: Channel,
    exchange: String,
    queue: String,
}

impl Client {
    async fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Confirmation {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let sent =
            self.channel.basic_publish(exchange.into(), key.into(), options, body, properties);
        within("a confirm", sent.await.unwrap()).await.unwrap()
    }

    async fn publish_routed(&self, body: &[u8], properties: BasicProperties) {
        let confirmation = self.publish(&self.exchange, "key", body, properties).await;
        assert_eq!(confirmation, Confirmation::Ack(None), "the publish was not simply acked");
    }

    async fn get(&self) -> Option<Delivery> {
        let got = self.channel.basic_get(self.queue.as_str().into(), BasicGetOptions::default());
        within("basic.get", got).await.unwrap().map(|message| message.delivery)
    }

    /// The ready messages; also a round trip behind all earlier deliveries.
    async fn ready(&self) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = self.queue.as_str().into();
        let declared = self.channel.queue_declare(queue, options, FieldTable::default());
        within("a passive declare", declared).await.unwrap().message_count()
    }
}

async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Consumer {
    let options = BasicConsumeOptions { no_ack, ..Default::default() };
    let consumed = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    within("basic.consume", consumed).await.unwrap()
}

async fn next(consumer: &mut Consumer, what: &str) -> Delivery {
    let next = std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context));
    within(what, next).await.expect("the consumer was cancelled").unwrap()
}

async fn cancel(channel: &Channel, consumer: Consumer) {
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.unwrap();
}

async fn connect(broker: &TestBroker) -> Client {
    let connected = Connection::connect(&broker.uri, ConnectionProperties::default());
    let connection = within("the handshake", connected).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let run = unique("lapin");
    let (exchange, queue) = (format!("{run}.exchange"), format!("{run}.queue"));
    let (at, to) = (exchange.as_str(), queue.as_str());
    let none = FieldTable::default;
    let direct = ExchangeKind::Direct;
    channel.exchange_declare(at.into(), direct, Default::default(), none()).await.unwrap();
    channel.queue_declare(to.into(), Default::default(), none()).await.unwrap();
    channel
        .queue_bind(to.into(), at.into(), "key".into(), Default::default(), none())
        .await
        .unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    Client { connection, channel, exchange, queue }
}

async fn publish_and_return(client: &Client) {
    client.publish_routed(b"routed", BasicProperties::default()).await;
    let unroutable =
        client.publish(&client.exchange, "nowhere", b"lost", BasicProperties::default()).await;
    assert!(unroutable.is_ack(), "an unroutable message is acked after its return");
    let returned = unroutable.take_message().expect("an unroutable message is returned");
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(returned.delivery.data, b"lost");
    let got = client.get().await.expect("the routed message is in the queue");
    assert_eq!(got.data, b"routed");
    got.acker.ack(BasicAckOptions::default()).await.unwrap();
    assert!(client.get().await.is_none(), "the queue should be empty");
}

async fn prefetch(client: &Client) {
    for number in b'0'..=b'9' {
        client.publish_routed(&[number], BasicProperties::default()).await;
    }
    client.channel.basic_qos(3, BasicQosOptions::default()).await.unwrap();
    let mut consumer = consume(&client.channel, &client.queue, false).await;
    let mut seen = Vec::new();
    for left in [7, 4, 1] {
        for _ in 0..2 {
            seen.extend(next(&mut consumer, "a delivery within the prefetch").await.data);
        }
        let last = next(&mut consumer, "the last delivery within the prefetch").await;
        seen.extend(&last.data);
        assert_eq!(client.ready().await, left, "ready with three unacked of a prefetch of 3");
        last.acker.ack(BasicAckOptions { multiple: true }).await.unwrap();
    }
    let last = next(&mut consumer, "the last delivery").await;
    seen.extend(&last.data);
    assert_eq!(seen, b"0123456789");
    last.acker.ack(BasicAckOptions::default()).await.unwrap();
    cancel(&client.channel, consumer).await;
}

async fn requeue(client: &Client) {
    let mut consumer = consume(&client.channel, &client.queue, false).await;
    client.publish_routed(b"again", BasicProperties::default()).await;
    let first = next(&mut consumer, "the first delivery").await;
    assert!(!first.redelivered, "the first delivery is marked redelivered");
    first.acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
    let second = next(&mut consumer, "the second delivery").await;
    assert!(second.redelivered, "the second delivery is not marked redelivered");
    second.acker.ack(BasicAckOptions::default()).await.unwrap();
    cancel(&client.channel, consumer).await;
}

async fn rpc(client: &Client) {
    let server = client.connection.create_channel().await.unwrap();
    let calls = format!("{}.rpc", client.queue);
    let exclusive = QueueDeclareOptions::exclusive();
    server.queue_declare(calls.as_str().into(), exclusive, FieldTable::default()).await.unwrap();
    let mut requests = consume(&server, &calls, false).await;
    let mut replies = consume(&client.channel, REPLY_TO, true).await;
    let call = BasicProperties::default().with_correlation_id("call-1".into());
    let asked = client.publish("", &calls, b"question", call.with_reply_to(REPLY_TO.into())).await;
    assert_eq!(asked, Confirmation::Ack(None));
    let request = next(&mut requests, "the request").await;
    let address = request.properties.reply_to().clone().expect("a reply address");
    assert!(address.as_str().starts_with("amq.rabbitmq.reply-to."), "reply address {address}");
    let id = request.properties.correlation_id().clone().expect("a correlation id");
    let answer = BasicProperties::default().with_correlation_id(id);
    server
        .basic_publish("".into(), address, Default::default(), b"QUESTION", answer)
        .await
        .unwrap()
        .await
        .unwrap();
    request.acker.ack(BasicAckOptions::default()).await.unwrap();
    let reply = next(&mut replies, "the reply").await;
    assert_eq!(reply.data, b"QUESTION");
    assert_eq!(reply.properties.correlation_id().as_ref().map(|id| id.as_str()), Some("call-1"));
    cancel(&client.channel, replies).await;
    cancel(&server, requests).await;
    server.queue_delete(calls.into(), QueueDeleteOptions::default()).await.unwrap();
    server.close(200, "done".into()).await.unwrap();
}

async fn large(client: &Client) {
    let sent = large_body();
    let mut headers = FieldTable::default();
    headers.insert("attempt".into(), AMQPValue::LongInt(7));
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers.clone());
    client.publish_routed(&sent, properties).await;
    let got = client.get().await.expect("the 1 MiB message is in the queue");
    assert_eq!(Sha256::digest(&got.data), Sha256::digest(&sent), "the body changed");
    assert_eq!(got.properties.delivery_mode(), &Some(2));
    assert_eq!(got.properties.headers(), &Some(headers));
    got.acker.ack(BasicAckOptions::default()).await.unwrap();
}

async fn clean_up(client: Client) {
    let Client { connection, channel, exchange, queue } = client;
    let (at, to) = (exchange.as_str(), queue.as_str());
    let none = FieldTable::default;
    channel.queue_unbind(to.into(), at.into(), "key".into(), none()).await.unwrap();
    let left = channel.queue_delete(to.into(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(left, 0, "messages were left over");
    channel.exchange_delete(at.into(), ExchangeDeleteOptions::default()).await.unwrap();
    let other = connection.create_channel().await.unwrap();
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let refused = other.queue_declare(to.into(), passive, none()).await.unwrap_err();
    let lapin::ErrorKind::ProtocolError(error) = refused.kind() else {
        panic!("passive declare of a deleted queue: {refused}");
    };
    assert_eq!(error.kind(), &AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND));
    channel.close(200, "done".into()).await.unwrap();
    within("connection.close", connection.close(200, "done".into())).await.unwrap();
}

#[tokio::test]
async fn lapin_client() {
    let broker = TestBroker::start();
    let client = connect(&broker).await;
    publish_and_return(&client).await;
    prefetch(&client).await;
    requeue(&client).await;
    rpc(&client).await;
    large(&client).await;
    clean_up(client).await;
}
