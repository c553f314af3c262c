//! Where messages go that die, and what they remember.

use leveret::{AMQPValue, Delivery, FieldTable, Nack, Publish};

use crate::support::{World, int, quorum_queue, string, text};

/// Entries of `x-death`: queue, reason and count, most recent first.
pub(crate) fn deaths(delivery: &Delivery) -> Vec<(String, String, i64)> {
    let headers = delivery.headers();
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return Vec::new();
    };
    let entries = deaths.as_slice().iter().map(|death| match death {
        AMQPValue::FieldTable(death) => {
            let count = match death.inner().get("count") {
                Some(AMQPValue::LongLongInt(count)) => *count,
                other => panic!("a count: {other:?}"),
            };
            (field(death, "queue"), field(death, "reason"), count)
        }
        other => panic!("a table: {other:?}"),
    });
    entries.collect()
}

fn field(table: &FieldTable, name: &str) -> String {
    match table.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("a text in {name}: {other:?}"),
    }
}

fn death(queue: &str, reason: &str, count: i64) -> (String, String, i64) {
    (queue.into(), reason.into(), count)
}

/// A queue `q` whose dead letters go to the queue `dead`.
fn world_with<const N: usize>(arguments: [(&str, AMQPValue); N]) -> World {
    let world = World::new();
    world.declare("dead");
    let mut table = crate::support::table(arguments);
    table.insert("x-dead-letter-exchange".into(), string(""));
    table.insert("x-dead-letter-routing-key".into(), string("dead"));
    let declare = leveret::QueueDeclare::new("q").arguments(table);
    world.channel.queue_declare_with(&declare).unwrap();
    world
}

#[test]
fn each_reason_is_named() {
    let world = world_with([("x-message-ttl", int(10)), ("x-max-length", int(1))]);
    world.publish("q", ["long"]);
    world.publish("q", ["old"]);
    world.advance_ms(10);
    world.publish("q", ["bad"]);
    world.get("q").reject().unwrap();
    for (body, reason) in [("long", "maxlen"), ("old", "expired"), ("bad", "rejected")] {
        let dead = world.take("dead").unwrap();
        assert_eq!(text(&dead), body);
        assert_eq!(deaths(&dead), [death("q", reason, 1)]);
        let headers = dead.headers();
        for (name, value) in [("queue", "q"), ("reason", reason), ("exchange", "")] {
            assert_eq!(field(&headers, &format!("x-first-death-{name}")), value);
            assert_eq!(field(&headers, &format!("x-last-death-{name}")), value);
        }
        assert!(!dead.redelivered());
    }
}

#[test]
fn messages_die_to_the_millisecond_and_lose_their_expiration() {
    let world = world_with([]);
    let publish = Publish::to_queue("q").body("a").expiration_ms(250);
    world.channel.basic_publish(publish).unwrap();
    world.advance_ms(249);
    assert_eq!((world.ready("q"), world.ready("dead")), (1, 0));
    world.advance_ms(1);
    assert_eq!((world.ready("q"), world.ready("dead")), (0, 1));
    world.advance_ms(10_000);
    let dead = world.take("dead").unwrap();
    assert!(dead.properties().expiration().is_none());
    let headers = dead.headers();
    let Some(AMQPValue::FieldArray(all)) = headers.inner().get("x-death") else {
        panic!("a death")
    };
    let AMQPValue::FieldTable(first) = &all.as_slice()[0] else { panic!("a table") };
    assert_eq!(field(first, "original-expiration"), "250");
    let seconds = world.broker.now().as_seconds() - 10;
    assert_eq!(first.inner().get("time"), Some(&AMQPValue::Timestamp(seconds)));
}

#[test]
fn a_retry_loop_over_a_waiting_queue_counts_every_round() {
    let world = World::new();
    let to = |queue| [("x-dead-letter-exchange", string("")), ("x-dead-letter-routing-key", queue)];
    world.declare_with("work", to(string("wait")));
    let [exchange, key] = to(string("work"));
    world.declare_with("wait", [exchange, key, ("x-message-ttl", int(1000))]);
    world.publish("work", ["job"]);
    for round in 1..=4 {
        world.get("work").reject().unwrap();
        world.advance_ms(999);
        assert_eq!(world.ready("work"), 0);
        world.advance_ms(1);
        let delivery = world.get("work");
        let expected = [death("wait", "expired", round), death("work", "rejected", round)];
        assert_eq!(deaths(&delivery), expected);
        assert_eq!(field(&delivery.headers(), "x-first-death-queue"), "work");
        delivery.requeue().unwrap();
    }
}

#[test]
fn a_circle_without_rejections_is_cut() {
    let world = World::new();
    let to = |queue: &str| {
        [
            ("x-message-ttl", int(10)),
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string(queue)),
        ]
    };
    world.declare_with("a", to("b"));
    world.declare_with("b", to("a"));
    world.publish("a", ["m"]);
    world.advance_ms(10);
    assert_eq!((world.ready("a"), world.ready("b")), (0, 1));
    world.advance_ms(10);
    assert_eq!((world.ready("a"), world.ready("b"), world.broker.memory_used()), (0, 0, 0));
}

#[test]
fn a_queue_that_dead_letters_to_itself_ends_at_once() {
    let world = World::new();
    world.declare_with(
        "q",
        [
            ("x-max-length", int(0)),
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string("q")),
        ],
    );
    world.publish("q", ["m"]);
    assert_eq!((world.ready("q"), world.broker.memory_used()), (0, 0));
}

#[test]
fn without_a_key_of_its_own_a_dead_letter_keeps_those_it_had() {
    let world = World::new();
    world.channel.exchange_declare("dlx", "direct").unwrap();
    for queue in ["main", "copy"] {
        world.declare_with(queue, [("x-dead-letter-exchange", string("dlx"))]);
        let dead = format!("dead-{queue}");
        world.declare(&dead);
        world.channel.queue_bind(&dead, "dlx", queue).unwrap();
    }
    let cc = AMQPValue::FieldArray(vec![string("copy")].into());
    world.channel.basic_publish(Publish::to_queue("main").header("CC", cc)).unwrap();
    world.get("main").reject().unwrap();
    assert_eq!((world.ready("dead-main"), world.ready("dead-copy")), (1, 1));
    let dead = world.take("dead-main").unwrap();
    assert_eq!((dead.exchange(), dead.routing_key()), ("dlx", "main"));
}

#[test]
fn a_missing_exchange_swallows_dead_letters() {
    let world = World::new();
    world.declare_with("q", [("x-dead-letter-exchange", string("missing"))]);
    world.publish("q", ["a"]);
    world.get("q").reject().unwrap();
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn a_queue_may_dead_letter_what_it_refuses() {
    let world =
        world_with([("x-max-length", int(1)), ("x-overflow", string("reject-publish-dlx"))]);
    world.publish("q", ["a", "b"]);
    assert_eq!(world.drain("q"), ["a"]);
    let dead = world.take("dead").unwrap();
    assert_eq!((text(&dead), deaths(&dead)), ("b".into(), vec![death("q", "maxlen", 1)]));
}

#[test]
fn the_delivery_limit_ends_a_poisonous_message_in_its_order() {
    let world = World::new();
    world.declare("dead");
    let arguments = [
        ("x-delivery-limit", int(2)),
        ("x-dead-letter-exchange", string("")),
        ("x-dead-letter-routing-key", string("dead")),
    ];
    world.channel.queue_declare_with(&quorum_queue("q", arguments)).unwrap();
    world.publish("q", ["a", "b"]);
    for _ in 0..3 {
        let last = [world.get("q"), world.get("q")];
        world
            .channel
            .basic_nack(last[1].delivery_tag(), &Nack::new().multiple().requeue())
            .unwrap();
    }
    assert_eq!(world.ready("q"), 0);
    let dead = [world.take("dead").unwrap(), world.take("dead").unwrap()];
    assert_eq!([text(&dead[0]), text(&dead[1])], ["a", "b"]);
    assert_eq!(deaths(&dead[0]), [death("q", "delivery_limit", 1)]);
}

#[test]
fn purged_and_deleted_messages_are_not_dead_letters() {
    let world = world_with([]);
    world.publish("q", ["a"]);
    world.channel.queue_purge("q").unwrap();
    world.publish("q", ["b"]);
    world.channel.queue_delete("q").unwrap();
    assert_eq!(world.ready("dead"), 0);
}

#[test]
fn a_message_that_a_client_publishes_again_starts_anew() {
    let world = world_with([]);
    world.publish("q", ["a"]);
    world.get("q").reject().unwrap();
    let dead = world.take("dead").unwrap();
    let again = Publish::to_queue("q").properties(dead.properties()).body("again");
    world.channel.basic_publish(again).unwrap();
    world.get("q").reject().unwrap();
    assert_eq!(deaths(&world.take("dead").unwrap()), [death("q", "rejected", 1)]);
}

/// A quorum queue that keeps its dead letters for `dead` until they are delivered.
fn world_at_least_once() -> World {
    let world = World::new();
    let arguments = [
        ("x-dead-letter-exchange", string("")),
        ("x-dead-letter-routing-key", string("dead")),
        ("x-dead-letter-strategy", string("at-least-once")),
        ("x-overflow", string("reject-publish")),
        ("x-max-length", int(2)),
    ];
    world.channel.queue_declare_with(&quorum_queue("q", arguments)).unwrap();
    world
}

#[test]
fn dead_letters_wait_for_a_queue_at_least_once() {
    let world = world_at_least_once();
    world.publish("q", ["a"]);
    world.get("q").reject().unwrap();
    assert_eq!((world.ready("q"), world.counts("q").discarded), (0, 1));
    world.declare("dead");
    world.advance_ms(1000);
    assert_eq!(world.counts("q").discarded, 0);
    assert_eq!(deaths(&world.take("dead").unwrap()), [death("q", "rejected", 1)]);
    world.advance_ms(10_000);
    assert_eq!(world.ready("dead"), 0);
}

#[test]
fn dead_letters_wait_for_room_and_count_against_the_limit() {
    let world = world_at_least_once();
    let full = [("x-max-length", int(1)), ("x-overflow", string("reject-publish"))];
    world.declare_with("dead", full);
    world.publish("dead", ["first"]);
    world.publish("q", ["a", "b"]);
    for _ in 0..2 {
        world.get("q").reject().unwrap();
    }
    assert_eq!(world.counts("q").discarded, 2);
    world.publish("q", ["one too many", "refused"]);
    assert_eq!(world.ready("q"), 1);
    for expected in ["first", "a", "b"] {
        assert_eq!(world.drain("dead"), [expected]);
        world.advance_ms(1000);
    }
    world.publish("q", ["taken"]);
    assert_eq!((world.ready("q"), world.counts("q").discarded), (2, 0));
}

#[test]
fn deleting_a_queue_drops_the_dead_letters_that_it_keeps() {
    let world = world_at_least_once();
    world.publish("q", ["a"]);
    world.get("q").reject().unwrap();
    world.channel.queue_delete("q").unwrap();
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn keys_in_bcc_route_a_dead_letter_and_are_not_told() {
    let world = World::new();
    world.channel.exchange_declare("dlx", "direct").unwrap();
    for key in ["q", "blind"] {
        let dead = format!("dead-{key}");
        world.declare(&dead);
        world.channel.queue_bind(&dead, "dlx", key).unwrap();
    }
    world.declare_with("q", [("x-dead-letter-exchange", string("dlx"))]);
    let blind = AMQPValue::FieldArray(vec![string("blind")].into());
    world.channel.basic_publish(Publish::to_queue("q").header("BCC", blind)).unwrap();
    world.get("q").reject().unwrap();
    for queue in ["dead-q", "dead-blind"] {
        let dead = world.take(queue).unwrap();
        assert_eq!(dead.routing_key(), "q");
        let headers = dead.headers();
        let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
            panic!("deaths: {headers:?}");
        };
        let AMQPValue::FieldTable(death) = &deaths.as_slice()[0] else { panic!("{deaths:?}") };
        let told = AMQPValue::FieldArray(vec![string("q")].into());
        assert_eq!(death.inner().get("routing-keys"), Some(&told));
    }
}

#[test]
fn keys_in_bcc_count_as_memory() {
    const KEYS: usize = 10_000;
    let world = World::new();
    world.declare("q");
    let before = world.broker.memory_total();
    let blind = AMQPValue::FieldArray(vec![string("b"); KEYS].into());
    world.channel.basic_publish(Publish::to_queue("q").header("BCC", blind)).unwrap();
    let more = world.broker.memory_total() - before;
    assert!(more > KEYS * std::mem::size_of::<Vec<u8>>(), "{more} octets count");
    world.get("q").ack().unwrap();
    assert!(world.broker.memory_total() < before + KEYS);
}
