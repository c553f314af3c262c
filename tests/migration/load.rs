//! A producer and a consumer that go on while everything moves, and go to where they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use parking_lot::Mutex;

/// How often the producer publishes a message to each queue.
const PACE: Duration = Duration::from_millis(25);

/// The header with which the producer publishes what was not confirmed once more.
pub(crate) const RETRY: &str = "retry";

/// What came of a queue: the number of a message, and whether it may have come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    pub number: u64,
    pub is_flagged: bool,
}

impl Came {
    fn read(delivery: &Delivery) -> Self {
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        let has = |name: &str| headers.inner().contains_key(name);
        let number = std::str::from_utf8(&delivery.data).unwrap().parse().unwrap();
        let is_flagged = delivery.redelivered || has(RETRY) || has("x-shovelled-again");
        Self { number, is_flagged }
    }
}

/// Where clients go, and what they are told when they are sent away.
#[derive(Default)]
pub(crate) struct Places {
    uris: Mutex<Vec<String>>,
    sent_away: Mutex<Vec<String>>,
    pub has_ended: AtomicBool,
}

impl Places {
    pub(crate) fn at(uri: &str) -> Arc<Self> {
        Arc::new(Self { uris: Mutex::new(vec![uri.to_owned()]), ..Self::default() })
    }

    /// What clients were told.
    pub(crate) fn sent_away(&self) -> Vec<String> {
        self.sent_away.lock().clone()
    }

    /// An error may say where to go.
    fn heed(&self, error: &lapin::Error) {
        let text = error.to_string();
        let Some((_, places)) = text.split_once("moved to ") else { return };
        let place = |place: &str| {
            let place = place.trim().trim_end_matches(|c: char| !c.is_ascii_digit());
            place.replace("amqp://", "amqp://guest:guest@")
        };
        *self.uris.lock() = places.split(", ").map(place).collect();
        self.sent_away.lock().push(text);
    }

    /// A channel at the first place that answers.
    pub(crate) async fn connect(&self) -> Option<(Connection, Channel)> {
        let uris = self.uris.lock().clone();
        for uri in uris {
            let options = ConnectionProperties::default();
            match Connection::connect(&uri, options).await {
                Ok(connection) => match connection.create_channel().await {
                    Ok(channel) => return Some((connection, channel)),
                    Err(error) => self.heed(&error),
                },
                Err(error) => self.heed(&error),
            }
        }
        None
    }
}

/// Publishes to each queue in turn; tells how many messages of each are confirmed.
pub(crate) async fn produce(places: Arc<Places>, queues: usize, first: u64, last: Arc<AtomicU64>) {
    let mut pace = tokio::time::interval(PACE);
    let mut number = first;
    let mut is_again = false;
    while !places.has_ended.load(Ordering::Acquire) {
        pace.tick().await;
        let Some((_connection, channel)) = places.connect().await else { continue };
        if channel.confirm_select(ConfirmSelectOptions::default()).await.is_err() {
            continue;
        }
        while !places.has_ended.load(Ordering::Acquire) {
            pace.tick().await;
            if let Err(error) = publish_row(&channel, queues, number, is_again).await {
                places.heed(&error);
                is_again = true;
                break;
            }
            is_again = false;
            number += 1;
            last.store(number, Ordering::Release);
        }
    }
}

/// One message for each queue, by their keys.
async fn publish_row(
    channel: &Channel,
    queues: usize,
    number: u64,
    is_again: bool,
) -> lapin::Result<()> {
    let mut properties = BasicProperties::default().with_delivery_mode(2);
    if is_again {
        let mut headers = FieldTable::default();
        headers.insert(RETRY.into(), AMQPValue::Boolean(true));
        properties = properties.with_headers(headers);
    }
    let mut confirms = Vec::new();
    for queue in 0..queues {
        let key = format!("to.q{queue}");
        let options = BasicPublishOptions::default();
        let body = number.to_string();
        let publish = channel.basic_publish(
            "work".into(),
            key.into(),
            options,
            body.as_bytes(),
            properties.clone(),
        );
        confirms.push(publish.await?);
    }
    for confirm in confirms {
        assert!(confirm.await?.is_ack());
    }
    Ok(())
}

/// Takes messages of a queue, wherever it is, until the end; those of each connection by
/// themselves.
pub(crate) async fn consume(places: Arc<Places>, queue: &str, came: Arc<Mutex<Vec<Vec<Came>>>>) {
    while !places.has_ended.load(Ordering::Acquire) {
        let Some((_connection, channel)) = places.connect().await else { continue };
        came.lock().push(Vec::new());
        if let Err(error) = take(&channel, queue, &places, &came).await {
            places.heed(&error);
        }
    }
}

async fn take(
    channel: &Channel,
    queue: &str,
    places: &Places,
    came: &Mutex<Vec<Vec<Came>>>,
) -> lapin::Result<()> {
    channel.basic_qos(20, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await?;
    while !places.has_ended.load(Ordering::Acquire) {
        match tokio::time::timeout(Duration::from_secs(1), consumer.next()).await {
            Ok(Some(delivery)) => {
                let delivery = delivery?;
                came.lock().last_mut().unwrap().push(Came::read(&delivery));
                channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
            }
            Ok(None) => return Ok(()),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Takes all that is in a queue; tells the first message's routing key, too.
pub(crate) async fn drain(channel: &Channel, queue: &str, ready: usize) -> (Vec<Came>, String) {
    let (mut came, mut key) = (Vec::new(), String::new());
    channel.basic_qos(500, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await.unwrap();
    while came.len() < ready {
        let delivery = tokio::time::timeout(Duration::from_secs(60), consumer.next()).await;
        let Ok(Some(delivery)) = delivery else { break };
        let delivery = delivery.unwrap();
        came.push(Came::read(&delivery));
        if key.is_empty() {
            key = delivery.routing_key.to_string();
        }
        let multiple = BasicAckOptions { multiple: true };
        if came.len() % 100 == 0 || came.len() == ready {
            channel.basic_ack(delivery.delivery_tag, multiple).await.unwrap();
        }
    }
    (came, key)
}
