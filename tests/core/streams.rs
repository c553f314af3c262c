//! Streams: queues that are read from anywhere and never emptied.

use std::time::Duration;

use leveret::internals::{QueueTotals, View};
use leveret::lint::LintKind;
use leveret::{
    AMQPValue, Broker, Channel, Consume, Consumer, Delivery, FieldValue, LintLevel, ManualClock,
    Publish, QueueDeclare, QueueDelete, Timestamp,
};

use crate::support::{World, int, refusal, string, text, waiting};

/// What the declaration of a stream has.
fn stream(queue: &str) -> QueueDeclare {
    QueueDeclare::new(queue).durable().argument("x-queue-type", "stream")
}

fn declare(world: &World, declare: &QueueDeclare) {
    world.channel.queue_declare_with(declare).unwrap();
}

/// A world with a stream `s` that holds these bodies, and a prefetch of 10.
fn world<'a>(bodies: impl IntoIterator<Item = &'a str>) -> World {
    let world = World::new();
    declare(&world, &stream("s"));
    world.publish("s", bodies);
    world.channel.basic_qos(10).unwrap();
    world
}

fn from(offset: impl Into<FieldValue>) -> Consume {
    Consume::new("s").argument("x-stream-offset", offset)
}

fn read(channel: &Channel, consume: &Consume) -> Consumer {
    channel.basic_consume_with(consume).unwrap()
}

fn confirm(channel: &Channel, publish: Publish) {
    assert!(channel.publish(publish).wait().unwrap().is_ack());
}

/// The offset of a delivery, which is among its headers.
fn offset(delivery: &Delivery) -> i64 {
    match delivery.headers().inner().get("x-stream-offset") {
        Some(AMQPValue::LongLongInt(offset)) => *offset,
        other => panic!("{other:?}"),
    }
}

fn offsets(consumer: &Consumer) -> Vec<i64> {
    std::iter::from_fn(|| consumer.try_recv()).map(|delivery| offset(&delivery)).collect()
}

#[test]
fn everybody_reads_everything_and_nothing_goes_away() {
    let world = world(["a", "b", "c"]);
    for _ in 0..3 {
        let consumer = read(&world.channel, &from("first"));
        let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
        let bodies: Vec<_> = deliveries.iter().map(text).collect();
        assert_eq!(bodies, ["a", "b", "c"]);
        let offsets: Vec<_> = deliveries.iter().map(offset).collect();
        assert_eq!(offsets, [0, 1, 2]);
        assert!(deliveries.iter().all(|delivery| !delivery.redelivered()));
        deliveries.last().unwrap().ack_multiple().unwrap();
    }
    assert_eq!(world.ready("s"), 3);
    assert_eq!(world.counts("s").unacked, 0);
    let counted = world.channel.queue_declare_with(&stream("s")).unwrap();
    assert_eq!((counted.message_count, counted.consumer_count), (3, 0));
}

#[test]
fn a_consumer_begins_where_it_wants_to() {
    let clock = ManualClock::new(Timestamp::from_millis(1_000_000_000));
    let broker = Broker::builder().manual_clock(clock).build();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare_with(&stream("s")).unwrap();
    channel.basic_qos(100).unwrap();
    for body in ["a", "b", "c", "d"] {
        confirm(&channel, Publish::to_queue("s").body(body));
        broker.advance(Duration::from_secs(10));
    }
    let begin = |offset: AMQPValue| waiting(&read(&channel, &from(offset)));
    assert_eq!(begin(string("first")), ["a", "b", "c", "d"]);
    assert_eq!(begin(string("last")), ["d"]);
    assert_eq!(begin(string("next")), [""; 0]);
    assert_eq!(begin(int(2)), ["c", "d"]);
    assert_eq!(begin(int(-3)), ["a", "b", "c", "d"]);
    assert_eq!(begin(AMQPValue::ShortShortUInt(1)), ["b", "c", "d"]);
    assert_eq!(begin(AMQPValue::Timestamp(1_000_010)), ["b", "c", "d"]);
    assert_eq!(begin(AMQPValue::Timestamp(1_000_011)), ["c", "d"]);
    assert_eq!(begin(AMQPValue::Timestamp(2_000_000)), [""; 0]);
    assert_eq!(begin(string("25s")), ["c", "d"]);
    assert_eq!(begin(string("1Y")), ["a", "b", "c", "d"]);
    assert_eq!(waiting(&read(&channel, &Consume::new("s"))), [""; 0], "next is the default");
}

#[test]
fn an_offset_inside_a_chunk_or_yet_to_come_is_exact() {
    let world = World::new();
    declare(&world, &stream("s"));
    world.channel.basic_qos(100).unwrap();
    let batch = (0..20).map(|number| Publish::to_queue("s").body(number.to_string()));
    world.channel.publish_all(batch).unwrap();
    for first in [0, 7, 19] {
        let expected: Vec<_> = (first..20).collect();
        assert_eq!(offsets(&read(&world.channel, &from(first))), expected);
    }
    let later = read(&world.channel, &from(22_i64));
    world.publish("s", ["20", "21", "22", "23"]);
    assert_eq!(waiting(&later), ["22", "23"]);
}

#[test]
fn acknowledgements_open_the_window_and_nothing_else() {
    let world = world(["a", "b", "c", "d", "e", "f", "g"]);
    world.channel.basic_qos(2).unwrap();
    let consumer = read(&world.channel, &from("first"));
    let (a, b) = (consumer.try_recv().unwrap(), consumer.try_recv().unwrap());
    assert!(consumer.try_recv().is_none());
    b.ack().unwrap();
    let c = consumer.try_recv().unwrap();
    assert_eq!(text(&c), "c");
    c.requeue().unwrap();
    let d = consumer.try_recv().unwrap();
    assert_eq!(text(&d), "d");
    d.reject().unwrap();
    let e = consumer.try_recv().unwrap();
    assert!(consumer.try_recv().is_none());
    assert_eq!(world.counts("s").unacked, 2);
    e.ack_multiple().unwrap();
    assert_eq!(waiting(&consumer), ["f", "g"]);
    world.channel.basic_recover().unwrap();
    assert!(a.ack().is_err(), "it was acknowledged");
    assert_eq!(world.ready("s"), 7);
}

#[test]
fn readers_go_each_at_its_own_pace() {
    let world = world([]);
    world.channel.basic_qos(1).unwrap();
    let slow = read(&world.channel, &from("first"));
    world.channel.basic_qos(1000).unwrap();
    let fast = read(&world.channel, &from("first"));
    let bodies: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    world.publish("s", bodies.iter().map(String::as_str));
    assert_eq!(waiting(&fast), bodies);
    for body in &bodies {
        let delivery = slow.try_recv().unwrap();
        assert_eq!(text(&delivery), *body);
        delivery.ack().unwrap();
    }
    assert!(slow.try_recv().is_none());
}

#[test]
fn an_embedded_consumer_that_is_full_goes_on_when_it_has_room() {
    let world = world([]);
    world.channel.basic_qos(0).unwrap();
    world.channel.basic_qos(20_000).unwrap();
    let consumer = read(&world.channel, &from("first"));
    let bodies: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    world.publish("s", bodies.iter().map(String::as_str));
    assert_eq!(waiting(&consumer), bodies);
}

#[test]
fn what_a_stream_cannot_do_is_refused() {
    let world = world(["a"]);
    let code = |result: leveret::Result<()>| refusal(result).0;
    let channel = || world.open_channel();
    assert_eq!(code(channel().basic_get("s").map(drop)), 540);
    assert_eq!(code(channel().queue_purge("s").map(drop)), 540);
    let consume = |consume: &Consume| {
        let channel = channel();
        channel.basic_qos(1).unwrap();
        channel.basic_consume_with(consume).map(drop)
    };
    let no_ack = refusal(consume(&from("first").no_ack()));
    assert_eq!(no_ack.0, 540);
    assert!(no_ack.1.contains("automatic acknowledgement not supported by stream queue 's'"));
    let priority = refusal(consume(&from("first").argument("x-priority", 5_i64)));
    assert!(priority.1.contains("'x-priority'") && priority.1.contains("rabbit_stream_queue"));
    for wrong in [string("5x"), string("First"), string(""), AMQPValue::Boolean(true)] {
        assert_eq!(code(consume(&from(wrong))), 406);
    }
    let global = channel();
    global.basic_qos_global(5).unwrap();
    assert_eq!(code(global.basic_consume_with(&from("first")).map(drop)), 540);
    let declare = |declare: QueueDeclare| channel().queue_declare_with(&declare).map(drop);
    assert_eq!(code(declare(stream("x").exclusive())), 406);
    assert_eq!(code(declare(stream("x").auto_delete())), 406);
    let transient = QueueDeclare::new("x").argument("x-queue-type", "stream");
    assert_eq!(code(declare(transient)), 406);
    assert_eq!(code(declare(stream(""))), 406);
    for argument in ["x-message-ttl", "x-expires", "x-max-length", "x-max-priority"] {
        assert_eq!(code(declare(stream("x").argument(argument, 1_i64))), 406, "{argument}");
    }
    // On other queues there is no place to begin with.
    world.declare("q");
    let elsewhere = Consume::new("q").argument("x-stream-offset", "first");
    assert_eq!(code(consume(&elsewhere)), 406);
}

#[test]
fn a_consumer_without_prefetch_has_a_window_unless_that_is_refused() {
    let builder = || Broker::builder().manual_clock(ManualClock::default());
    let broker = builder().lint(LintLevel::Warn).build();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare_with(&stream("s")).unwrap();
    channel.publish_all((0..1000).map(|_| Publish::to_queue("s"))).unwrap();
    let consumer = channel.basic_consume_with(&from("first")).unwrap();
    let window: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
    assert_eq!(window.len(), 256);
    window.last().unwrap().ack_multiple().unwrap();
    assert_eq!(offsets(&consumer).len(), 256);
    let kinds: Vec<_> = broker.lints().iter().map(|lint| lint.kind).collect();
    assert!(kinds.contains(&LintKind::StreamWithoutPrefetch), "{kinds:?}");

    let broker = builder().require_stream_prefetch(true).build();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare_with(&stream("s")).unwrap();
    let (code, text) = refusal(channel.basic_consume_with(&from("first")));
    assert_eq!(code, 406);
    assert!(text.contains("consumer prefetch count is not set for stream queue 's'"), "{text}");
}

#[test]
fn all_exchanges_lead_into_streams() {
    let world = world([]);
    declare(&world, &stream("t"));
    world.declare("q");
    for (exchange, key) in [("amq.fanout", ""), ("amq.topic", "a.#"), ("amq.direct", "k")] {
        for queue in ["s", "t", "q"] {
            world.channel.queue_bind(queue, exchange, key).unwrap();
        }
    }
    for (exchange, key) in [("amq.fanout", "x"), ("amq.topic", "a.b"), ("amq.direct", "k")] {
        let publish = Publish::to_exchange(exchange, key).body(key).mandatory();
        assert!(world.channel.publish(publish).wait().unwrap().is_ack());
    }
    let consumer = read(&world.channel, &from("first"));
    let routes: Vec<_> = std::iter::from_fn(|| consumer.try_recv())
        .map(|delivery| (delivery.exchange().to_owned(), delivery.routing_key().to_owned()))
        .collect();
    let expected = [("amq.fanout", "x"), ("amq.topic", "a.b"), ("amq.direct", "k")];
    assert_eq!(routes, expected.map(|(exchange, key)| (exchange.to_owned(), key.to_owned())));
    assert_eq!(world.ready("t"), 3);
    assert_eq!(world.drain("q"), ["x", "a.b", "k"]);
}

#[test]
fn dead_letters_end_in_a_stream() {
    let world = world([]);
    let arguments = [("x-dead-letter-exchange", string("")), ("x-message-ttl", int(100))];
    let key = ("x-dead-letter-routing-key", string("s"));
    world.declare_with("q", [arguments[0].clone(), arguments[1].clone(), key]);
    world.publish("q", ["late", "rejected"]);
    world.get("q").requeue().unwrap();
    world.advance_ms(101);
    confirm(&world.channel, Publish::to_queue("q").body("no").expiration_ms(50));
    world.get("q").reject().unwrap();
    let consumer = read(&world.channel, &from("first"));
    let deaths: Vec<_> = std::iter::from_fn(|| consumer.try_recv())
        .map(|delivery| {
            let headers = delivery.headers();
            assert!(headers.inner().contains_key("x-death"));
            (text(&delivery), headers.inner().get("x-first-death-reason").cloned().unwrap())
        })
        .collect();
    let expected = [("late", "expired"), ("rejected", "expired"), ("no", "rejected")];
    assert_eq!(deaths, expected.map(|(body, reason)| (body.to_owned(), string(reason))));
}

#[test]
fn transactions_append_at_the_commit() {
    let world = world([]);
    let consumer = read(&world.channel, &from("first"));
    let channel = world.open_channel();
    channel.tx_select().unwrap();
    channel.basic_publish(Publish::to_queue("s").body("a")).unwrap();
    channel.basic_publish(Publish::to_queue("s").body("b")).unwrap();
    assert!(consumer.try_recv().is_none());
    channel.tx_commit().unwrap();
    channel.basic_publish(Publish::to_queue("s").body("c")).unwrap();
    channel.tx_rollback().unwrap();
    assert_eq!(waiting(&consumer), ["a", "b"]);
}

#[test]
fn whole_chunks_are_filtered_or_each_message() {
    let world = world([]);
    let publish = |body: &str, value: Option<&str>| {
        let publish = Publish::to_queue("s").body(body.to_owned());
        match value {
            Some(value) => publish.header("x-stream-filter-value", value),
            None => publish,
        }
    };
    for (body, value) in [("a", Some("apple")), ("b", Some("banana")), ("none", None)] {
        confirm(&world.channel, publish(body, value));
    }
    let fruit = |number: usize| ["apple", "banana", "cherry"][number % 3];
    let mixed = (0..9).map(|number| publish(&format!("{number}"), Some(fruit(number))));
    world.channel.publish_all(mixed).unwrap();
    let filtered = |consume: Consume| waiting(&read(&world.channel, &consume));
    let apples = || from("first").argument("x-stream-filter", "apple");
    world.channel.basic_qos(100).unwrap();
    let all = ["0", "1", "2", "3", "4", "5", "6", "7", "8"];
    assert_eq!(filtered(apples()), [&["a"][..], &all].concat());
    let unfiltered = apples().argument("x-stream-match-unfiltered", true);
    assert_eq!(filtered(unfiltered.clone()), [&["a", "none"][..], &all].concat());
    let exact = apples().argument("x-stream-filter-messages", true);
    assert_eq!(filtered(exact), ["a", "0", "3", "6"]);
    let exact = unfiltered.argument("x-stream-filter-messages", true);
    assert_eq!(filtered(exact), ["a", "none", "0", "3", "6"]);
    let list = AMQPValue::FieldArray(vec![string("banana"), int(5), string("apple")].into());
    assert_eq!(filtered(from("first").argument("x-stream-filter", list))[..2], ["a", "b"]);
    let nothing = AMQPValue::FieldArray(vec![].into());
    assert_eq!(filtered(from("first").argument("x-stream-filter", nothing)).len(), 12);
}

#[test]
fn a_filtered_consumer_gets_what_comes_later_too() {
    let world = world([]);
    world.channel.basic_qos(1).unwrap();
    let consume = from("first").argument("x-stream-filter", "a");
    let consumer = read(&world.channel, &consume);
    for (body, value) in [("b1", "b"), ("a1", "a"), ("b2", "b"), ("a2", "a")] {
        let publish = Publish::to_queue("s").body(body).header("x-stream-filter-value", value);
        confirm(&world.channel, publish);
    }
    let delivery = consumer.try_recv().unwrap();
    assert_eq!(text(&delivery), "a1");
    assert!(consumer.try_recv().is_none());
    delivery.ack().unwrap();
    assert_eq!(waiting(&consumer), ["a2"]);
}

fn named(name: &str) -> Consume {
    from("first").argument("x-stream-consumer-name", name)
}

#[test]
fn a_named_consumer_goes_on_after_what_it_acknowledged_without_a_gap() {
    let world = world(["0", "1", "2", "3", "4", "5"]);
    let first = world.open_channel();
    first.basic_qos(10).unwrap();
    let consumer = read(&first, &named("projection"));
    let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
    assert_eq!(deliveries.len(), 6);
    for acknowledged in [0, 1, 3] {
        deliveries[acknowledged].ack().unwrap();
    }
    first.close();
    let again = world.open_channel();
    again.basic_qos(10).unwrap();
    let consumer = read(&again, &named("projection"));
    assert_eq!(offsets(&consumer), [2, 3, 4, 5], "3 was acknowledged, but 2 was not");
    let other = read(&again, &named("other"));
    assert_eq!(offsets(&other).len(), 6);
}

#[test]
fn a_message_that_was_given_back_comes_again_to_a_named_consumer() {
    let world = world(["0", "1", "2"]);
    let channel = world.open_channel();
    channel.basic_qos(10).unwrap();
    let consume =
        from("first").consumer_tag("tag").argument("x-stream-automatic-offset-tracking", true);
    let consumer = read(&channel, &consume);
    let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
    deliveries[0].reject().unwrap();
    deliveries[1].requeue().unwrap();
    deliveries[2].ack().unwrap();
    channel.close();
    let channel = world.open_channel();
    channel.basic_qos(10).unwrap();
    assert_eq!(offsets(&read(&channel, &consume)), [1, 2]);
    let without_tag = from("first").argument("x-stream-automatic-offset-tracking", true);
    assert_eq!(refusal(world.open_channel().basic_consume_with(&without_tag)).0, 406);
    let long = named(&"n".repeat(256));
    let channel = world.open_channel();
    channel.basic_qos(1).unwrap();
    assert_eq!(refusal(channel.basic_consume_with(&long)).0, 406);
}

#[test]
fn deleting_a_stream_cancels_its_readers_whatever_is_in_it() {
    let world = world(["a", "b"]);
    let consumer = read(&world.channel, &from("next"));
    let delete = QueueDelete::new("s").if_unused().if_empty();
    let other = world.open_channel();
    assert_eq!(other.queue_delete_with(&delete).unwrap(), 0);
    assert!(consumer.recv().is_none(), "it is cancelled");
    assert!(world.queue("s").is_none());
    declare(&world, &stream("s"));
    assert_eq!(world.ready("s"), 0);
    world.publish("s", ["new"]);
    let consumer = read(&world.channel, &from("first"));
    assert_eq!(offsets(&consumer), [0]);
}

#[test]
fn retention_removes_whole_segments_never_the_last() {
    let world = World::new();
    let small = |name: &str| stream(name).argument("x-stream-max-segment-size-bytes", 500_i64);
    declare(&world, &small("bytes").argument("x-max-length-bytes", 2000_i64));
    declare(&world, &small("age").argument("x-max-age", "10s"));
    let body = "x".repeat(200);
    for _ in 0..20 {
        world.publish("bytes", [body.as_str()]);
        world.publish("age", [body.as_str()]);
        world.advance_ms(1000);
    }
    let kept = world.ready("bytes");
    assert!((4..10).contains(&kept), "{kept}");
    let kept = world.ready("age");
    assert!((10..14).contains(&kept), "{kept}");
    world.advance_ms(3_600_000);
    let left = world.ready("age");
    assert!(left < 3, "{left}: only the segment that is being written");
    world.channel.basic_qos(100).unwrap();
    let consume = Consume::new("bytes").argument("x-stream-offset", 0_i64);
    let found = offsets(&read(&world.channel, &consume));
    let first = 20 - world.ready("bytes") as i64;
    assert_eq!(found, (first..20).collect::<Vec<_>>());
    let tail = Consume::new("age").argument("x-stream-offset", "first");
    let consumer = read(&world.channel, &tail);
    offsets(&consumer);
    world.publish("age", ["next"]);
    assert_eq!(offsets(&consumer), [20]);
}

#[test]
fn a_policy_limits_a_stream() {
    let world = World::new();
    declare(&world, &stream("s"));
    let host = world.broker.virtual_host("/").unwrap();
    let policy = leveret::Policy::new("^s$")
        .with("max-length-bytes", AMQPValue::LongInt(1000))
        .with("stream-max-segment-size-bytes", AMQPValue::LongInt(500));
    host.set_policy("p", policy).unwrap();
    let body = "x".repeat(200);
    (0..20).for_each(|_| world.publish("s", [body.as_str()]));
    assert!(world.ready("s") < 8, "{}", world.ready("s"));
    host.remove_policy("p");
    (0..20).for_each(|_| world.publish("s", [body.as_str()]));
    assert!(world.ready("s") > 20, "{}", world.ready("s"));
}

#[test]
fn what_is_in_memory_counts_as_memory() {
    let world = World::new();
    let before = world.broker.memory_used();
    declare(&world, &stream("s"));
    world.publish("s", ["x".repeat(100_000).as_str()]);
    assert!(world.broker.memory_used() >= before + 100_000);
    world.channel.queue_delete("s").unwrap();
    assert_eq!(world.broker.memory_used(), before);
}

#[test]
fn a_stream_can_be_held_and_looked_into() {
    let world = world(["a", "b", "c"]);
    let queue = world.broker.queue("/", "s").unwrap();
    queue.hold().unwrap();
    let consumer = read(&world.channel, &from("first"));
    assert!(consumer.try_recv().is_none());
    let peeked = queue.peek(2).unwrap();
    let bodies: Vec<_> = peeked.iter().map(|message| message.text()).collect();
    assert_eq!(bodies, ["a", "b"]);
    queue.release(2).unwrap();
    assert_eq!(waiting(&consumer), ["a", "b"]);
    let unacked = queue.unacked();
    let bodies: Vec<_> = unacked.iter().map(|unacked| unacked.message.text()).collect();
    assert_eq!(bodies, ["a", "b"]);
    queue.end_hold().unwrap();
    assert_eq!(waiting(&consumer), ["c"]);
}

#[test]
fn a_snapshot_brings_a_stream_back_with_its_offsets_and_names() {
    let world = world(["a", "b", "c"]);
    let channel = world.open_channel();
    channel.basic_qos(10).unwrap();
    let consumer = read(&channel, &named("n"));
    consumer.try_recv().unwrap().ack().unwrap();
    let snapshot = world.broker.snapshot().unwrap();
    world.publish("s", ["d", "e"]);
    channel.queue_delete("s").unwrap();
    channel.close();
    world.broker.restore(&snapshot).unwrap();
    assert_eq!(world.ready("s"), 3);
    let channel = world.open_channel();
    channel.basic_qos(10).unwrap();
    assert_eq!(offsets(&read(&channel, &named("n"))), [1, 2]);
    world.publish("s", ["f"]);
    let all = read(&channel, &from("first"));
    assert_eq!(waiting(&all), ["a", "b", "c", "f"]);
}

#[test]
fn the_journal_follows_a_message_into_a_stream() {
    let broker = Broker::builder().manual_clock(ManualClock::default()).journal(100).build();
    let connection = broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare_with(&stream("s")).unwrap();
    channel.basic_qos(1).unwrap();
    let consumer = channel.basic_consume_with(&from("first")).unwrap();
    confirm(&channel, Publish::to_queue("s").body("m"));
    assert_eq!(waiting(&consumer), ["m"]);
    let events = broker.journal().events();
    let words: Vec<String> = events.iter().map(|event| format!("{:?}", event.kind)).collect();
    let position = |word: &str| words.iter().position(|text| text.starts_with(word));
    assert!(position("Enqueued") < position("Delivered"), "{words:?}");
    assert!(position("Delivered").is_some(), "{words:?}");
}

#[test]
fn a_stream_counts_what_comes_and_what_is_read() {
    let world = world(["a", "bc", "d"]);
    let consumer = read(&world.channel, &from("first").consumer_tag("reader"));
    let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
    deliveries[0].ack().unwrap();
    let view = View::of(&world.broker);
    let status = view.queue("/", "s").unwrap();
    let expected =
        QueueTotals { messages_ready: 3, publish: 3, deliver: 3, ack: 1, ..QueueTotals::default() };
    assert_eq!(status.messages.totals, expected);
    assert_eq!((status.ready.messages, status.consumers), (3, 1));
    assert_eq!((status.unacknowledged.messages, status.unacknowledged.bytes), (2, 3));
    assert!(status.consumer_capacity > 0.0);
    let consumers = view.consumers("/", "s").unwrap();
    assert_eq!((consumers[0].tag.as_str(), consumers[0].unacknowledged), ("reader", 2));
    assert_eq!((consumers[0].prefetch_count, consumers[0].ack_required), (10, true));
    world.channel.queue_delete("s").unwrap();
    let host = view.virtual_host("/").unwrap().messages.totals;
    assert_eq!((host.messages_ready, host.deliver, host.ack), (0, 3, 1));
}

#[test]
fn a_consumer_that_keeps_a_delivery_for_too_long_loses_its_channel() {
    let world = World::new();
    declare(&world, &stream("s"));
    world.publish("s", ["a", "b"]);
    let (late, prompt) = (world.open_channel(), world.open_channel());
    for channel in [&late, &prompt] {
        channel.basic_qos(1).unwrap();
    }
    let timed = |ms: i64| from("first").argument("x-consumer-timeout", ms);
    let (slow, quick) = (read(&late, &timed(1000)), read(&prompt, &timed(1000)));
    slow.try_recv().unwrap();
    let first = quick.try_recv().unwrap();
    world.advance_ms(999);
    first.ack().unwrap();
    quick.try_recv().unwrap();
    assert!(late.queue_declare("a").is_ok());
    world.advance_ms(1);
    assert!(late.queue_declare("a").is_err());
    assert!(prompt.queue_declare("a").is_ok());
    world.advance_ms(999);
    assert!(prompt.queue_declare("a").is_err());
    assert_eq!(world.ready("s"), 2);
}
