//! Delayed exchanges, for which RabbitMQ needs a plugin.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use leveret::{AMQPValue, Binding, Broker, Confirmed, FieldTable, Publish};

use crate::extensions::{keys, late, to};
use crate::support::{World, int, refusal, string, table, text};

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
        let arguments = table([
            ("x-delayed-type", string(kind)),
            // Of x-federation-upstream alone.
            ("x-max-hops", int(1)),
            ("x-downstream-name", string("other")),
            ("x-downstream-vhost", string("/")),
        ]);
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
    // In which order they are due also depends on when each of them was sent.
    let mut due = Vec::new();
    for (body, ms) in [("c", 60), ("a", 20), ("b", 40)] {
        due.push((body, world.broker.now().after_ms(ms as u64)));
        world.send(late("x", body, ms));
    }
    while !due.is_empty() {
        let delivery = consumer.recv().unwrap();
        let which = due.iter().position(|(body, _)| text(&delivery) == **body).unwrap();
        assert!(world.broker.now() >= due.remove(which).1);
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
