//! The client lapin against a broker in the same process: no port, and no waiting for time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::pin::Pin;
use std::time::Duration;

use async_rs::traits::{Executor, Reactor};
use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, Event,
};
use leveret::lapin::Connector;
use leveret::{Broker, ManualClock, Publish};

const HOUR: Duration = Duration::from_secs(3600);

fn on_manual_clock() -> Broker {
    Broker::builder().manual_clock(ManualClock::default()).build()
}

/// The value of `work`; panics with `what` when it takes more than ten seconds.
async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| panic!("waited 10 s for {what}"))
}

async fn connect(broker: &Broker) -> Connection {
    let connecting = leveret::lapin::connect(broker, ConnectionProperties::default());
    within("the handshake", connecting).await.unwrap()
}

async fn declare(channel: &Channel, queue: &str, arguments: FieldTable) {
    channel.queue_declare(queue.into(), QueueDeclareOptions::default(), arguments).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> Confirmation {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = channel.basic_publish("".into(), queue.into(), options, body, properties);
    within("a confirm", sent.await.unwrap()).await.unwrap()
}

async fn get(channel: &Channel, queue: &str) -> Option<Vec<u8>> {
    let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
    got.await.unwrap().map(|message| message.delivery.data)
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

async fn next(consumer: &mut Consumer) -> lapin::Result<Delivery> {
    let next = std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context));
    within("a delivery", next).await.expect("the consumer was cancelled")
}

/// A queue whose messages die after an hour, and go to another.
fn dying(next: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongUInt(3_600_000));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(next.into()));
    arguments
}

#[tokio::test]
async fn what_is_published_is_confirmed_and_delivered() {
    let broker = Broker::new();
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", FieldTable::default()).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut consumer = consume(&channel, "q").await;
    let large = vec![7; 3 << 20];
    for body in [b"small".as_slice(), &large] {
        assert_eq!(publish(&channel, "q", body).await, Confirmation::Ack(None));
        let delivery = next(&mut consumer).await.unwrap();
        assert!(delivery.data == body, "{} octets came", delivery.data.len());
        delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
    assert_eq!(broker.connection_count(), 0);
}

#[tokio::test]
async fn an_hour_passes_at_once_and_the_connection_stays() {
    let broker = on_manual_clock();
    let connection = connect(&broker).await;
    assert_eq!(connection.configuration().heartbeat(), 0);
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "waiting", dying("expired")).await;
    declare(&channel, "expired", FieldTable::default()).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, "waiting", b"x").await;

    broker.advance(HOUR - Duration::from_millis(1));
    assert_eq!(get(&channel, "expired").await, None);
    broker.advance(Duration::from_millis(1));
    assert_eq!(get(&channel, "waiting").await, None);
    assert_eq!(get(&channel, "expired").await.as_deref(), Some(b"x".as_slice()));
}

#[tokio::test]
async fn a_silent_client_loses_its_connection() {
    let broker = on_manual_clock();
    let connector = Connector::new(&broker).heartbeat_s(10);
    let connection = connector.connect(ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", FieldTable::default()).await;
    let mut consumer = consume(&channel, "q").await;
    let behind = broker.connect().unwrap().open_channel().unwrap();
    behind.basic_publish(Publish::to_queue("q").body("x")).unwrap();
    next(&mut consumer).await.unwrap();

    broker.advance(Duration::from_millis(19_999));
    assert!(connection.status().connected());
    broker.advance(Duration::from_millis(1));
    assert!(behind.basic_get("q").unwrap().unwrap().redelivered(), "it is back at once");
    assert!(next(&mut consumer).await.is_err());
    assert!(!connection.status().connected());
}

#[tokio::test]
async fn a_lost_connection_recovers_without_waiting() {
    let broker = on_manual_clock();
    let connector = Connector::new(&broker).heartbeat_s(10);
    let properties = ConnectionProperties::default().enable_auto_recover();
    let connection = connector.connect(properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", FieldTable::default()).await;
    let mut consumer = consume(&channel, "q").await;
    for round in 0..3 {
        let mut events = Box::pin(connection.events_listener());
        broker.advance(Duration::from_secs(20));
        within("the recovery", async {
            while let Some(event) = std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
                if matches!(event, Event::Connected) {
                    break;
                }
            }
        })
        .await;
        // lapin replays the consumer, and the broker is told so at its own pace.
        let queue = broker.virtual_host("/").unwrap().queue("q").unwrap();
        while queue.counts().consumers == 0 {
            tokio::task::yield_now().await;
        }
        let behind = broker.connect().unwrap().open_channel().unwrap();
        behind.basic_publish(Publish::to_queue("q").body(format!("{round}"))).unwrap();
        let delivery = loop {
            if let Ok(delivery) = next(&mut consumer).await {
                break delivery;
            }
        };
        assert_eq!(delivery.data, format!("{round}").as_bytes());
        delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn the_end_of_the_broker_ends_connections_and_attempts() {
    let broker = on_manual_clock();
    let connector = Connector::new(&broker);
    let connection = connector.connect(ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", FieldTable::default()).await;
    let mut consumer = consume(&channel, "q").await;
    drop(broker);
    assert!(next(&mut consumer).await.is_err());
    // Nobody moves the clock any more that lapin waits by between its attempts.
    let properties = ConnectionProperties::default().enable_auto_recover();
    let refused = within("giving up", connector.connect(properties)).await.unwrap_err();
    assert!(refused.is_io_error(), "{refused}");
}

#[tokio::test]
async fn a_program_that_connects_by_itself_gets_to_the_broker() {
    let broker = on_manual_clock();
    let runtime = Connector::new(&broker).runtime().unwrap();
    let uri = "amqp://guest:guest@10.0.0.1:5672/%2f";
    let connecting =
        Connection::connect_with_runtime(uri, ConnectionProperties::default(), runtime);
    let connection = within("the handshake", connecting).await.unwrap();
    assert_eq!(broker.connection_count(), 1);
    drop(connection);
}

#[test]
fn no_runtime_of_the_callers_is_needed() {
    let broker = on_manual_clock();
    let behind = broker.connect().unwrap().open_channel().unwrap();
    behind.queue_declare("q").unwrap();
    behind.basic_publish(Publish::to_queue("q").body("x")).unwrap();
    async_rs::util::simple_block_on(async {
        let connecting = leveret::lapin::connect(&broker, ConnectionProperties::default());
        let connection = connecting.await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        assert_eq!(get(&channel, "q").await.as_deref(), Some(b"x".as_slice()));
        connection.close(200, "done".into()).await.unwrap();
    });
}

#[tokio::test]
async fn what_lapin_waits_for_goes_by_the_brokers_clock() {
    let broker = on_manual_clock();
    let runtime = Connector::new(&broker).runtime().unwrap();
    let sleeping = runtime.clone();
    let mut slept = runtime.spawn(async move {
        sleeping.sleep(HOUR).await;
        "slept"
    });
    let mut ticks = Box::pin(runtime.interval(HOUR));
    let mut tick = async || std::future::poll_fn(|cx| ticks.as_mut().poll_next(cx)).await;
    let first = tick().await.unwrap();
    while broker.next_deadline().is_none() {
        tokio::task::yield_now().await;
    }
    broker.advance(HOUR);
    assert_eq!(within("the sleep", &mut slept).await, "slept");
    assert_eq!(tick().await.unwrap() - first, HOUR);
    drop(broker);
    assert_eq!(tick().await, None);
    assert_eq!(runtime.spawn_blocking(|| 7).await, 7);
    let mut endless = runtime.spawn(std::future::pending::<()>());
    assert_eq!(within("cancelling", endless.cancel()).await, None);
}

#[tokio::test]
async fn the_journal_tells_what_a_client_did() {
    let clock = ManualClock::default();
    let broker = Broker::builder().manual_clock(clock).journal(100).build();
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    declare(&channel, "q", FieldTable::default()).await;
    for body in [b"a", b"b"] {
        publish(&channel, "q", body).await;
    }
    connection.close(200, "done".into()).await.unwrap();
    let journal = broker.journal();
    let limit = Duration::from_secs(10);
    // The connection, the queue, and the end of the connection.
    broker.eventually_async(|broker| broker.journal().topology().count() == 3, limit).await;
    journal.published().by_user("guest").to("").assert_texts(["a", "b"]);
    journal.confirmed().assert_texts(["a", "b"]);
    journal
        .enqueued()
        .in_queue("q")
        .assert_before(&journal.topology().after(&journal.confirmed().last().unwrap()));
}

#[tokio::test]
async fn the_owner_of_a_delivery_is_known_by_its_name_and_gets_what_is_let_go() {
    let broker = on_manual_clock();
    let properties = |name: &str| {
        let name = lapin::types::LongString::from(name);
        ConnectionProperties::default().with_connection_name(name)
    };
    let one = leveret::lapin::connect(&broker, properties("one"));
    let one = within("the handshake", one).await.unwrap();
    let two = leveret::lapin::connect(&broker, properties("two"));
    let two = within("the handshake", two).await.unwrap();
    let (first, second) =
        (two.create_channel().await.unwrap(), two.create_channel().await.unwrap());
    declare(&first, "q", FieldTable::default()).await;
    let fill =
        |body: &'static str| broker.publish(Publish::to_queue("q").body(body)).wait().unwrap();
    assert!(fill("got").is_ack());
    first.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    let mut consumers = Vec::new();
    for channel in [&one.create_channel().await.unwrap(), &second] {
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        consumers.push(channel.basic_consume("q".into(), "c".into(), options, none).await.unwrap());
    }
    broker.queue("/", "q").unwrap().hold().unwrap();
    assert!(fill("a").is_ack() && fill("b").is_ack());
    let recipient = |name: &str| leveret::Recipient::from("c").on_connection(name);
    broker.queue("/", "q").unwrap().release_to(recipient("two").on_channel(second.id())).unwrap();
    broker.queue("/", "q").unwrap().release_to(recipient("one")).unwrap();
    assert_eq!(next(&mut consumers[1]).await.unwrap().data, b"a");
    assert_eq!(next(&mut consumers[0]).await.unwrap().data, b"b");
    let unacked = broker.queue("/", "q").unwrap().unacked();
    let owners = unacked.iter().map(|unacked| {
        (unacked.connection_name.as_deref().unwrap(), unacked.channel, unacked.message.body())
    });
    let expected = [("two", first.id(), &b"got"[..]), ("two", second.id(), b"a"), ("one", 1, b"b")];
    assert_eq!(owners.collect::<Vec<_>>(), expected);
}
