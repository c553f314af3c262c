//! What RabbitMQ needs plugins for: delayed exchanges, recent history, deduplication.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use leveret::ExchangeHandle;
use leveret::{AMQPValue, Confirmed, Consume, ExchangeDeclare, FieldTable, Publish, Result};

use crate::support::{World, int, refusal, string, table, text};

/// Words for exchanges of the extensions' types.
impl World {
    pub(crate) fn try_exchange(&self, name: &str, kind: &str, arguments: FieldTable) -> Result<()> {
        self.channel.exchange_declare_with(&ExchangeDeclare::new(name, kind).arguments(arguments))
    }

    pub(crate) fn declare_exchange(&self, name: &str, kind: &str, arguments: FieldTable) {
        self.try_exchange(name, kind, arguments).expect("valid arguments");
    }

    /// Declares a delayed exchange with a queue that is bound by the key `k`.
    pub(crate) fn delayed(&self, exchange: &str, kind: &str, queue: &str) {
        let arguments = table([("x-delayed-type", string(kind))]);
        self.declare_exchange(exchange, "x-delayed-message", arguments);
        self.declare(queue);
        self.channel.queue_bind(queue, exchange, "k").expect("a binding");
    }

    pub(crate) fn exchange(&self, name: &str) -> ExchangeHandle {
        let host = self.broker.virtual_host("/").expect("the default virtual host");
        host.exchange(name).expect("a declared exchange")
    }

    pub(crate) fn send(&self, publish: Publish) {
        self.channel.basic_publish(publish).expect("a published message");
    }

    /// Publishes to an exchange with the key `k` and one header.
    pub(crate) fn send_with(&self, exchange: &str, body: &str, header: &str, value: AMQPValue) {
        self.send(to(exchange, body).header(header, value));
    }
}

pub(crate) fn to(exchange: &str, body: &str) -> Publish {
    Publish::to_exchange(exchange, "k").body(body.to_owned())
}

pub(crate) fn late(exchange: &str, body: &str, ms: i64) -> Publish {
    to(exchange, body).header("x-delay", int(ms))
}

pub(crate) fn keys(keys: &[&str]) -> AMQPValue {
    AMQPValue::FieldArray(keys.iter().map(|key| string(key)).collect::<Vec<_>>().into())
}

#[test]
fn who_comes_late_gets_the_recent_history() {
    let world = World::new();
    let arguments = table([("x-recent-history-length", int(3))]);
    world.declare_exchange("h", "x-recent-history", arguments);
    for queue in ["early", "late"] {
        world.declare(queue);
    }
    world.channel.queue_bind("early", "h", "").unwrap();
    for body in ["1", "2", "3", "4"] {
        world.send(to("h", body));
    }
    world.send_with("h", "secret", "x-recent-history-no-store", AMQPValue::Boolean(true));
    assert_eq!(world.drain("early"), ["1", "2", "3", "4", "secret"]);
    world.channel.queue_bind("late", "h", "").unwrap();
    assert_eq!(world.drain("late"), ["2", "3", "4"]);
    // The binding exists.
    world.channel.queue_bind("late", "h", "").unwrap();
    assert_eq!(world.ready("late"), 0);
    world.send(to("h", "5"));
    assert_eq!((world.drain("early"), world.drain("late")), (vec!["5".into()], vec!["5".into()]));
}

#[test]
fn the_history_follows_a_binding_between_exchanges() {
    let world = World::new();
    world.declare_exchange("h", "x-recent-history", FieldTable::default());
    world.declare_exchange("out", "topic", FieldTable::default());
    world.declare("q");
    world.channel.queue_bind("q", "out", "k").unwrap();
    let before = world.broker.memory_used();
    for number in 0..30 {
        world.send(to("h", &number.to_string()).mandatory());
        assert!(world.channel.take_returned().is_some(), "a remembered message is unroutable");
    }
    world.send(Publish::to_exchange("h", "other"));
    world.channel.exchange_bind("out", "h", "").unwrap();
    let expected: Vec<_> = (11..30).rev().map(|number: i32| number.to_string()).collect();
    assert_eq!(world.drain("q"), expected);
    assert!(world.broker.memory_used() > before);
    world.channel.exchange_delete("h").unwrap();
    assert_eq!(world.broker.memory_used(), before);
}

#[test]
fn the_length_of_a_history_is_positive() {
    let world = World::new();
    let arguments = table([("x-recent-history-length", int(-1))]);
    let refused = refusal(world.try_exchange("h", "x-recent-history", arguments));
    let text = "Invalid argument -1, 'x-recent-history-length' must be a positive integer";
    assert_eq!(refused, (406, text.to_owned()));
}

#[test]
fn an_exchange_drops_duplicates() {
    let world = World::new();
    let arguments = table([
        ("x-cache-size", int(2)),
        ("x-cache-ttl", int(1000)),
        ("x-cache-persistence", string("memory")),
    ]);
    world.declare_exchange("once", "x-message-deduplication", arguments);
    world.declare("q");
    world.channel.queue_bind("q", "once", "").unwrap();
    let send = |body: &str, key: AMQPValue| {
        world.send_with("once", body, "x-deduplication-header", key);
        world.drain("q")
    };
    assert_eq!(send("a", int(1)), ["a"]);
    assert!(send("b", int(1)).is_empty());
    assert!(send("c", AMQPValue::ShortShortInt(1)).is_empty());
    assert_eq!(send("d", string("1")), ["d"]);
    world.send(to("once", "no header"));
    world.send(to("once", "no header"));
    assert_eq!(world.drain("q").len(), 2);
    world.advance_ms(999);
    assert!(send("e", int(1)).is_empty());
    world.advance_ms(1);
    assert_eq!(send("f", int(1)), ["f"]);
    // A full cache forgets.
    assert_eq!(send("g", int(2)), ["g"]);
    assert_eq!(send("h", int(3)), ["h"]);
    assert_eq!(send("i", int(1)), ["i"]);
}

#[test]
fn a_message_says_how_long_it_is_remembered_and_duplicates_do_not_come_back() {
    let world = World::new();
    let before = world.broker.memory_used();
    world.declare_exchange("once", "x-message-deduplication", FieldTable::default());
    world.declare("q");
    world.channel.queue_bind("q", "once", "").unwrap();
    let publish =
        || to("once", "m").header("x-deduplication-header", int(1)).header("x-cache-ttl", int(50));
    assert!(matches!(world.channel.publish(publish()).wait(), Ok(Confirmed::Ack)));
    let double = publish().mandatory();
    assert!(matches!(world.channel.publish(double).wait(), Ok(Confirmed::Ack)));
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(50);
    world.send(publish());
    assert_eq!(world.drain("q").len(), 2);
    assert!(world.broker.memory_used() > before);
    world.channel.exchange_delete("once").unwrap();
    assert_eq!(world.broker.memory_used(), before);
}

#[test]
fn a_queue_holds_no_duplicates() {
    let world = World::new();
    let before = world.broker.memory_used();
    world.declare_with(
        "q",
        [
            ("x-message-deduplication", AMQPValue::Boolean(true)),
            ("x-max-length", int(2)),
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string("dead")),
        ],
    );
    world.declare("dead");
    let send = |key: i64, body: &str| {
        let publish = Publish::to_queue("q").body(body.to_owned());
        world.send(publish.header("x-deduplication-header", int(key)).expiration_ms(100));
    };
    // Ready, unacknowledged, returned: it is in the queue until it is acknowledged.
    send(1, "a");
    send(1, "b");
    assert_eq!(world.ready("q"), 1);
    let delivery = world.get("q");
    send(1, "c");
    delivery.requeue().unwrap();
    send(1, "d");
    let delivery = world.get("q");
    assert_eq!((text(&delivery), world.ready("q")), ("a".into(), 0));
    delivery.ack().unwrap();
    send(1, "e");
    assert_eq!(world.drain("q"), ["e"]);
    // Taken without acknowledgement, rejected, expired, dropped, purged: each lets the next in.
    send(1, "f");
    world.get("q").reject().unwrap();
    send(1, "g");
    world.advance_ms(100);
    assert_eq!(world.drain("dead"), ["f", "g"]);
    for (key, body) in [(1, "h"), (2, "i"), (3, "j"), (1, "k")] {
        send(key, body);
    }
    assert_eq!(world.drain("dead"), ["h", "i"]);
    world.channel.queue_purge("q").unwrap();
    send(3, "l");
    assert_eq!(world.drain("q"), ["l"]);
    assert_eq!(world.broker.memory_used(), before);
}

#[test]
fn a_duplicate_is_confirmed_and_consumers_without_acknowledgement_let_the_next_in() {
    let world = World::new();
    world.declare_with("q", [("x-message-deduplication", AMQPValue::Boolean(true))]);
    let publish = || Publish::to_queue("q").body("m").header("x-deduplication-header", int(1));
    for _ in 0..2 {
        assert!(matches!(world.channel.publish(publish()).wait(), Ok(Confirmed::Ack)));
    }
    assert_eq!(world.ready("q"), 1);
    let consume = Consume::new("q").no_ack();
    let consumer = world.channel.basic_consume_with(&consume).unwrap();
    world.send(publish());
    assert_eq!(crate::support::waiting(&consumer), ["m", "m"]);
}
