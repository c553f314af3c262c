//! Declaring, binding and deleting: names, arguments, texts.

use amq_protocol::types::DecimalValue;
use leveret::{AMQPValue, FieldTable, Publish, QueueDeclare};

use crate::support::{World, declare_with, int, quorum_queue, refusal, string, table, waiting};

#[test]
fn names_lose_their_line_ends_where_they_are_declared_bound_and_deleted() {
    let world = World::new();
    let channel = &world.channel;
    assert_eq!(channel.queue_declare("a\r\nb").unwrap().queue.as_str(), "ab");
    channel.exchange_declare("x\ny", "fanout").unwrap();
    channel.queue_bind("a\nb", "x\ry", "").unwrap();
    channel.basic_publish(Publish::to_exchange("xy", "").body("m")).unwrap();
    assert_eq!(world.drain("ab"), ["m"]);
    channel.queue_unbind("\nab", "xy\n", "").unwrap();
    channel.basic_publish(Publish::to_exchange("xy", "").body("m")).unwrap();
    assert_eq!(world.ready("ab"), 0);
    let passive = QueueDeclare::new("ab\n").passive();
    assert_eq!(channel.queue_declare_with(&passive).unwrap().queue.as_str(), "ab");
    channel.exchange_delete("x\ny").unwrap();
    channel.queue_delete("a\nb").unwrap();
    assert!(world.queue("ab").is_none());
}

#[test]
fn names_keep_their_line_ends_everywhere_else() {
    let world = World::new();
    world.declare("ab");
    world.channel.exchange_declare("xy", "fanout").unwrap();
    let missing = (404, "no queue 'a\nb' in vhost '/'".to_owned());
    assert_eq!(refusal(world.channel.queue_purge("a\nb")), missing);
    assert_eq!(refusal(world.channel.basic_get("a\nb")), missing);
    assert_eq!(refusal(world.channel.basic_consume("a\nb")), missing);
    let publish = Publish::to_exchange("x\ny", "");
    let missing = (404, "no exchange 'x\ny' in vhost '/'".to_owned());
    assert_eq!(refusal(world.channel.basic_publish(publish)), missing);
}

#[test]
fn types_of_exchanges_that_are_no_plain_words_are_quoted_twice() {
    let world = World::new();
    let text = |received: &str, current: &str| {
        let text = format!(
            "inequivalent arg 'type' for exchange 'x' in vhost '/': received {received} but \
             current is {current}"
        );
        (406, text)
    };
    world.channel.exchange_declare("x", "x-recent-history").unwrap();
    let declared = world.channel.exchange_declare("x", "direct");
    assert_eq!(refusal(declared), text("'direct'", "''x-recent-history''"));
    let declared = world.channel.exchange_declare("x", "x-random");
    assert_eq!(refusal(declared), text("''x-random''", "''x-recent-history''"));
    let other = World::new();
    other.channel.exchange_declare("x", "topic").unwrap();
    let declared = other.channel.exchange_declare("x", "headers");
    assert_eq!(refusal(declared), text("'headers'", "'topic'"));
}

#[test]
fn a_consumer_timeout_is_neither_checked_nor_compared() {
    let world = World::new();
    let timeout = |value| table([("x-consumer-timeout", value)]);
    let values = [int(-1), int(60_000), int(i64::MAX), string("soon"), AMQPValue::Void];
    for value in values.into_iter().chain([AMQPValue::Boolean(true), AMQPValue::Double(0.5)]) {
        let classic = QueueDeclare::new("q").arguments(timeout(value.clone()));
        world.channel.queue_declare_with(&classic).unwrap();
        let quorum = quorum_queue("r", [("x-consumer-timeout", value)]);
        world.channel.queue_declare_with(&quorum).unwrap();
    }
    world.declare("q");
    world.channel.queue_declare_with(&quorum_queue("r", [])).unwrap();
}

#[test]
fn a_consumer_timeout_that_is_no_time_never_passes() {
    let world = World::new();
    world.declare_with("q", [("x-consumer-timeout", string("soon"))]);
    let consumer = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a"]);
    assert_eq!(waiting(&consumer), ["a"]);
    world.advance_ms(100 * 24 * 60 * 60 * 1000);
    assert!(world.channel.queue_declare("open").is_ok());
}

#[test]
fn the_place_of_a_queue_is_compared_unchecked() {
    let world = World::new();
    const PLACE: &str = "x-queue-master-locator";
    world.declare_with("q", [(PLACE, string("anywhere"))]);
    world.declare_with("q", [(PLACE, string("anywhere"))]);
    let text = "inequivalent arg 'x-queue-master-locator' for queue 'q' in vhost '/': received \
                none but current is the value 'anywhere' of type 'longstr'";
    assert_eq!(refusal(world.channel.queue_declare("q")), (406, text.to_owned()));
    let quorum = quorum_queue("r", [(PLACE, string("anywhere"))]);
    let text = "invalid arg 'x-queue-master-locator' for queue 'r' in vhost '/' of queue type \
                rabbit_quorum_queue";
    assert_eq!(refusal(world.channel.queue_declare_with(&quorum)), (406, text.to_owned()));
}

#[test]
fn a_queue_type_has_to_be_a_name_and_a_version_must_not_be_negative() {
    let world = World::new();
    for (argument, value, reason) in [
        ("x-queue-type", AMQPValue::Void, "{unacceptable_type,void}"),
        ("x-queue-type", string(""), "\"unsupported queue type ''\""),
        ("x-queue-version", int(-1), "{value_negative,-1}"),
        ("x-queue-version", int(3), "\"unsupported queue version '3'\""),
    ] {
        let declared = declare_with(&world.channel, "q", [(argument, value)]);
        let text = format!("invalid arg '{argument}' for queue 'q' in vhost '/': {reason}");
        assert_eq!(refusal(declared), (406, text));
    }
}

#[test]
fn weights_of_a_consistent_hash_have_no_upper_limit() {
    let world = World::new();
    world.channel.exchange_declare("x", "x-consistent-hash").unwrap();
    for (queue, weight) in [("light", "1"), ("heavy", "1000000000000"), ("huge", "9999999999999")] {
        world.declare(queue);
        world.channel.queue_bind(queue, "x", weight).unwrap();
    }
    for key in 0..200 {
        let publish = Publish::to_exchange("x", format!("key {key}"));
        world.channel.basic_publish(publish).unwrap();
    }
    assert_eq!((world.ready("light"), world.ready("heavy") + world.ready("huge")), (0, 200));
    assert!(world.ready("heavy") < world.ready("huge"));
}

#[test]
fn a_binding_that_is_not_there_can_be_removed_from_anybodys_queue() {
    let world = World::new();
    world.channel.queue_declare_with(&QueueDeclare::new("q").exclusive()).unwrap();
    world.channel.queue_bind("q", "amq.direct", "k").unwrap();
    let other = world.broker.connect().unwrap().open_channel().unwrap();
    other.queue_unbind("q", "amq.direct", "other").unwrap();
    other.queue_unbind("q", "missing", "k").unwrap();
    assert_eq!(refusal(other.queue_unbind("q", "amq.direct", "k")).0, 405);
    world.channel.basic_publish(Publish::to_exchange("amq.direct", "k")).unwrap();
    assert_eq!(world.ready("q"), 1);
}

#[test]
fn classic_queues_with_a_single_active_consumer_can_be_asked_for_messages() {
    let world = World::new();
    const SINGLE: (&str, AMQPValue) = ("x-single-active-consumer", AMQPValue::Boolean(true));
    world.declare_with("q", [SINGLE]);
    world.publish("q", ["a"]);
    assert_eq!(world.drain("q"), ["a"]);
    world.channel.queue_declare_with(&quorum_queue("r", [SINGLE])).unwrap();
    let text = "cannot obtain access to locked queue 'r' in vhost '/'. basic.get operations are \
                not supported by quorum queues with single active consumer";
    assert_eq!(refusal(world.channel.basic_get("r")), (405, text.to_owned()));
}

#[test]
fn of_several_arguments_of_other_queue_types_the_first_by_name_is_refused() {
    let world = World::new();
    world.declare("q");
    let foreign = [
        ("x-max-in-memory-length", int(1)),
        ("x-delivery-limit", int(1)),
        ("x-max-in-memory-bytes", int(1)),
        ("x-max-age", string("1h")),
    ];
    let declare = QueueDeclare::new("new").arguments(table(foreign));
    let text = "invalid arg 'x-delivery-limit' for queue 'new' in vhost '/' of queue type \
                rabbit_classic_queue";
    assert_eq!(refusal(world.channel.queue_declare_with(&declare)), (406, text.to_owned()));
}

#[test]
fn values_that_are_no_numbers_are_told_as_erlang_prints_them() {
    let world = World::new();
    world.declare("q");
    let decimal = AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 314 });
    let array = AMQPValue::FieldArray(vec![AMQPValue::LongInt(1), string("a")].into());
    for (value, printed) in [
        (AMQPValue::Void, "'undefined' of type 'void'"),
        (AMQPValue::Double(-2.0), "'-2.0' of type 'double'"),
        (AMQPValue::Double(1e300), "'1.0e300' of type 'double'"),
        (AMQPValue::ByteArray(b"ab".to_vec().into()), "'ab' of type 'binary'"),
        (decimal, "'{2,314}' of type 'decimal'"),
        (array, "'[{signedint,1},{longstr,<<\"a\">>}]' of type 'array'"),
        (AMQPValue::FieldTable(FieldTable::default()), "'[]' of type 'table'"),
    ] {
        let declare = QueueDeclare::new("q").arguments(table([("x-max-length", value)]));
        let text = format!(
            "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value \
             {printed} but current is none"
        );
        assert_eq!(refusal(world.channel.queue_declare_with(&declare)), (406, text));
    }
}
