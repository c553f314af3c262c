//! What a program written with amqprs relies on, end to end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::*;
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, FieldTable, FieldValue, Nack, Return};
use async_trait::async_trait;
use lapin::uri::AMQPUri;
use sha2::{Digest, Sha256};
use support::{TestBroker, large_body, unique, within};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What the broker says about published messages and about the channel, in its order.
#[derive(Debug, PartialEq)]
enum Event {
    Ack(u64),
    Nack(u64),
    Return(u16, String, Vec<u8>),
    Close(u16),
}

/// Hands every event of a channel on to the test.
struct Events(UnboundedSender<Event>);

impl Events {
    fn hand_on(&self, event: Event) {
        // The receiver is gone only when the test has ended.
        let _ = self.0.send(event);
    }
}

#[async_trait]
impl ChannelCallback for Events {
    async fn close(
        &mut self,
        _channel: &Channel,
        close: CloseChannel,
    ) -> Result<(), amqprs::error::Error> {
        self.hand_on(Event::Close(close.reply_code()));
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), amqprs::error::Error> {
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, amqprs::error::Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _channel: &Channel, ack: Ack) {
        self.hand_on(Event::Ack(ack.delivery_tag()));
    }

    async fn publish_nack(&mut self, _channel: &Channel, nack: Nack) {
        self.hand_on(Event::Nack(nack.delivery_tag()));
    }

    async fn publish_return(
        &mut self,
        _channel: &Channel,
        returned: Return,
        _properties: BasicProperties,
        body: Vec<u8>,
    ) {
        let text = returned.reply_text().to_string();
        self.hand_on(Event::Return(returned.reply_code(), text, body));
    }
}

/// The names of one run, the channel that all parts use, and how many messages it published.
struct Client {
    connection: Connection,
    channel: Channel,
    events: UnboundedReceiver<Event>,
    exchange: String,
    queue: String,
    published: u64,
}

impl Client {
    async fn send(&mut self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let arguments = BasicPublishArguments::new(exchange, key).mandatory(true).finish();
        self.channel.basic_publish(properties, body.to_vec(), arguments).await.unwrap();
        self.published += 1;
    }

    async fn next_event(&mut self, what: &str) -> Event {
        within(what, self.events.recv()).await.expect("the channel's events")
    }

    async fn publish(&mut self, key: &str, body: &[u8], properties: BasicProperties) {
        let exchange = self.exchange.clone();
        self.send(&exchange, key, body, properties).await;
        self.confirmed().await;
    }

    async fn confirmed(&mut self) {
        assert_eq!(self.next_event("a confirm").await, Event::Ack(self.published));
    }

    async fn get(&self) -> Option<GetMessage> {
        let arguments = BasicGetArguments::new(&self.queue).no_ack(true).finish();
        within("basic.get", self.channel.basic_get(arguments)).await.unwrap()
    }

    async fn ack(&self, delivery_tag: u64, multiple: bool) {
        self.channel.basic_ack(BasicAckArguments::new(delivery_tag, multiple)).await.unwrap();
    }

    async fn cancel(&self, consumer: &Consumer) {
        self.channel.basic_cancel(BasicCancelArguments::new(&consumer.tag)).await.unwrap();
    }
}

/// A consumer and the deliveries that wait for the test.
struct Consumer {
    tag: String,
    deliveries: UnboundedReceiver<ConsumerMessage>,
}

impl Consumer {
    async fn start(channel: &Channel, queue: &str, no_ack: bool) -> Self {
        let arguments = BasicConsumeArguments::new(queue, "").manual_ack(!no_ack).finish();
        let (tag, deliveries) = channel.basic_consume_rx(arguments).await.unwrap();
        Self { tag, deliveries }
    }

    /// The next delivery: its tag, whether it is redelivered, its properties and body.
    async fn next(&mut self, what: &str) -> (u64, bool, BasicProperties, Vec<u8>) {
        let message = within(what, self.deliveries.recv()).await.expect("a live consumer");
        let deliver = message.deliver.expect("the deliver method");
        let properties = message.basic_properties.expect("the properties");
        let body = message.content.expect("the body");
        (deliver.delivery_tag(), deliver.redelivered(), properties, body)
    }
}

async fn connect(broker: &TestBroker) -> Client {
    let uri: AMQPUri = broker.uri.parse().expect("an AMQP URI");
    let user = &uri.authority.userinfo;
    let (host, port) = (&uri.authority.host, uri.authority.port);
    let arguments = OpenConnectionArguments::new(host, port, &user.username, &user.password)
        .virtual_host(&uri.vhost)
        .finish();
    let connection = within("the handshake", Connection::open(&arguments)).await.unwrap();
    let channel = connection.open_channel(None).await.unwrap();
    let (sender, events) = unbounded_channel();
    channel.register_callback(Events(sender)).await.unwrap();
    let run = unique("amqprs");
    let (exchange, queue) = (format!("{run}.exchange"), format!("{run}.queue"));
    channel.exchange_declare(ExchangeDeclareArguments::new(&exchange, "direct")).await.unwrap();
    let declare = QueueDeclareArguments::new(&queue);
    let (name, ready, consumers) = channel.queue_declare(declare).await.unwrap().unwrap();
    assert_eq!((name.as_str(), ready, consumers), (queue.as_str(), 0, 0));
    channel.queue_bind(QueueBindArguments::new(&queue, &exchange, "key")).await.unwrap();
    channel.confirm_select(ConfirmSelectArguments::default()).await.unwrap();
    Client { connection, channel, events, exchange, queue, published: 0 }
}

async fn publish_and_return(client: &mut Client) {
    client.publish("key", b"routed", BasicProperties::default()).await;
    let exchange = client.exchange.clone();
    client.send(&exchange, "nowhere", b"lost", BasicProperties::default()).await;
    let returned = Event::Return(312, "NO_ROUTE".to_string(), b"lost".to_vec());
    assert_eq!(client.next_event("basic.return").await, returned);
    client.confirmed().await;
    let (_, _, body) = client.get().await.expect("the routed message is in the queue");
    assert_eq!(body, b"routed");
    assert!(client.get().await.is_none(), "the queue should be empty");
}

async fn prefetch(client: &mut Client) {
    for number in b'0'..=b'9' {
        client.publish("key", &[number], BasicProperties::default()).await;
    }
    client.channel.basic_qos(BasicQosArguments::new(0, 3, false)).await.unwrap();
    let mut consumer = Consumer::start(&client.channel, &client.queue, false).await;
    let mut seen = Vec::new();
    for left in [7, 4, 1] {
        let mut last = 0;
        for _ in 0..3 {
            let (tag, _, _, body) = consumer.next("a delivery within the prefetch").await;
            seen.extend(body);
            last = tag;
        }
        // A round trip behind all earlier deliveries.
        let passive = QueueDeclareArguments::new(&client.queue).passive(true).finish();
        let (_, ready, _) = client.channel.queue_declare(passive).await.unwrap().unwrap();
        assert_eq!(ready, left, "ready with three unacked of a prefetch of 3");
        assert!(consumer.deliveries.is_empty(), "more than 3 unacked with a prefetch of 3");
        client.ack(last, true).await;
    }
    let (last, _, _, body) = consumer.next("the last delivery").await;
    seen.extend(body);
    assert_eq!(seen, b"0123456789");
    client.ack(last, false).await;
    client.cancel(&consumer).await;
}

async fn requeue(client: &mut Client) {
    let mut consumer = Consumer::start(&client.channel, &client.queue, false).await;
    client.publish("key", b"again", BasicProperties::default()).await;
    let (first, redelivered, _, _) = consumer.next("the first delivery").await;
    assert!(!redelivered, "the first delivery is marked redelivered");
    client.channel.basic_nack(BasicNackArguments::new(first, false, true)).await.unwrap();
    let (second, redelivered, _, _) = consumer.next("the second delivery").await;
    assert!(redelivered, "the second delivery is not marked redelivered");
    client.ack(second, false).await;
    client.cancel(&consumer).await;
}

async fn rpc(client: &mut Client) {
    let server = client.connection.open_channel(None).await.unwrap();
    let calls = format!("{}.rpc", client.queue);
    let exclusive = QueueDeclareArguments::new(&calls).exclusive(true).finish();
    server.queue_declare(exclusive).await.unwrap();
    let mut requests = Consumer::start(&server, &calls, false).await;
    let mut replies = Consumer::start(&client.channel, REPLY_TO, true).await;
    let call =
        BasicProperties::default().with_correlation_id("call-1").with_reply_to(REPLY_TO).finish();
    client.send("", &calls, b"question", call).await;
    client.confirmed().await;
    let (tag, _, asked, _) = requests.next("the request").await;
    let address = asked.reply_to().expect("a reply address");
    assert!(address.starts_with("amq.rabbitmq.reply-to."), "reply address {address}");
    let id = asked.correlation_id().expect("a correlation id");
    let answer = BasicProperties::default().with_correlation_id(id).finish();
    let to = BasicPublishArguments::new("", address);
    server.basic_publish(answer, b"QUESTION".to_vec(), to).await.unwrap();
    server.basic_ack(BasicAckArguments::new(tag, false)).await.unwrap();
    let (_, _, properties, body) = replies.next("the reply").await;
    assert_eq!(body, b"QUESTION");
    assert_eq!(properties.correlation_id().map(String::as_str), Some("call-1"));
    client.cancel(&replies).await;
    server.basic_cancel(BasicCancelArguments::new(&requests.tag)).await.unwrap();
    server.queue_delete(QueueDeleteArguments::new(&calls)).await.unwrap();
    server.close().await.unwrap();
}

async fn large(client: &mut Client) {
    let sent = large_body();
    let mut headers = FieldTable::new();
    headers.insert("attempt".try_into().unwrap(), FieldValue::I(7));
    let properties =
        BasicProperties::default().with_persistence(true).with_headers(headers.clone()).finish();
    client.publish("key", &sent, properties).await;
    let (_, properties, body) = client.get().await.expect("the 1 MiB message is in the queue");
    assert_eq!(Sha256::digest(&body), Sha256::digest(&sent), "the body changed");
    assert_eq!(properties.delivery_mode(), Some(2));
    assert_eq!(properties.headers(), Some(&headers));
}

async fn clean_up(client: Client) {
    let Client { connection, channel, exchange, queue, .. } = client;
    channel.queue_unbind(QueueUnbindArguments::new(&queue, &exchange, "key")).await.unwrap();
    let left = channel.queue_delete(QueueDeleteArguments::new(&queue)).await.unwrap();
    assert_eq!(left, Some(0), "messages were left over");
    channel.exchange_delete(ExchangeDeleteArguments::new(&exchange)).await.unwrap();
    let other = connection.open_channel(None).await.unwrap();
    let (sender, mut events) = unbounded_channel();
    other.register_callback(Events(sender)).await.unwrap();
    let passive = QueueDeclareArguments::new(&queue).passive(true).finish();
    let refused = within("the refusal", other.queue_declare(passive)).await;
    assert!(refused.is_err(), "the deleted queue still exists");
    let close = within("channel.close", events.recv()).await;
    assert_eq!(close, Some(Event::Close(404)));
    channel.close().await.unwrap();
    within("connection.close", connection.close()).await.unwrap();
}

#[tokio::test]
async fn amqprs_client() {
    let broker = TestBroker::start();
    let mut client = connect(&broker).await;
    publish_and_return(&mut client).await;
    prefetch(&mut client).await;
    requeue(&mut client).await;
    rpc(&mut client).await;
    large(&mut client).await;
    clean_up(client).await;
}
