//! What RabbitMQ needs plugins for: delayed exchanges, recent history, deduplication.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use leveret::ExchangeHandle;
use leveret::{
    AMQPValue, Binding, Broker, Confirmed, Consume, ExchangeDeclare, FieldTable, Publish, Result,
};

use crate::support::{World, int, refusal, string, table, text};

/// Words for exchanges of the extensions' types.
impl World {
    fn try_exchange(&self, name: &str, kind: &str, arguments: FieldTable) -> Result<()> {
        self.channel.exchange_declare_with(&ExchangeDeclare::new(name, kind).arguments(arguments))
    }

    fn declare_exchange(&self, name: &str, kind: &str, arguments: FieldTable) {
        self.try_exchange(name, kind, arguments).expect("valid arguments");
    }

    /// Declares a delayed exchange with a queue that is bound by the key `k`.
    fn delayed(&self, exchange: &str, kind: &str, queue: &str) {
        let arguments = table([("x-delayed-type", string(kind))]);
        self.declare_exchange(exchange, "x-delayed-message", arguments);
        self.declare(queue);
        self.channel.queue_bind(queue, exchange, "k").expect("a binding");
    }

    fn exchange(&self, name: &str) -> ExchangeHandle {
        let host = self.broker.virtual_host("/").expect("the default virtual host");
        host.exchange(name).expect("a declared exchange")
    }

    fn send(&self, publish: Publish) {
        self.channel.basic_publish(publish).expect("a published message");
    }

    /// Publishes to an exchange with the key `k` and one header.
    fn send_with(&self, exchange: &str, body: &str, header: &str, value: AMQPValue) {
        self.send(to(exchange, body).header(header, value));
    }
}

fn to(exchange: &str, body: &str) -> Publish {
    Publish::to_exchange(exchange, "k").body(body.to_owned())
}

fn late(exchange: &str, body: &str, ms: i64) -> Publish {
    to(exchange, body).header("x-delay", int(ms))
}

fn keys(keys: &[&str]) -> AMQPValue {
    AMQPValue::FieldArray(keys.iter().map(|key| string(key)).collect::<Vec<_>>().into())
}

#[test]
fn a_delayed_message_is_due_to_the_millisecond() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    world.send(late("x", "a", 5000));
    assert_eq!((world.ready("q"), world.exchange("x").delayed_count()), (0, 1));
    world.advance_ms(4999);
    assert_eq!(world.ready("q"), 0);
    world.advance_ms(1);
    let delivery = world.take("q").unwrap();
    assert_eq!(text(&delivery), "a");
    assert_eq!(delivery.headers().inner().get("x-delay"), Some(&AMQPValue::LongInt(-5000)));
    assert_eq!(world.exchange("x").delayed_count(), 0);
}

#[test]
fn what_is_due_first_leaves_first_and_then_what_came_first() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    for (body, ms) in [("c", 30), ("a", 10), ("d", 30), ("b", 20), ("e", 30)] {
        world.send(late("x", body, ms));
    }
    world.advance_ms(15);
    world.send(late("x", "f", 15));
    world.send(late("x", "now", 0));
    world.advance_ms(1000);
    assert_eq!(world.drain("q"), ["a", "now", "b", "c", "d", "e", "f"]);
}

#[test]
fn no_delay_is_no_delay() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    world.send(to("x", "none"));
    for value in [int(0), int(-5000), int(i64::from(u32::MAX) + 1), string("soon")] {
        world.send_with("x", "at once", "x-delay", value.clone());
        let bodies = world.drain("q");
        assert_eq!(bodies.last().map(String::as_str), Some("at once"), "{value:?}");
    }
    world.send_with("x", "digits", "x-delay", string("70"));
    assert_eq!(world.ready("q"), 0);
    world.advance_ms(70);
    assert_eq!(world.drain("q"), ["digits"]);
    world.send_with("x", "long", "x-delay", int(u32::MAX.into()));
    world.advance_ms(u64::from(u32::MAX) - 1);
    assert_eq!(world.ready("q"), 0);
    world.advance_ms(1);
    assert_eq!(world.drain("q"), ["long"]);
}

#[test]
fn the_bindings_at_the_end_of_the_delay_count() {
    let world = World::new();
    world.delayed("x", "direct", "first");
    world.declare("second");
    world.send(late("x", "m", 100));
    world.advance_ms(50);
    world.channel.queue_unbind("first", "x", "k").unwrap();
    world.channel.queue_bind("second", "x", "k").unwrap();
    world.advance_ms(50);
    assert_eq!((world.ready("first"), world.ready("second")), (0, 1));
}

#[test]
fn every_type_can_be_delayed() {
    let world = World::new();
    for kind in leveret::internals::ExchangeType::ALL {
        let kind = kind.as_str();
        if kind == "x-delayed-message" {
            continue;
        }
        let (exchange, queue) = (format!("x {kind}"), format!("q {kind}"));
        let arguments = table([("x-delayed-type", string(kind))]);
        world.declare_exchange(&exchange, "x-delayed-message", arguments);
        world.declare(&queue);
        let (key, arguments) = match kind {
            "x-consistent-hash" => ("1", FieldTable::default()),
            "x-local-random" => ("", FieldTable::default()),
            "x-super-stream" => ("0", FieldTable::default()),
            "headers" => ("", table([("kind", string("pdf"))])),
            "topic" => ("#.k", FieldTable::default()),
            _ => ("k", FieldTable::default()),
        };
        let binding = Binding::new(&*exchange, key).arguments(arguments);
        world.channel.queue_bind_with(&queue, &binding).unwrap();
        world.send(late(&exchange, kind, 20).header("kind", string("pdf")));
        world.advance_ms(19);
        assert_eq!(world.ready(&queue), 0, "{kind}");
        world.advance_ms(1);
        assert_eq!(world.drain(&queue), [kind]);
    }
}

#[test]
fn the_delayed_type_has_to_be_another_type() {
    let world = World::new();
    let refused = |arguments| refusal(world.try_exchange("x", "x-delayed-message", arguments));
    let existing = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
    let itself = "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'";
    assert_eq!(refused(FieldTable::default()), (406, existing.to_owned()));
    assert_eq!(refused(table([("x-delayed-type", int(1))])), (406, existing.to_owned()));
    let unknown = refused(table([("x-delayed-type", string("other"))]));
    assert_eq!(unknown, (406, "unknown exchange type 'other'".to_owned()));
    let nested = refused(table([("x-delayed-type", string("x-delayed-message"))]));
    assert_eq!(nested, (406, itself.to_owned()));
    let inner = table([
        ("x-delayed-type", string("x-recent-history")),
        ("x-recent-history-length", int(0)),
    ]);
    assert_eq!(refused(inner).0, 406);
    // A plain type does not look at the argument.
    world.declare_exchange("x", "direct", table([("x-delayed-type", string("other"))]));
    world.declare("q");
    world.channel.queue_bind("q", "x", "k").unwrap();
    world.send(late("x", "m", 5000));
    let delivery = world.take("q").unwrap();
    assert_eq!(delivery.headers().inner().get("x-delay"), Some(&int(5000)));
}

#[test]
fn a_confirm_means_kept_and_nothing_comes_back() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    let unroutable = || Publish::to_exchange("x", "nowhere").header("x-delay", int(10)).mandatory();
    assert!(matches!(world.channel.publish(unroutable()).wait(), Ok(Confirmed::Ack)));
    assert_eq!(world.exchange("x").delayed_count(), 1);
    world.advance_ms(10);
    assert_eq!(world.exchange("x").delayed_count(), 0);
    assert!(world.channel.take_returned().is_none());
    let at_once = Publish::to_exchange("x", "nowhere").mandatory();
    let returned = world.channel.publish(at_once).wait();
    assert!(matches!(returned, Ok(Confirmed::Returned(_))));
}

#[test]
fn time_to_live_starts_in_the_queue() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    world.send(late("x", "m", 100).expiration_ms(30));
    world.advance_ms(100 + 29);
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(1);
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn what_is_kept_goes_with_its_exchange() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    let before = world.broker.memory_used();
    for _ in 0..10 {
        world.send(late("x", "0123456789", 100));
    }
    assert!(world.broker.memory_used() >= before + 10 * 10);
    let old = world.exchange("x");
    world.channel.exchange_delete("x").unwrap();
    assert_eq!((old.delayed_count(), world.broker.memory_used()), (0, before));
    world.delayed("x", "direct", "q");
    world.send(late("x", "new", 100));
    world.advance_ms(100);
    assert_eq!(world.drain("q"), ["new"]);
    assert_eq!(world.broker.memory_used(), before);
}

#[test]
fn delays_compose_with_other_exchanges() {
    let world = World::new();
    world.declare_exchange("in", "fanout", FieldTable::default());
    world.declare("early");
    world.channel.queue_bind("early", "in", "").unwrap();
    world.delayed("x", "direct", "late");
    world.channel.exchange_bind("x", "in", "").unwrap();
    world.delayed("y", "direct", "later");
    world.channel.exchange_bind("y", "x", "k").unwrap();
    world.send(late("in", "m", 50));
    let early = world.take("early").unwrap();
    assert_eq!(early.headers().inner().get("x-delay"), Some(&int(50)));
    assert_eq!((world.ready("late"), world.ready("later")), (0, 0));
    world.advance_ms(50);
    // What was delayed once is not delayed again.
    assert_eq!((world.drain("late"), world.drain("later")), (vec!["m".into()], vec!["m".into()]));
    assert_eq!(world.ready("early"), 0);
}

#[test]
fn the_alternate_exchange_waits_as_well() {
    let world = World::new();
    let arguments =
        table([("x-delayed-type", string("direct")), ("alternate-exchange", string("rest"))]);
    world.declare_exchange("x", "x-delayed-message", arguments);
    world.declare_exchange("rest", "fanout", FieldTable::default());
    world.declare("q");
    world.channel.queue_bind("q", "rest", "").unwrap();
    world.send(late("x", "m", 50));
    world.advance_ms(49);
    assert_eq!(world.ready("q"), 0);
    world.advance_ms(1);
    assert_eq!(world.drain("q"), ["m"]);
}

#[test]
fn dead_letters_can_be_delayed() {
    let world = World::new();
    world.delayed("retry", "direct", "back");
    let dead = [("x-dead-letter-exchange", string("retry"))];
    world.declare_with("work", dead);
    world.channel.queue_bind("back", "retry", "work").unwrap();
    world.send(Publish::to_queue("work").body("m").header("x-delay", int(200)));
    world.get("work").reject().unwrap();
    world.advance_ms(199);
    assert_eq!(world.ready("back"), 0);
    world.advance_ms(1);
    let delivery = world.take("back").unwrap();
    assert!(delivery.headers().contains_key("x-death"));
    assert_eq!(delivery.headers().inner().get("x-delay"), Some(&AMQPValue::LongInt(-200)));
}

#[test]
fn selected_routes_wait_as_well() {
    let world = World::new();
    world.delayed("x", "direct", "to");
    for queue in ["cc", "bcc"] {
        world.declare(queue);
        world.channel.queue_bind(queue, "x", queue).unwrap();
    }
    world.send(late("x", "m", 10).header("CC", keys(&["cc"])).header("BCC", keys(&["bcc"])));
    world.advance_ms(10);
    for queue in ["to", "cc", "bcc"] {
        let delivery = world.take(queue).unwrap();
        assert!(!delivery.headers().contains_key("BCC"));
        assert_eq!(delivery.routing_key(), "k");
    }
}

#[test]
fn a_transaction_delays_remembers_and_deduplicates_when_it_commits() {
    let world = World::new();
    world.delayed("x", "direct", "q");
    world.declare_exchange("once", "x-message-deduplication", FieldTable::default());
    world.channel.queue_bind("q", "once", "").unwrap();
    world.channel.tx_select().unwrap();
    world.send(late("x", "dropped", 10).header("BCC", keys(&["k"])));
    world.send_with("once", "dropped", "x-deduplication-header", int(1));
    world.channel.tx_rollback().unwrap();
    world.send(late("x", "kept", 10));
    world.send_with("once", "fresh", "x-deduplication-header", int(1));
    world.send_with("once", "double", "x-deduplication-header", int(1));
    world.advance_ms(100);
    assert_eq!((world.ready("q"), world.exchange("x").delayed_count()), (0, 0));
    world.channel.tx_commit().unwrap();
    assert_eq!((world.drain("q"), world.exchange("x").delayed_count()), (vec!["fresh".into()], 1));
    world.advance_ms(10);
    assert_eq!(world.drain("q"), ["kept"]);
}

#[test]
fn the_system_clock_releases_what_is_due() {
    let broker = Broker::new();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    let world = World { broker, connection, channel };
    world.delayed("x", "direct", "q");
    let consumer = world.channel.basic_consume("q").unwrap();
    let sent_at = world.broker.now();
    for (body, ms) in [("c", 60), ("a", 20), ("b", 40)] {
        world.send(late("x", body, ms));
    }
    for (body, ms) in [("a", 20), ("b", 40), ("c", 60)] {
        let delivery = consumer.recv().unwrap();
        assert_eq!(text(&delivery), body);
        assert!(world.broker.now() >= sent_at.after_ms(ms));
    }
}

#[test]
fn a_hundred_thousand_delayed_messages_leave_in_order() {
    const COUNT: u64 = 100_000;
    let world = World::new();
    world.delayed("x", "fanout", "q");
    let before = world.broker.memory_used();
    let mut expected = Vec::new();
    let mut random = 0x9E37_79B9_u64;
    for number in 0..COUNT {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let ms = 1 + (random >> 33) % 20_000;
        expected.push((ms, number));
        world.send(late("x", &number.to_string(), i64::try_from(ms).unwrap()));
    }
    assert_eq!(world.exchange("x").delayed_count(), 100_000);
    expected.sort_unstable();
    world.advance_ms(10_000);
    let half = expected.partition_point(|(ms, _)| *ms <= 10_000);
    assert_eq!(world.ready("q"), half);
    world.advance_ms(10_000);
    let bodies = world.drain("q");
    let in_order = bodies.iter().zip(&expected).all(|(body, (_, n))| *body == n.to_string());
    assert!(in_order && bodies.len() == expected.len());
    assert_eq!(world.broker.memory_used(), before);
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
