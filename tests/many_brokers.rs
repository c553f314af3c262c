//! What a test suite does to leveret: very many brokers in one process, at once and side by side.
//! Alone in its process, so that it can count threads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use leveret::{AMQPValue, Broker, ManualClock, MemoryStream, Publish, QueueDeclare};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BROKERS: u32 = 1000;
const SIDE_BY_SIDE: u32 = 100;
/// As many as leveret may have: those for streams, and one for timers.
const THREADS_MAX: usize = 5;

fn on_manual_clock() -> Broker {
    Broker::builder().manual_clock(ManualClock::default()).build()
}

/// Threads of leveret, where the system tells.
fn threads_of_leveret() -> Option<usize> {
    let is_ours = |entry: fs::DirEntry| {
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        name.starts_with("leveret")
    };
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    Some(tasks.flatten().filter_map(|entry| is_ours(entry).then_some(())).count())
}

/// Asks for connection.start, and gets it.
async fn greet(broker: &Broker) -> MemoryStream {
    let mut stream = broker.connect_amqp().unwrap();
    stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
    let mut start = [0; 11];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!((start[0], &start[7..]), (1, &[0, 10, 0, 10][..]), "connection.start");
    stream
}

#[tokio::test]
async fn a_thousand_brokers_live_at_a_time() {
    let mut brokers = Vec::new();
    for number in 0..BROKERS {
        let broker = on_manual_clock();
        let channel = broker.connect().unwrap().open_channel().unwrap();
        channel.queue_declare("q").unwrap();
        let publish = Publish::to_queue("q").body(number.to_string()).expiration_ms(1000);
        channel.basic_publish(publish).unwrap();
        let stream = greet(&broker).await;
        brokers.push((broker, stream, channel));
    }
    if let Some(threads) = threads_of_leveret() {
        assert!((1..=THREADS_MAX).contains(&threads), "{threads} threads");
    }
    // Every second of them moves on; the others do not notice.
    for (broker, ..) in brokers.iter().step_by(2) {
        broker.advance(Duration::from_secs(1));
    }
    for (number, (_, _, channel)) in brokers.iter().enumerate() {
        let got = channel.basic_get("q").unwrap();
        let body = got.map(|message| message.body().to_vec());
        assert_eq!(body, (number % 2 == 1).then(|| number.to_string().into_bytes()));
    }
    for (broker, mut stream, _) in brokers {
        drop(broker);
        // The end, whatever was said before.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    }
}

/// A test as people write it: a retry that waits for an hour.
fn retries(number: u32) {
    let broker = on_manual_clock();
    let channel = broker.connect().unwrap().open_channel().unwrap();
    let mut declare = QueueDeclare::new("waiting");
    let mut set = |name: &str, value| {
        declare.arguments.insert(name.into(), value);
    };
    set("x-message-ttl", AMQPValue::LongUInt(3_600_000 + number));
    set("x-dead-letter-exchange", AMQPValue::LongString("".into()));
    set("x-dead-letter-routing-key", AMQPValue::LongString("retries".into()));
    channel.queue_declare_with(&declare).unwrap();
    channel.queue_declare("retries").unwrap();
    for round in 0..20 {
        let body = format!("{number}, {round}");
        channel.basic_publish(Publish::to_queue("waiting").body(body.clone())).unwrap();
        broker.advance(Duration::from_millis(u64::from(3_600_000 + number - 1)));
        assert!(channel.basic_get("retries").unwrap().is_none(), "{body} came too early");
        broker.advance(Duration::from_millis(1));
        let retry = channel.basic_get("retries").unwrap().expect("it is due");
        assert_eq!(retry.body(), body.as_bytes());
        retry.ack().unwrap();
    }
    assert_eq!(broker.memory_used(), 0);
}

#[test]
fn a_hundred_tests_do_not_disturb_each_other() {
    let start = Barrier::new(SIDE_BY_SIDE as usize);
    thread::scope(|scope| {
        for number in 0..SIDE_BY_SIDE {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                retries(number);
            });
        }
    });
}
