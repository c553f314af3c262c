//! Quorum queues over a crash: what was never delivered is new, what was on its way counts once
//! more.

use std::sync::Arc;

use leveret::storage::Store;
use leveret::storage::testing::{FaultyStore, Image, SimulatedDisk};
use leveret::{AMQPValue, Broker, Channel, Delivery, Publish, QueueDeclare};

use crate::support::{Directory, channel, confirm, durable, quorum};

fn with<const N: usize>(queue: &str, arguments: [(&str, AMQPValue); N]) -> QueueDeclare {
    let mut declare = quorum(queue);
    for (name, value) in arguments {
        declare.arguments.insert(name.into(), value);
    }
    declare
}

fn to(key: &str) -> [(&'static str, AMQPValue); 2] {
    [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString(key.into())),
    ]
}

/// Waits until the store knows all that happened.
fn settle(channel: &Channel) {
    channel.queue_declare_with(&durable("last thing")).unwrap();
    channel.queue_delete("last thing").unwrap();
}

fn get(channel: &Channel, queue: &str) -> Delivery {
    channel.basic_get(queue).unwrap().expect("a message")
}

/// All that a queue has: bodies, whether redelivered, and counts.
fn drain(broker: &Broker, queue: &str) -> Vec<(String, bool, Option<u32>)> {
    let channel = channel(broker);
    std::iter::from_fn(|| channel.basic_get(queue).unwrap())
        .map(|got| (got.text().to_owned(), got.redelivered(), got.delivery_count()))
        .collect()
}

fn expected<const N: usize>(messages: [(&str, u32); N]) -> Vec<(String, bool, Option<u32>)> {
    let message = |(body, count): (&str, u32)| {
        (body.to_owned(), count > 0, Some(count).filter(|&count| count > 0))
    };
    messages.into_iter().map(message).collect()
}

#[test]
fn what_was_out_counts_once_more_and_what_was_not_is_new() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&quorum("q")).unwrap();
    for body in ["acked", "back", "again", "out", "new", "newer"] {
        confirm(&one, Publish::to_queue("q").body(body));
    }
    let [acked, back, again, _out] = [(); 4].map(|()| get(&one, "q"));
    acked.ack().unwrap();
    back.requeue().unwrap();
    again.requeue().unwrap();
    get(&one, "q").requeue().unwrap();
    assert_eq!(get(&one, "q").text(), "again");
    settle(&one);
    let crashed = directory.crash();
    let expected = expected([("back", 2), ("again", 2), ("out", 1), ("new", 0), ("newer", 0)]);
    let broker = crashed.open();
    settle(&channel(&broker));
    let crashed_at_once = crashed.crash();
    assert_eq!(drain(&broker, "q"), expected);
    assert_eq!(drain(&crashed_at_once.open(), "q"), expected, "a start by itself counts nothing");
}

#[test]
fn what_is_handed_out_after_a_crash_counts_at_the_next() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&quorum("q")).unwrap();
    for body in ["a", "b", "c"] {
        confirm(&one, Publish::to_queue("q").body(body));
    }
    let _a = get(&one, "q");
    settle(&one);
    let second = directory.crash();
    let broker = second.open();
    let one = channel(&broker);
    let (_a, _b) = (get(&one, "q"), get(&one, "q"));
    settle(&one);
    assert_eq!(drain(&second.crash().open(), "q"), expected([("a", 2), ("b", 1), ("c", 0)]));
    // A stop in order counts as any other end of the connection.
    drop((one, broker));
    assert_eq!(drain(&second.open(), "q"), expected([("a", 2), ("b", 1), ("c", 0)]));
}

#[test]
fn each_class_of_priorities_is_handed_out_by_itself() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&quorum("q")).unwrap();
    for (body, priority) in [("low", 0), ("lower", 1), ("high", 5), ("higher", 9)] {
        confirm(&one, Publish::to_queue("q").body(body).priority(priority));
    }
    let _high = get(&one, "q");
    settle(&one);
    let expected = expected([("high", 1), ("higher", 0), ("low", 0), ("lower", 0)]);
    assert_eq!(drain(&directory.crash().open(), "q"), expected);
}

#[test]
fn what_is_at_the_end_of_a_queue_without_a_limit_is_there_after_a_crash() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&with("q", [("x-delivery-limit", AMQPValue::LongInt(-1))])).unwrap();
    for body in ["a", "b", "c", "d"] {
        confirm(&one, Publish::to_queue("q").body(body).priority(9));
    }
    get(&one, "q").requeue().unwrap();
    let _b = get(&one, "q");
    settle(&one);
    // What came back lost its priority.
    let expected = expected([("b", 1), ("c", 0), ("d", 0), ("a", 1)]);
    assert_eq!(drain(&directory.crash().open(), "q"), expected);
}

#[test]
fn a_crash_may_be_one_time_too_many() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    let [exchange, key] = to("dead");
    let limit = ("x-delivery-limit", AMQPValue::LongInt(1));
    one.queue_declare_with(&with("q", [exchange, key, limit])).unwrap();
    one.queue_declare_with(&durable("dead")).unwrap();
    for body in ["a", "b", "c"] {
        confirm(&one, Publish::to_queue("q").body(body).persistent());
    }
    let _a = get(&one, "q");
    get(&one, "q").requeue().unwrap();
    let _b = get(&one, "q");
    settle(&one);
    let broker = directory.crash().open();
    assert_eq!(drain(&broker, "dead"), [("b".to_owned(), false, None)]);
    assert_eq!(drain(&broker, "q"), expected([("a", 1), ("c", 0)]));
}

#[test]
fn failures_go_along_when_a_message_dies_after_a_crash() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&with("q", to("dead"))).unwrap();
    one.queue_declare_with(&quorum("dead")).unwrap();
    confirm(&one, Publish::to_queue("q").body("a"));
    let _held = get(&one, "q");
    settle(&one);
    let second = directory.crash();
    let broker = second.open();
    let two = channel(&broker);
    get(&two, "q").reject().unwrap();
    settle(&two);
    let broker = second.crash().open();
    assert_eq!(drain(&broker, "dead"), expected([("a", 2)]));
}

/// A machine whose messages are those of this disk.
fn open_on(records: &Arc<impl Store + 'static>, log: Image) -> (Broker, Arc<SimulatedDisk>) {
    let disk = Arc::new(SimulatedDisk::from_image(log, 1));
    (Broker::builder().open_on(records.clone(), disk.clone()).unwrap(), disk)
}

/// The log of messages and the records become durable each in its own time.
#[test]
fn what_was_known_of_messages_that_a_power_cut_took_is_not_said_of_others() {
    let records = Arc::new(FaultyStore::new());
    let (broker, disk) = open_on(&records, Image::default());
    let one = channel(&broker);
    one.queue_declare_with(&with("q", [("x-delivery-limit", AMQPValue::LongInt(-1))])).unwrap();
    confirm(&one, Publish::to_queue("q").body("a"));
    let mut messages = disk.after_power_cut();
    messages.retain(|name, _| name.contains("segment-"));
    for body in ["b", "c", "d"] {
        confirm(&one, Publish::to_queue("q").body(body));
    }
    let [_a, b, _c] = [(); 3].map(|()| get(&one, "q"));
    b.requeue().unwrap();
    settle(&one);
    let mut log = disk.after_power_cut();
    log.extend(messages);
    let records = Arc::new(records.after_crash(0).unwrap());
    let (broker, disk) = open_on(&records, log);
    let two = channel(&broker);
    for body in ["e", "f", "g", "h"] {
        confirm(&two, Publish::to_queue("q").body(body));
    }
    settle(&two);
    let (broker, _disk) = open_on(&records, disk.after_power_cut());
    let expected = expected([("a", 1), ("e", 0), ("f", 0), ("g", 0), ("h", 0)]);
    assert_eq!(drain(&broker, "q"), expected);
}

#[test]
fn of_classic_queues_nobody_knows() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for body in ["a", "b"] {
        confirm(&one, Publish::to_queue("q").body(body).persistent());
    }
    let _a = get(&one, "q");
    settle(&one);
    let found = drain(&directory.crash().open(), "q");
    assert!(found.iter().all(|(_, redelivered, count)| *redelivered && count.is_none()));
}
