//! Long backlogs: messages that expire, and messages by priority, a million of each. One line for
//! each figure; as a test with a hundredth of that.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::expect_used, reason = "a benchmark that fails has to say so")]

use std::time::Duration;

use leveret::{AMQPValue, Broker, Channel, ManualClock, Publish, QueueDeclare};

mod figures;

use figures::{Random, scaled, time};

const BODY: &[u8] = b"sixteen octets!!";
const TTL_MAX_MS: u64 = 600_000;
const LEVELS: u8 = 10;

/// A broker whose time stands still, and a channel with the queue `q`.
fn open(argument: Option<(&str, i64)>) -> (Broker, Channel) {
    let broker = Broker::builder().manual_clock(ManualClock::default()).build();
    let connection = broker.connect().expect("an open broker");
    let channel = connection.open_channel().expect("a channel");
    let mut declare = QueueDeclare::new("q");
    if let Some((name, value)) = argument {
        declare.arguments.insert(name.into(), AMQPValue::LongLongInt(value));
    }
    channel.queue_declare_with(&declare).expect("a new queue");
    (broker, channel)
}

fn ready(channel: &Channel) -> u64 {
    channel.queue_declare_with(&passive()).expect("the queue").message_count as u64
}

fn passive() -> QueueDeclare {
    QueueDeclare::new("q").passive()
}

/// Each message has its own time to live. One that is due waits behind a head that is not.
fn random_expiration(count: u64) {
    let (broker, channel) = open(None);
    let mut random = Random(1);
    let messages: Vec<Publish> = (0..count.min(1000))
        .map(|_| {
            let ttl_ms = 1 + random.below(TTL_MAX_MS);
            Publish::to_queue("q").body(BODY).expiration_ms(ttl_ms)
        })
        .collect();
    time("random expiration: publish", "message", count, || {
        for _ in 0..count {
            let at = usize::try_from(random.below(messages.len() as u64)).unwrap_or(0);
            channel.basic_publish(messages[at].clone()).expect("published");
        }
    });
    assert_eq!(ready(&channel), count);
    time("random expiration: expire", "message", count, || {
        broker.advance(Duration::from_millis(TTL_MAX_MS));
    });
    assert_eq!((ready(&channel), broker.memory_used()), (0, 0));
}

/// All messages live equally long, and some expire in every millisecond.
fn queue_ttl(count: u64) {
    const IN_A_MS: u64 = 100;
    let (broker, channel) = open(Some(("x-message-ttl", 60_000)));
    let publish = Publish::to_queue("q").body(BODY);
    time("x-message-ttl, 100 in a millisecond: publish", "message", count, || {
        for number in 0..count {
            if number % IN_A_MS == 0 {
                broker.advance(Duration::from_millis(1));
            }
            channel.basic_publish(publish.clone()).expect("published");
        }
    });
    let before = ready(&channel);
    time("x-message-ttl, 100 in a millisecond: expire", "message", before, || {
        broker.advance(Duration::from_millis(60_000));
    });
    assert_eq!((ready(&channel), broker.memory_used()), (0, 0));
}

/// A backlog of all priorities goes in and comes out in order.
fn priorities(count: u64) {
    let (_broker, channel) = open(Some(("x-max-priority", i64::from(LEVELS) - 1)));
    let mut random = Random(2);
    let messages: Vec<Publish> = (0..LEVELS)
        .map(|level| Publish::to_queue("q").body(vec![level; BODY.len()]).priority(level))
        .collect();
    time("10 priorities: publish", "message", count, || {
        for _ in 0..count {
            let at = usize::try_from(random.below(LEVELS.into())).unwrap_or(0);
            channel.basic_publish(messages[at].clone()).expect("published");
        }
    });
    let mut last = LEVELS;
    time("10 priorities: get", "message", count, || {
        for _ in 0..count {
            let got = channel.basic_get_no_ack("q").expect("the queue").expect("a message");
            let priority = got.body()[0];
            assert!(priority <= last, "{priority} after {last}");
            last = priority;
        }
    });
    assert_eq!((ready(&channel), last), (0, 0));
}

fn main() {
    let count = scaled(1_000_000);
    random_expiration(count);
    queue_ttl(count);
    priorities(count);
}
