//! A broker on a directory is made what it was, for good.

use leveret::{ExchangeDeclare, Publish};

use crate::support::*;

#[test]
fn what_is_restored_survives_and_what_was_replaced_does_not() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    let delays = ExchangeDeclare::new("delays", "x-delayed-message")
        .durable()
        .arguments(table([("x-delayed-type", "direct".into())]));
    one.exchange_declare_with(&delays).unwrap();
    ["q", "gone"].iter().for_each(|queue| drop(one.queue_declare_with(&durable(queue)).unwrap()));
    one.queue_declare_with(&quorum("counted")).unwrap();
    one.queue_bind("q", "delays", "k").unwrap();
    let later = |body: &'static str| {
        let publish = Publish::to_exchange("delays", "k").body(body).persistent();
        confirm(&one, publish.header("x-delay", 5_000));
    };
    for queue in ["q", "gone", "counted"] {
        confirm(&one, persistent(queue, "a"));
        confirm(&one, persistent(queue, "b"));
    }
    confirm(&one, Publish::to_queue("q").body("transient"));
    later("delayed");
    let held = one.basic_get("counted").unwrap().unwrap();
    let snapshot = broker.snapshot().unwrap();

    held.ack().unwrap();
    assert_eq!(bodies(&one, "q"), ["a", "b", "transient"]);
    confirm(&one, persistent("q", "x"));
    later("too late");
    one.queue_delete("gone").unwrap();
    one.queue_declare_with(&durable("new")).unwrap();
    one.queue_bind("new", "amq.fanout", "").unwrap();
    broker.restore(&snapshot).unwrap();

    let broker = directory.crash().open();
    let two = channel(&broker);
    assert!(two.basic_get("new").is_err());
    assert_eq!(broker.queue("/", "counted").unwrap().peek(1).unwrap()[0].delivery_count(), 1);
    assert_eq!(bodies(&two, "q"), ["a", "b"]);
    assert_eq!(bodies(&two, "gone"), ["a", "b"]);
    assert_eq!(bodies(&two, "counted"), ["a", "b"]);
    broker.advance(std::time::Duration::from_secs(5));
    assert_eq!(bodies(&two, "q"), ["delayed"]);
}

#[test]
fn a_backlog_on_disk_is_part_of_it() {
    const COUNT: usize = 3_000;
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&durable("q")).unwrap();
    let body = |number: usize| format!("{number:0200}");
    for number in 0..COUNT {
        confirm(&one, persistent("q", &body(number)));
    }
    assert!(broker.memory_used() < COUNT * 200 / 2);
    let snapshot = broker.snapshot().unwrap();
    assert_eq!(snapshot.message_count(), COUNT);
    assert_eq!(bodies(&one, "q").len(), COUNT);
    broker.restore(&snapshot).unwrap();
    let expected: Vec<_> = (0..COUNT).map(body).collect();
    assert_eq!(bodies(&one, "q"), expected);
    broker.restore(&snapshot).unwrap();
    drop((one, broker));
    assert_eq!(bodies(&channel(&directory.open()), "q"), expected);

    let in_memory = leveret::Broker::new();
    in_memory.restore(&snapshot).unwrap();
    assert_eq!(bodies(&channel(&in_memory), "q"), expected);
}

#[test]
fn what_was_found_after_a_crash_keeps_its_order() {
    let directory = Directory::new();
    let broker = directory.open();
    let one = channel(&broker);
    one.queue_declare_with(&quorum("q")).unwrap();
    confirm(&one, persistent("q", "normal"));
    confirm(&one, persistent("q", "high").priority(9));
    confirm(&one, persistent("q", "new"));
    let _held = (one.basic_get("q").unwrap(), one.basic_get("q").unwrap());
    one.queue_declare_with(&quorum("after it is stored")).unwrap();
    let crashed = directory.crash();
    let broker = crashed.open();
    let seen = |broker: &leveret::Broker| {
        let messages = broker.queue("/", "q").unwrap().peek(10).unwrap();
        let seen = messages.iter().map(|m| (m.body().to_vec(), m.redelivered()));
        seen.collect::<Vec<_>>()
    };
    let found = seen(&broker);
    let expected = [("normal", true), ("high", true), ("new", false)];
    assert_eq!(found, expected.map(|(body, again)| (body.as_bytes().to_vec(), again)));
    let snapshot = broker.snapshot().unwrap();
    broker.restore(&snapshot).unwrap();
    assert_eq!(seen(&broker), found);
}
