//! What quorum queues do otherwise than classic ones.

use leveret::{AMQPValue, Channel, Consume, Consumer, Delivery, Publish, QueueDelete};

use crate::support::{World, int, quorum_queue, refusal, string, text, waiting};

fn world_with<const N: usize>(arguments: [(&str, AMQPValue); N]) -> World {
    let world = World::new();
    world.channel.queue_declare_with(&quorum_queue("q", arguments)).unwrap();
    world
}

fn single_active() -> (&'static str, AMQPValue) {
    ("x-single-active-consumer", AMQPValue::Boolean(true))
}

/// A consumer of `q` with a prefetch and a priority.
fn consume(channel: &Channel, prefetch: u16, priority: i64) -> Consumer {
    channel.basic_qos(prefetch).unwrap();
    channel.basic_consume_with(&Consume::new("q").argument("x-priority", priority)).unwrap()
}

/// What publishes of one octet become: `+` taken, `-` refused.
fn publishes(channel: &Channel, queue: &str, count: usize) -> String {
    let publish = || Publish::to_queue(queue).body("x");
    (0..count)
        .map(|_| if channel.publish(publish()).wait().unwrap().is_ack() { '+' } else { '-' })
        .collect()
}

fn counted(delivery: &Delivery) -> (String, bool, Option<u32>) {
    (text(delivery), delivery.redelivered(), delivery.delivery_count())
}

/// Consumers as a declaration counts them.
fn consumers(world: &World, queue: &str) -> usize {
    let passive = quorum_queue(queue, []).passive();
    world.channel.queue_declare_with(&passive).unwrap().consumer_count
}

#[test]
fn what_comes_back_is_served_first_in_the_order_of_its_return() {
    let world = world_with([]);
    world.publish("q", ["0", "1", "2", "3", "4"]);
    let taken: Vec<_> = (0..4).map(|_| world.get("q")).collect();
    for delivery in taken.iter().rev() {
        delivery.requeue().unwrap();
    }
    let round: Vec<_> = (0..8)
        .map(|_| {
            let delivery = world.get("q");
            delivery.requeue().unwrap();
            text(&delivery)
        })
        .collect();
    assert_eq!(round, ["3", "2", "1", "0", "3", "2", "1", "0"]);
    assert_eq!(world.drain("q"), ["3", "2", "1", "0", "4"]);
}

#[test]
fn without_a_delivery_limit_what_is_given_back_goes_to_the_end() {
    let world = world_with([("x-delivery-limit", int(-1))]);
    world.publish("q", ["0", "1", "2"]);
    let connection = world.broker.connect().unwrap();
    let channel = connection.open_channel().unwrap();
    channel.basic_get("q").unwrap().unwrap().requeue().unwrap();
    world.publish("q", ["3"]);
    let lost = channel.basic_get("q").unwrap().unwrap();
    assert_eq!(text(&lost), "1");
    connection.close();
    let seen: Vec<_> = (0..4).map(|_| counted(&world.get("q"))).collect();
    let expected = [("1", Some(1)), ("2", None), ("0", Some(1)), ("3", None)];
    assert_eq!(seen, expected.map(|(body, count)| (body.to_owned(), count.is_some(), count)));
}

#[test]
fn conditions_of_a_deletion_are_not_implemented() {
    let world = world_with([]);
    for (if_unused, if_empty, flag) in
        [(true, false, "if-unused"), (false, true, "if-empty"), (true, true, "if-unused")]
    {
        let text = format!(
            "cannot delete queue 'q' in vhost '/'. queue.delete operations with {flag} flag set \
             are not supported by quorum queues"
        );
        let mut delete = QueueDelete::new("q");
        (delete.if_unused, delete.if_empty) = (if_unused, if_empty);
        let refused = world.channel.queue_delete_with(&delete);
        assert_eq!(refusal(refused), (540, text));
    }
    let missing = QueueDelete::new("missing").if_unused().if_empty();
    assert_eq!(world.channel.queue_delete_with(&missing).unwrap(), 0);
    assert_eq!(world.channel.queue_delete("q").unwrap(), 0);
}

#[test]
fn an_exclusive_consumer_excludes_nobody() {
    for arguments in [vec![], vec![single_active()]] {
        let world = World::new();
        let mut declare = quorum_queue("q", []);
        arguments.into_iter().for_each(|(name, value)| {
            declare.arguments.insert(name.into(), value);
        });
        world.channel.queue_declare_with(&declare).unwrap();
        let exclusive = || Consume::new("q").exclusive();
        let _one = world.channel.basic_consume("q").unwrap();
        let _two = world.channel.basic_consume_with(&exclusive()).unwrap();
        let _three = world.channel.basic_consume_with(&exclusive()).unwrap();
        let _four = world.channel.basic_consume("q").unwrap();
        assert_eq!(world.counts("q").consumers, 4);
    }
}

#[test]
fn a_higher_priority_takes_over_when_the_single_active_consumer_has_settled() {
    let world = world_with([single_active()]);
    let first = consume(&world.channel, 3, 0);
    world.publish("q", ["0", "1", "2", "3", "4", "5"]);
    let held: Vec<_> = (0..3).map(|_| first.try_recv().unwrap()).collect();
    let higher = consume(&world.channel, 1, 5);
    held[0].ack().unwrap();
    held[2].requeue().unwrap();
    assert!(waiting(&first).is_empty(), "it gets nothing more");
    assert!(waiting(&higher).is_empty(), "it waits until all is settled");
    held[1].reject().unwrap();
    let taken = higher.try_recv().unwrap();
    assert_eq!(counted(&taken), ("2".into(), true, Some(1)));
    assert!(waiting(&first).is_empty());
    drop(higher);
    assert_eq!(waiting(&first), ["3", "4", "5"], "it is next again");
    taken.ack().unwrap();
}

#[test]
fn a_higher_priority_takes_over_at_once_from_one_that_has_nothing() {
    let world = world_with([single_active()]);
    let first = consume(&world.channel, 10, 1);
    let equal = consume(&world.channel, 10, 1);
    let higher = consume(&world.channel, 10, 2);
    world.publish("q", ["a"]);
    assert!(waiting(&first).is_empty() && waiting(&equal).is_empty());
    assert_eq!(waiting(&higher), ["a"]);
    let highest = consume(&world.channel, 10, 3);
    world.publish("q", ["b"]);
    assert_eq!(world.ready("q"), 1);
    drop(highest);
    assert_eq!(waiting(&higher), ["b"], "there is none any more to make way for");
    world.channel.basic_ack_multiple(0).unwrap();
    drop(higher);
    world.publish("q", ["c"]);
    assert_eq!((waiting(&first), waiting(&equal)), (vec!["c".to_owned()], vec![]));
}

#[test]
fn of_equal_priorities_the_larger_prefetch_is_next() {
    let world = world_with([single_active()]);
    let first = consume(&world.channel, 1, 0);
    let small = consume(&world.channel, 1, 0);
    let large = consume(&world.channel, 5, 0);
    let other = consume(&world.channel, 5, 0);
    drop(first);
    world.publish("q", ["a"]);
    assert_eq!((waiting(&large), waiting(&other).len()), (vec!["a".to_owned()], 0));
    drop(small);
}

#[test]
fn one_that_is_cancelled_before_it_settles_is_followed_at_once() {
    let world = world_with([single_active()]);
    let first = consume(&world.channel, 1, 0);
    world.publish("q", ["a", "b"]);
    let held = first.try_recv().unwrap();
    let second = consume(&world.channel, 1, -1);
    first.cancel();
    assert_eq!(waiting(&second), ["b"]);
    held.ack().unwrap();
}

#[test]
fn reject_publish_dlx_is_no_overflow_that_quorum_queues_know() {
    let world = World::new();
    world.declare("dead");
    let arguments = || {
        [
            ("x-max-length", int(2)),
            ("x-overflow", string("reject-publish-dlx")),
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string("dead")),
        ]
    };
    world.channel.queue_declare_with(&quorum_queue("q", arguments())).unwrap();
    world.publish("q", ["0", "1", "2"]);
    assert_eq!(publishes(&world.channel, "q", 1), "+");
    assert_eq!(world.drain("dead"), ["0", "1"]);
    assert_eq!(world.drain("q"), ["2", "x"]);
}

#[test]
fn a_limit_is_noticed_by_the_publish_that_exceeds_it_and_forgotten_well_below() {
    let reject = || ("x-overflow", string("reject-publish"));
    for (limit, max, taken) in
        [("x-max-length", 10, 11), ("x-max-length-bytes", 10, 11), ("x-max-length", 0, 1)]
    {
        let world = world_with([(limit, int(max)), reject()]);
        let expected = "+".repeat(taken) + &"-".repeat(14 - taken);
        assert_eq!(publishes(&world.channel, "q", 14), expected);
        // 80 % and below.
        let room_at = usize::try_from(max * 8 / 10).unwrap();
        while world.ready("q") > room_at {
            assert_eq!(publishes(&world.channel, "q", 1), "-", "{} are left", world.ready("q"));
            world.take("q").unwrap();
        }
        let free = taken - room_at;
        assert_eq!(publishes(&world.channel, "q", free + 1), "+".repeat(free) + "-");
    }
}

#[test]
fn what_comes_back_fills_a_queue_and_a_purge_or_a_policy_empties_it() {
    let world = world_with([("x-max-length", int(2)), ("x-overflow", string("reject-publish"))]);
    assert_eq!(publishes(&world.channel, "q", 1), "+");
    let held = world.get("q");
    assert_eq!(publishes(&world.channel, "q", 2), "++");
    held.requeue().unwrap();
    assert_eq!(publishes(&world.channel, "q", 1), "-");
    assert_eq!(world.channel.queue_purge("q").unwrap(), 3);
    assert_eq!(publishes(&world.channel, "q", 4), "+++-");
    let consumer = world.channel.basic_consume("q").unwrap();
    assert_eq!(waiting(&consumer).len(), 3);
    assert_eq!(publishes(&world.channel, "q", 5), "+++++", "what is unacknowledged does not count");
}

#[test]
fn consumers_are_served_before_a_queue_is_too_long() {
    let world = world_with([("x-max-length", int(1))]);
    let consumer = consume(&world.channel, 1, 0);
    world.publish("q", ["0", "1"]);
    consumer.try_recv().unwrap().requeue().unwrap();
    assert_eq!(counted(&consumer.try_recv().unwrap()), ("0".into(), true, Some(1)));
    assert_eq!(world.ready("q"), 1);
}

#[test]
fn a_full_queue_takes_what_the_broker_sends_by_itself() {
    let world = World::new();
    let full = || [("x-max-length", int(1)), ("x-overflow", string("reject-publish"))];
    world.channel.queue_declare_with(&quorum_queue("dead", full())).unwrap();
    let dead_letters =
        || [("x-dead-letter-exchange", string("")), ("x-dead-letter-routing-key", string("dead"))];
    world.channel.queue_declare_with(&quorum_queue("q", dead_letters())).unwrap();
    world.declare_with("classic", dead_letters());
    let recent = leveret::ExchangeDeclare::new("recent", "x-recent-history");
    world.channel.exchange_declare_with(&recent).unwrap();
    world.channel.basic_publish(Publish::to_exchange("recent", "k").body("recent")).unwrap();
    world.publish("dead", ["0", "1", "refused"]);
    for queue in ["q", "classic"] {
        world.publish(queue, [queue]);
        world.get(queue).reject().unwrap();
    }
    world.channel.queue_bind("dead", "recent", "k").unwrap();
    assert_eq!(publishes(&world.channel, "dead", 1), "-");
    assert_eq!(world.drain("dead"), ["0", "1", "q", "classic", "recent"]);
}

#[test]
fn a_consumer_without_prefetch_has_two_thousand_at_most() {
    let world = world_with([]);
    (0..2010).for_each(|_| world.publish("q", ["x"]));
    let consumer = world.channel.basic_consume("q").unwrap();
    assert_eq!((waiting(&consumer).len(), world.ready("q")), (2000, 10));
    world.channel.basic_ack_multiple(5).unwrap();
    assert_eq!(waiting(&consumer).len(), 5);
    let free = world.channel.basic_consume_with(&Consume::new("q").no_ack()).unwrap();
    assert_eq!(waiting(&free).len(), 5);
    (0..2010).for_each(|_| world.publish("q", ["x"]));
    assert_eq!(waiting(&free).len(), 2010);
}

#[test]
fn a_delivery_limit_that_is_no_number_is_never_exceeded() {
    let cases = [
        (string("many"), "00000000"),
        (AMQPValue::Boolean(true), "00000000"),
        (AMQPValue::Double(2.5), "00011111"),
        (int(1), "00111111"),
        (int(-1), "01010101"),
        (AMQPValue::Double(-0.5), "01010101"),
    ];
    for (limit, expected) in cases {
        let world = world_with([("x-delivery-limit", limit.clone())]);
        world.publish("q", ["0", "1"]);
        let mut seen = String::new();
        for _ in 0..8 {
            let Some(delivery) = world.channel.basic_get("q").unwrap() else { break };
            seen += &text(&delivery);
            delivery.requeue().unwrap();
        }
        assert_eq!(seen, &expected[..seen.len()], "{limit:?}");
        let again = quorum_queue("q", [("x-delivery-limit", limit)]);
        world.channel.queue_declare_with(&again).unwrap();
    }
}

#[test]
fn a_declaration_counts_everybody_who_has_something() {
    let world = world_with([]);
    world.publish("q", ["a", "b", "c"]);
    let (a, b) = (world.get("q"), world.get("q"));
    assert_eq!(consumers(&world, "q"), 2);
    a.ack().unwrap();
    b.requeue().unwrap();
    assert_eq!(consumers(&world, "q"), 0);
    let consumer = consume(&world.channel, 1, 0);
    let held = consumer.try_recv().unwrap();
    consumer.cancel();
    assert_eq!((consumers(&world, "q"), world.counts("q").consumers), (1, 0));
    held.ack().unwrap();
    assert_eq!(consumers(&world, "q"), 0);
    world.channel.queue_declare_with(&quorum_queue("one", [single_active()])).unwrap();
    let three: Vec<_> = (0..3).map(|_| world.channel.basic_consume("one").unwrap()).collect();
    assert_eq!(consumers(&world, "one"), 1, "those that wait are none");
    drop(three);
    assert_eq!(consumers(&world, "one"), 0);
}

#[test]
fn a_consumer_that_comes_back_still_has_what_it_had() {
    let world = world_with([]);
    let channel = world.open_channel();
    channel.basic_qos(2).unwrap();
    let named = || Consume::new("q").consumer_tag("c");
    let consumer = channel.basic_consume_with(&named()).unwrap();
    world.publish("q", ["0", "1", "2", "3"]);
    let held: Vec<_> = (0..2).map(|_| consumer.try_recv().unwrap()).collect();
    consumer.cancel();
    let consumer = channel.basic_consume_with(&named()).unwrap();
    assert!(waiting(&consumer).is_empty());
    held[0].ack().unwrap();
    assert_eq!(waiting(&consumer), ["2"]);
    let other = world.open_channel().basic_consume_with(&named()).unwrap();
    assert_eq!(waiting(&other), ["3"], "of another channel it is another");
}

#[test]
fn an_unused_queue_expires_though_it_is_declared_and_not_while_somebody_has_something() {
    let world = world_with([("x-expires", int(1000))]);
    world.publish("q", ["a"]);
    let held = world.get("q");
    world.advance_ms(5000);
    assert!(world.queue("q").is_some());
    held.requeue().unwrap();
    world.advance_ms(900);
    world.channel.queue_declare_with(&quorum_queue("q", [("x-expires", int(1000))])).unwrap();
    world.advance_ms(99);
    assert!(world.queue("q").is_some());
    world.advance_ms(1);
    assert!(world.queue("q").is_none());
}

#[test]
fn a_message_brings_along_how_often_its_delivery_failed_before_it_died() {
    let world = World::new();
    let to = |key: &str| {
        [
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string(key)),
            ("x-delivery-limit", int(1)),
        ]
    };
    world.channel.queue_declare_with(&quorum_queue("q", to("next"))).unwrap();
    world.channel.queue_declare_with(&quorum_queue("next", to("last"))).unwrap();
    world.channel.queue_declare_with(&quorum_queue("last", [])).unwrap();
    world.publish("q", ["a"]);
    world.get("q").requeue().unwrap();
    world.get("q").reject().unwrap();
    let came = world.get("next");
    assert_eq!(counted(&came), ("a".into(), true, Some(1)), "the return does not count");
    came.requeue().unwrap();
    let came = world.get("next");
    assert_eq!(came.delivery_count(), Some(1), "what it brought along does not use up the limit");
    came.requeue().unwrap();
    assert_eq!(counted(&world.get("last")), ("a".into(), true, Some(1)));
}

#[test]
fn lost_deliveries_count_and_go_along_through_a_classic_queue() {
    let world = World::new();
    let to = |key: &str| {
        [("x-dead-letter-exchange", string("")), ("x-dead-letter-routing-key", string(key))]
    };
    world.channel.queue_declare_with(&quorum_queue("q", to("classic"))).unwrap();
    world.declare_with("classic", to("last"));
    world.channel.queue_declare_with(&quorum_queue("last", [])).unwrap();
    world.publish("q", ["a"]);
    let channel = world.open_channel();
    let held = channel.basic_get("q").unwrap().unwrap();
    channel.close();
    world.get("q").reject().unwrap();
    let came = world.get("classic");
    assert_eq!(counted(&came), ("a".into(), false, None));
    came.reject().unwrap();
    assert_eq!(counted(&world.get("last")), ("a".into(), true, Some(2)));
    drop(held);
}
