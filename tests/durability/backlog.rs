//! Backlogs that do not fit into memory.

use std::time::Duration;

use leveret::Policy;
use leveret::{AMQPValue, Publish};

use crate::support::*;

const COUNT: usize = 5_000;

fn body(number: usize) -> String {
    format!("{number:0100}")
}

#[test]
fn a_long_backlog_is_kept_on_disk_and_comes_back_in_order() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for number in 0..COUNT {
        one.basic_publish(persistent("q", &body(number))).unwrap();
        if number % 500 == 0 {
            confirm(&one, persistent("q", &body(number)));
        }
    }
    confirm(&one, persistent("q", "last"));
    let before = broker.memory_used();
    assert!(before < COUNT * 150 / 2, "{before} octets in memory");
    let crashed = directory.crash();

    let taken = bodies(&one, "q");
    assert_eq!(taken.len(), COUNT + 10 + 1);
    assert!(taken[..taken.len() - 1].is_sorted());
    assert_eq!(broker.memory_used(), 0);
    drop((one, broker));

    let broker = crashed.open();
    assert_eq!(broker.recovery().messages, COUNT + 11);
    let two = channel(&broker);
    assert_eq!(two.queue_declare_with(&durable("q")).unwrap().message_count, COUNT + 11);
    assert_eq!(bodies(&two, "q"), taken);
    drop((two, broker));
    assert_eq!(bodies(&channel(&crashed.open()), "q"), [""; 0]);
}

#[test]
fn transient_messages_are_kept_on_disk_for_lack_of_memory_and_do_not_survive() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare("transient").unwrap();
    one.queue_declare_with(&durable("durable")).unwrap();
    for queue in ["transient", "durable"] {
        for number in 0..COUNT {
            confirm(&one, Publish::to_queue(queue).body(body(number)));
            if number % 100 == 0 {
                // What was handed in is written by the time something after it is confirmed.
                confirm(&one, persistent("durable", "sync"));
                one.queue_purge("nobody").unwrap_err();
            }
        }
    }
    let used = broker.memory_used();
    assert!(used < COUNT * 150, "{used} octets in memory");
    let crashed = directory.crash();
    let found = bodies(&one, "transient");
    assert_eq!(found, (0..COUNT).map(body).collect::<Vec<_>>());
    drop((one, broker));

    let broker = crashed.open();
    let two = channel(&broker);
    assert!(two.basic_get("transient").is_err());
    assert!(bodies(&two, "durable").iter().all(|body| body == "sync"));
}

#[test]
fn priorities_limits_and_deadlines_hold_for_what_is_on_disk() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    let arguments = table([("x-max-priority", 3.into()), ("x-max-length", 3_000.into())]);
    one.queue_declare_with(&durable_with("q", arguments)).unwrap();
    for number in 0..COUNT {
        let publish = persistent("q", &body(number)).priority((number % 4) as u8);
        one.basic_publish(publish).unwrap();
        if number % 200 == 0 {
            confirm(&one, persistent("q", &body(number)).priority(0).expiration_ms(1000));
        }
    }
    confirm(&one, persistent("q", &body(COUNT)));
    broker.advance(Duration::from_secs(1));
    let found = bodies(&one, "q");
    assert!((2_000..=3_000).contains(&found.len()), "{}", found.len());
    let numbers: Vec<usize> = found.iter().map(|body| body.parse().unwrap()).collect();
    let by_priority = |number: &usize| (3 - number % 4, *number);
    assert!(numbers.iter().map(by_priority).is_sorted(), "the highest first, else in order");
}

#[test]
fn purge_and_deletion_reach_what_is_on_disk() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    for queue in ["purged", "deleted"] {
        one.queue_declare_with(&durable(queue)).unwrap();
        for number in 0..COUNT {
            one.basic_publish(persistent(queue, &body(number))).unwrap();
        }
        confirm(&one, persistent(queue, "last"));
    }
    assert_eq!(one.queue_purge("purged").unwrap(), COUNT + 1);
    assert_eq!(one.queue_delete("deleted").unwrap(), COUNT + 1);
    assert_eq!(broker.memory_used(), 0);
    let broker = directory.crash().open();
    assert_eq!(broker.recovery().messages, 0);
}

#[test]
fn a_consumer_gets_a_backlog_from_disk() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    for number in 0..COUNT {
        one.basic_publish(persistent("q", &body(number))).unwrap();
    }
    confirm(&one, persistent("q", &body(COUNT)));
    let two = channel(&broker);
    two.basic_qos(50).unwrap();
    let consumer = two.basic_consume("q").unwrap();
    for (number, delivery) in consumer.iter().take(COUNT + 1).enumerate() {
        assert_eq!(delivery.body(), body(number).as_bytes());
        delivery.ack().unwrap();
    }
}

#[test]
fn the_journal_knows_a_message_again_that_was_on_disk() {
    let directory = Directory::new();
    let broker = directory.open_with(|builder| builder.journal(100_000));
    let one = channel(&broker);
    one.queue_declare_with(&durable("dead")).unwrap();
    let arguments = table([
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", "dead".into()),
    ]);
    one.queue_declare_with(&durable_with("q", arguments)).unwrap();
    one.queue_declare_with(&durable("purged")).unwrap();
    for number in 0..COUNT {
        one.basic_publish(persistent("q", &body(number))).unwrap();
        one.basic_publish(persistent("purged", &body(number))).unwrap();
    }
    confirm(&one, persistent("q", "last"));
    assert!(broker.memory_used() < COUNT * 150, "{} octets in memory", broker.memory_used());

    let journal = broker.journal();
    let published = journal.published().with_key("q").with_body(body(COUNT / 2)).assert_one();
    while let Some(delivery) = one.basic_get("q").unwrap() {
        delivery.reject().unwrap();
    }
    for delivery in one.basic_consume("dead").unwrap().iter().take(COUNT + 1) {
        delivery.ack().unwrap();
    }
    let events = journal.events().of_message(&published);
    let story: Vec<_> = events.iter().map(|event| event.to_string()).collect();
    let parts = [
        "published to the default exchange with key 'q'",
        "routed to 'q'",
        "enqueued in 'q'",
        "taken from 'q' by basic.get",
        "rejected in 'q'",
        "dead-lettered from 'q'",
        "enqueued in 'dead'",
        "delivered from 'dead'",
        "acknowledged in 'dead'",
    ];
    for part in parts {
        let found = story.iter().filter(|line| line.contains(part)).count();
        assert_eq!(found, 1, "{part} in {story:#?}");
    }
    assert_eq!(one.queue_purge("purged").unwrap(), COUNT);
    journal.dropped().in_queue("purged").assert_count(COUNT);
}

#[test]
fn peeking_reads_what_is_on_disk_and_leaves_it_there() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable_with("q", table([("x-max-priority", 3.into())]))).unwrap();
    for number in 0..COUNT {
        let publish = persistent("q", &body(number)).priority((number % 4) as u8);
        one.basic_publish(publish.expiration_ms(60_000)).unwrap();
    }
    confirm(&one, persistent("q", "last"));
    let peek = |max| broker.queue("/", "q").unwrap().peek(max).unwrap();
    let before = broker.memory_used();
    let all = peek(usize::MAX);
    assert!(broker.memory_used() == before && before < COUNT * 150, "{before} octets in memory");
    assert_eq!(peek(COUNT / 2).len(), COUNT / 2);
    let expires_at = Some(broker.now().after_ms(60_000));
    assert!(all[..COUNT].iter().all(|message| message.expires_at() == expires_at));
    let peeked: Vec<_> =
        all.iter().map(|m| String::from_utf8(m.body().to_vec()).unwrap()).collect();
    assert_eq!(peeked, bodies(&one, "q"));
    assert!(peek(10).is_empty());
}

#[test]
fn a_policy_cuts_a_backlog_that_is_on_disk() {
    for overflow in ["drop-head", "reject-publish"] {
        let directory = Directory::new();
        let broker = directory.open();
        let one = channel(&broker);
        one.queue_declare_with(&durable("q")).unwrap();
        for number in 0..COUNT {
            match number % 500 {
                0 => confirm(&one, persistent("q", &body(number))),
                _ => one.basic_publish(persistent("q", &body(number))).unwrap(),
            }
        }
        confirm(&one, persistent("q", "last"));
        let before = broker.memory_used();
        assert!(before < COUNT * 150 / 2, "{before} octets in memory");
        let policy = Policy::new("q")
            .with("max-length", AMQPValue::LongInt(2))
            .with("overflow", AMQPValue::LongString(overflow.into()));
        broker.virtual_host("/").unwrap().set_policy("short", policy).unwrap();
        assert_eq!(bodies(&one, "q"), [body(COUNT - 1), "last".to_owned()], "{overflow}");
        assert_eq!(broker.memory_used(), 0);
    }
}
