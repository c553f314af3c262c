//! What a program written with rabbitmq-stream-client relies on, end to end.
//!
//! With arguments: finds one event of each of these clients in the stream that all write to.

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ConnectionProperties};
use rabbitmq_stream_client::types::{
    ByteCapacity, Delivery, HashRoutingMurmurStrategy, Message, OffsetSpecification,
    RoutingStrategy, SimpleValue, SuperStreamConsumer, Value,
};
use rabbitmq_stream_client::{
    ConfirmationStatus, Environment, FilterConfiguration, NoDedup, Producer,
};

const NAME: &str = "stream-rust";
const WAIT: Duration = Duration::from_secs(10);

type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn setting(name: &str, otherwise: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}

fn events() -> String {
    setting("LEVERET_EVENTS", "clients.events")
}

/// A name that no other run has.
fn unique(name: &str) -> String {
    static STARTED: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    let started = STARTED.get_or_init(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
    });
    format!("clients.{NAME}.{started}.{}.{name}", std::process::id())
}

async fn wait_until(mut condition: impl FnMut() -> bool, what: &str) {
    let end = tokio::time::Instant::now() + WAIT;
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "waited {WAIT:?} for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn text(message: &Message) -> String {
    String::from_utf8(message.data().unwrap_or_default().to_vec()).unwrap()
}

fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| text(delivery.message())).collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn message(body: &str) -> Message {
    Message::builder().body(body).build()
}

fn property(message: &Message, name: &str) -> Option<SimpleValue> {
    message.application_properties()?.get(name).cloned()
}

fn region(message: &Message) -> String {
    property(message, "region").unwrap().try_into().unwrap()
}

async fn create(environment: &Environment, name: &str) -> Result<String> {
    let stream = unique(name);
    environment.stream_creator().max_length(ByteCapacity::MB(20)).create(&stream).await?;
    Ok(stream)
}

async fn send(producer: &Producer<NoDedup>, messages: Vec<Message>) -> Result {
    for status in producer.batch_send_with_confirm(messages).await? {
        assert!(status.confirmed());
    }
    Ok(())
}

/// Reads a stream until there are so many messages.
async fn read(
    environment: &Environment,
    stream: &str,
    count: usize,
    offset: OffsetSpecification,
    filter: Option<FilterConfiguration>,
) -> Result<Vec<Delivery>> {
    let mut consumer =
        environment.consumer().offset(offset).filter_input(filter).build(stream).await?;
    let mut got = Vec::new();
    while got.len() < count {
        let next = tokio::time::timeout(WAIT, consumer.next()).await;
        got.push(next.map_err(|_| format!("waited {WAIT:?} for {stream}"))?.unwrap()?);
    }
    consumer.handle().close().await?;
    Ok(got)
}

async fn confirms(environment: &Environment) -> Result {
    let stream = create(environment, "confirms").await?;
    let producer = environment.producer().build(&stream).await?;
    let expected = numbers(0..1000);
    send(&producer, expected.iter().map(|text| message(text)).collect()).await?;
    let got = read(environment, &stream, 1000, OffsetSpecification::First, None).await?;
    assert_eq!(texts(&got), expected);
    assert_eq!(got[999].offset(), 999);
    producer.close().await?;
    environment.delete_stream(&stream).await?;
    assert!(environment.producer().build(&stream).await.is_err());
    Ok(())
}

async fn deduplication(environment: &Environment) -> Result {
    let stream = create(environment, "deduplication").await?;
    for ids in [1..6, 3..9, 1..9] {
        let mut producer = environment.producer().name("me").build(&stream).await?;
        let messages = ids
            .map(|id| Message::builder().body(id.to_string()).publishing_id(id).build())
            .collect();
        for status in producer.batch_send_with_confirm(messages).await? {
            assert!(status.confirmed());
        }
        producer.close().await?;
    }
    let got = read(environment, &stream, 8, OffsetSpecification::First, None).await?;
    assert_eq!(texts(&got), numbers(1..9));
    environment.delete_stream(&stream).await?;
    Ok(())
}

async fn filters(environment: &Environment) -> Result {
    let stream = create(environment, "filters").await?;
    let producer = environment.producer().filter_value_extractor(region).build(&stream).await?;
    for region in ["eu", "us", "eu"] {
        let of_region = |number: &String| {
            let properties = Message::builder().application_properties().insert("region", region);
            properties.message_builder().body(format!("{region} {number}")).build()
        };
        send(&producer, numbers(0..20).iter().map(of_region).collect()).await?;
    }
    let filter = FilterConfiguration::new(vec!["eu".to_owned()], false)
        .post_filter(|message| region(message) == "eu");
    let got = read(environment, &stream, 40, OffsetSpecification::First, Some(filter)).await?;
    let once: Vec<_> = numbers(0..20).iter().map(|number| format!("eu {number}")).collect();
    assert_eq!(texts(&got), [once.clone(), once].concat());
    producer.close().await?;
    environment.delete_stream(&stream).await?;
    Ok(())
}

async fn offsets(environment: &Environment) -> Result {
    let stream = create(environment, "offsets").await?;
    let producer = environment.producer().build(&stream).await?;
    for number in numbers(0..10) {
        assert!(producer.send_with_confirm(message(&number)).await?.confirmed());
    }
    let consumer = environment.consumer().name("me").build(&stream).await?;
    assert!(consumer.query_offset().await.is_err(), "there is an offset before one is stored");
    consumer.store_offset(5).await?;
    let mut stored = consumer.query_offset().await;
    for _ in 0..100 {
        if stored.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        stored = consumer.query_offset().await;
    }
    let stored = stored?;
    assert_eq!(stored, 5);
    consumer.handle().close().await?;
    let behind = OffsetSpecification::Offset(stored + 1);
    assert_eq!(texts(&read(environment, &stream, 4, behind, None).await?), numbers(6..10));
    let last = read(environment, &stream, 1, OffsetSpecification::Last, None).await?;
    assert_eq!(texts(&last), ["9"]);
    producer.close().await?;
    environment.delete_stream(&stream).await?;
    Ok(())
}

/// Which consumer is active on which partition, and who got what.
#[derive(Default)]
struct Shares {
    active: HashMap<String, &'static str>,
    got: HashMap<String, &'static str>,
}

impl Shares {
    fn of(shares: &Mutex<Self>, who: &str) -> usize {
        shares.lock().unwrap().active.values().filter(|active| **active == who).count()
    }
}

async fn member(
    environment: &Environment,
    super_stream: &str,
    who: &'static str,
    shares: &Arc<Mutex<Shares>>,
) -> Result<SuperStreamConsumer> {
    let updated = Arc::clone(shares);
    let consumer = environment
        .super_stream_consumer()
        .name("app")
        .offset(OffsetSpecification::First)
        .enable_single_active_consumer(true)
        .consumer_update(move |active, context| {
            if active == 1 {
                updated.lock().unwrap().active.insert(context.stream(), who);
            }
            async { OffsetSpecification::First }
        })
        .build(super_stream)
        .await?;
    Ok(consumer)
}

/// Has a consumer run until it is closed.
fn run(mut consumer: SuperStreamConsumer, who: &'static str, shares: &Arc<Mutex<Shares>>) {
    let shares = Arc::clone(shares);
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = consumer.next().await {
            shares.lock().unwrap().got.insert(text(delivery.message()), who);
        }
    });
}

fn key(message: &Message) -> String {
    property(message, "key").unwrap().try_into().unwrap()
}

async fn super_streams(environment: &Environment) -> Result {
    let name = unique("super");
    environment.stream_creator().create_super_stream(&name, 3, None).await?;
    let shares = Arc::new(Mutex::new(Shares::default()));
    let one = member(environment, &name, "one", &shares).await?;
    let one_handle = one.handle();
    run(one, "one", &shares);
    wait_until(|| Shares::of(&shares, "one") == 3, "all partitions").await;
    let other = member(environment, &name, "other", &shares).await?;
    let other_handle = other.handle();
    run(other, "other", &shares);
    wait_until(|| Shares::of(&shares, "other") >= 1, "the other's share").await;
    let strategy = HashRoutingMurmurStrategy { routing_extractor: &key };
    let strategy = RoutingStrategy::HashRoutingStrategy(strategy);
    let mut producer = environment.super_stream_producer(strategy).build(&name).await?;
    let confirmed = Arc::new(Mutex::new(0));
    for number in numbers(0..60) {
        let properties = Message::builder().application_properties();
        let properties = properties.insert("key", format!("key{number}"));
        let message = properties.message_builder().body(number).build();
        let confirmed = Arc::clone(&confirmed);
        let confirm = move |status: Result<ConfirmationStatus, _>| {
            *confirmed.lock().unwrap() += i32::from(status.is_ok_and(|status| status.confirmed()));
            async {}
        };
        producer.send(message, confirm).await?;
    }
    wait_until(|| *confirmed.lock().unwrap() == 60, "60 confirms").await;
    wait_until(|| shares.lock().unwrap().got.len() == 60, "60 messages").await;
    let got: BTreeSet<_> = shares.lock().unwrap().got.keys().cloned().collect();
    assert_eq!(got, numbers(0..60).into_iter().collect());
    one_handle.close().await?;
    wait_until(|| Shares::of(&shares, "other") == 3, "the partitions of who has gone").await;
    // A consumer that is closed while messages come to it says that its connection was lost.
    let is_read = || shares.lock().unwrap().got.values().all(|who| *who == "other");
    wait_until(is_read, "everything once more").await;
    other_handle.close().await?;
    producer.close().await?;
    environment.delete_super_stream(&name).await?;
    Ok(())
}

async fn over_amqp(environment: &Environment) -> Result {
    let stream = create(environment, "amqp").await?;
    let uri = setting("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/");
    // To lapin a bare "/" at the end names the virtual host "".
    let uri = uri.strip_suffix('/').unwrap_or(&uri);
    let connection = lapin::Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut headers = FieldTable::default();
    headers.insert("n".into(), AMQPValue::LongLongInt(5));
    headers.insert("x-key".into(), AMQPValue::LongString("kept".into()));
    let properties = BasicProperties::default().with_message_id("id".into()).with_headers(headers);
    let options = BasicPublishOptions::default();
    let publish = channel.basic_publish(
        "".into(),
        stream.as_str().into(),
        options,
        b"from lapin",
        properties,
    );
    assert!(publish.await?.await?.is_ack());

    let got = read(environment, &stream, 1, OffsetSpecification::First, None).await?;
    let message = got[0].message();
    assert_eq!(text(message), "from lapin");
    assert_eq!(message.properties().unwrap().message_id, Some("id".to_owned().into()));
    assert_eq!(property(message, "n"), Some(SimpleValue::Long(5)));
    let annotation = |name: &str| {
        let annotations = message.message_annotations().unwrap();
        annotations.get(name).cloned()
    };
    let string = |text: &str| Some(Value::Simple(SimpleValue::String(text.to_owned())));
    assert_eq!(annotation("x-key"), string("kept"));
    assert_eq!(annotation("x-routing-key"), string(&stream));

    let producer = environment.producer().build(&stream).await?;
    send(&producer, vec![event("from stream-rust", "other")]).await?;
    channel.basic_qos(10, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    let options = BasicConsumeOptions::default();
    let mut deliveries =
        channel.basic_consume(stream.as_str().into(), "".into(), options, arguments).await?;
    for (offset, expected) in
        [("from lapin", "id"), ("from stream-rust", "other")].iter().enumerate()
    {
        let delivery = tokio::time::timeout(WAIT, deliveries.next()).await?.unwrap()?;
        let id = delivery.properties.message_id().as_ref().unwrap().as_str();
        assert_eq!((std::str::from_utf8(&delivery.data)?, id), *expected);
        let headers = delivery.properties.headers().as_ref().unwrap();
        let at = headers.inner().get("x-stream-offset");
        assert_eq!(at, Some(&AMQPValue::LongLongInt(offset as i64)));
        delivery.ack(BasicAckOptions::default()).await?;
    }
    connection.close(200, "".into()).await?;
    producer.close().await?;
    environment.delete_stream(&stream).await?;
    Ok(())
}

fn event(body: &str, id: &str) -> Message {
    let builder = Message::builder().body(body);
    let builder = builder.properties().message_id(id.to_owned()).message_builder();
    builder.application_properties().insert("from", NAME).message_builder().build()
}

async fn write_event(environment: &Environment) -> Result {
    // Another client may have made it.
    let _ = environment.stream_creator().create(&events()).await;
    let producer = environment.producer().build(&events()).await?;
    send(&producer, vec![event(&format!("event of {NAME}"), &format!("id of {NAME}"))]).await?;
    producer.close().await?;
    Ok(())
}

async fn read_events(environment: &Environment, mut names: BTreeSet<String>) -> Result {
    let consumer = environment.consumer().offset(OffsetSpecification::First);
    let mut consumer = consumer.build(&events()).await?;
    while !names.is_empty() {
        let next = tokio::time::timeout(WAIT, consumer.next()).await;
        let delivery = next.map_err(|_| format!("waited for events of {names:?}"))?.unwrap()?;
        let message = delivery.message();
        let Some(SimpleValue::String(from)) = property(message, "from") else { continue };
        if names.remove(&from) {
            assert_eq!(text(message), format!("event of {from}"));
            let id = message.properties().unwrap().message_id.clone();
            assert_eq!(id, Some(format!("id of {from}").into()));
        }
    }
    consumer.handle().close().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let address = setting("LEVERET_STREAM", "127.0.0.1:5552");
    let (host, port) = address.rsplit_once(':').unwrap();
    let environment = Environment::builder().host(host).port(port.parse()?).build().await?;
    let names: BTreeSet<_> = env::args().skip(1).collect();
    if names.is_empty() {
        confirms(&environment).await?;
        deduplication(&environment).await?;
        filters(&environment).await?;
        offsets(&environment).await?;
        super_streams(&environment).await?;
        over_amqp(&environment).await?;
        write_event(&environment).await?;
    } else {
        read_events(&environment, names).await?;
    }
    println!("ok {NAME}");
    Ok(())
}
