//! Who gets what: turns, prefetch, priorities, exclusive and single active consumers.

use futures_util::StreamExt;
use leveret::{Channel, Consume, Consumer, Publish};

use crate::support::{World, int, refusal, string, table, text, waiting};

fn consume(queue: &str) -> Consume {
    Consume::new(queue)
}

fn without_ack(channel: &Channel, queue: &str) -> Consumer {
    channel.basic_consume_with(&consume(queue).no_ack()).unwrap()
}

fn with_priority(channel: &Channel, queue: &str, priority: i64) -> Consumer {
    let arguments = table([("x-priority", int(priority))]);
    channel.basic_consume_with(&consume(queue).arguments(arguments)).unwrap()
}

#[test]
fn consumers_take_turns() {
    let world = World::new();
    world.declare("q");
    let consumers: Vec<_> = (0..3).map(|_| without_ack(&world.channel, "q")).collect();
    world.publish("q", ["a", "b", "c", "d", "e", "f"]);
    let got: Vec<_> = consumers.iter().map(waiting).collect();
    assert_eq!(got, [["a", "d"], ["b", "e"], ["c", "f"]]);
}

#[test]
fn a_backlog_is_shared_by_prefetch() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b", "c", "d", "e"]);
    world.channel.basic_qos(2).unwrap();
    let one = world.channel.basic_consume("q").unwrap();
    let other = world.channel.basic_consume("q").unwrap();
    assert_eq!(waiting(&one), ["a", "b"]);
    let (c, d) = (other.try_recv().unwrap(), other.try_recv().unwrap());
    assert!(other.try_recv().is_none() && one.try_recv().is_none());
    assert_eq!(world.ready("q"), 1);
    c.ack().unwrap();
    assert_eq!(waiting(&other), ["e"]);
    d.ack().unwrap();
    assert_eq!(world.counts("q").unacked, 3);
}

#[test]
fn a_prefetch_is_used_up_by_what_waited_and_by_what_comes() {
    let world = World::new();
    world.declare("q");
    let texts: Vec<_> = (0..23).map(|number| number.to_string()).collect();
    world.publish("q", texts[..3].iter().map(String::as_str));
    world.channel.basic_qos(10).unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    let publishes = texts[3..].iter().map(|text| Publish::to_queue("q").body(text.clone()));
    world.channel.publish_all(publishes).unwrap();
    let mut got = 0;
    for taken in [10, 10, 3] {
        let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
        let expected = &texts[got..got + taken];
        assert_eq!(deliveries.iter().map(text).collect::<Vec<_>>(), expected);
        got += taken;
        deliveries.into_iter().for_each(|delivery| delivery.ack().unwrap());
    }
    assert_eq!((world.ready("q"), world.counts("q").unacked), (0, 0));
}

/// Large messages are passed on one by one.
#[test]
fn a_prefetch_counts_large_messages_that_waited_and_that_come() {
    let world = World::new();
    world.declare("q");
    let large = |number: u8| Publish::to_queue("q").body(vec![number; 20_000]);
    world.channel.publish_all((0..5).map(large)).unwrap();
    world.channel.basic_qos(10).unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    world.channel.publish_all((5..25).map(large)).unwrap();
    let mut next = 0..25;
    for taken in [10, 10, 5] {
        let deliveries: Vec<_> = std::iter::from_fn(|| consumer.try_recv()).collect();
        assert_eq!(deliveries.len(), taken);
        for delivery in deliveries {
            assert_eq!((delivery.body().len(), Some(delivery.body()[0])), (20_000, next.next()));
            delivery.ack().unwrap();
        }
    }
    assert_eq!((world.ready("q"), world.counts("q").unacked), (0, 0));
}

#[test]
fn prefetch_counts_for_consumers_that_start_later() {
    let world = World::new();
    world.declare("q");
    let unlimited = world.channel.basic_consume("q").unwrap();
    world.channel.basic_qos(1).unwrap();
    world.publish("q", ["a", "b", "c"]);
    assert_eq!(waiting(&unlimited).len(), 3);
}

#[test]
fn a_global_prefetch_is_shared_by_the_channel() {
    let world = World::new();
    world.declare("q");
    world.channel.basic_qos_global(3).unwrap();
    let one = world.channel.basic_consume("q").unwrap();
    let other = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b", "c", "d", "e"]);
    let first = one.try_recv().unwrap();
    assert_eq!(waiting(&one).len() + waiting(&other).len(), 2);
    assert_eq!(world.ready("q"), 2);
    first.ack().unwrap();
    assert_eq!(waiting(&one).len() + waiting(&other).len(), 1);
    world.channel.basic_qos_global(0).unwrap();
    assert_eq!(waiting(&one).len() + waiting(&other).len(), 1);
}

#[test]
fn a_global_prefetch_spans_queues_and_survives_the_deletion_of_one() {
    let world = World::new();
    world.declare("p");
    world.declare("q");
    world.channel.basic_qos_global(1).unwrap();
    let first = world.channel.basic_consume("p").unwrap();
    let second = world.channel.basic_consume("q").unwrap();
    world.publish("p", ["a"]);
    world.publish("q", ["b"]);
    let unacked = first.try_recv().unwrap();
    assert!(second.try_recv().is_none());
    world.channel.queue_delete("p").unwrap();
    unacked.ack().unwrap();
    assert_eq!(waiting(&second), ["b"]);
}

#[test]
fn prefetch_does_not_hold_back_consumers_without_acknowledgement() {
    let world = World::new();
    world.declare("q");
    world.channel.basic_qos(1).unwrap();
    let consumer = without_ack(&world.channel, "q");
    world.publish("q", ["a", "b", "c"]);
    assert_eq!(waiting(&consumer), ["a", "b", "c"]);
    assert_eq!(world.counts("q").unacked, 0);
}

#[test]
fn a_global_prefetch_that_is_used_up_holds_back_consumers_without_acknowledgement() {
    let world = World::new();
    world.declare("p");
    world.declare("q");
    world.channel.basic_qos_global(2).unwrap();
    let counted = world.channel.basic_consume("p").unwrap();
    let free = without_ack(&world.channel, "q");
    world.publish("q", ["a", "b", "c"]);
    assert_eq!(waiting(&free), ["a", "b", "c"], "they do not use it up");
    world.publish("p", ["1", "2", "3"]);
    world.publish("q", ["d", "e"]);
    assert!(waiting(&free).is_empty());
    world.channel.basic_ack_multiple(0).unwrap();
    assert_eq!(waiting(&counted), ["1", "2", "3"]);
    assert_eq!(waiting(&free), ["d", "e"]);
    world.publish("p", ["4"]);
    world.publish("q", ["f"]);
    world.channel.basic_qos_global(0).unwrap();
    assert_eq!(waiting(&free), ["f"], "there is no limit any more");
}

#[test]
fn higher_priorities_are_served_while_they_have_credit() {
    let world = World::new();
    world.declare("q");
    let low = with_priority(&world.channel, "q", -1);
    let normal = world.channel.basic_consume("q").unwrap();
    world.channel.basic_qos(1).unwrap();
    let high = with_priority(&world.channel, "q", 10);
    world.publish("q", ["a", "b", "c"]);
    let first = high.try_recv().unwrap();
    assert_eq!(waiting(&normal), ["b", "c"]);
    assert!(low.try_recv().is_none());
    first.ack().unwrap();
    world.publish("q", ["d"]);
    assert_eq!(waiting(&high), ["d"]);
}

#[test]
fn a_priority_has_to_be_a_number() {
    let world = World::new();
    world.declare("q");
    let arguments = table([("x-priority", string("high"))]);
    let refused = world.channel.basic_consume_with(&consume("q").arguments(arguments));
    assert_eq!(refusal(refused).0, 406);
    assert_eq!(world.counts("q").consumers, 0);
}

#[test]
fn an_exclusive_consumer_tolerates_no_other() {
    let world = World::new();
    world.declare("q");
    let in_use = (403, "queue 'q' in vhost '/' in exclusive use".to_owned());
    let exclusive = consume("q").exclusive();
    let alone = world.channel.basic_consume_with(&exclusive).unwrap();
    assert_eq!(refusal(world.channel.basic_consume("q")), in_use);
    drop(alone);
    let plain = world.channel.basic_consume("q").unwrap();
    assert_eq!(refusal(world.channel.basic_consume_with(&exclusive)), in_use);
    drop(plain);
    assert!(world.channel.basic_consume_with(&exclusive).is_ok());
}

#[test]
fn a_consumer_tag_is_taken_once_per_channel() {
    let world = World::new();
    world.declare("q");
    let named = consume("q").consumer_tag("mine");
    let first = world.channel.basic_consume_with(&named).unwrap();
    assert_eq!(first.tag(), "mine");
    let (code, text) = refusal(world.channel.basic_consume_with(&named));
    assert_eq!((code, text.as_str()), (530, "attempt to reuse consumer tag 'mine'"));
    assert!(world.open_channel().basic_consume_with(&named).is_ok());
    drop(first);
    assert!(world.channel.basic_consume_with(&named).is_ok());
    let unnamed = world.channel.basic_consume("q").unwrap();
    assert!(unnamed.tag().starts_with("amq.ctag-"), "{}", unnamed.tag());
}

#[test]
fn cancelling_gives_back_what_nobody_took_and_leaves_the_rest() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b", "c"]);
    let consumer = world.channel.basic_consume("q").unwrap();
    let taken = consumer.recv().unwrap();
    consumer.cancel();
    assert_eq!((world.ready("q"), world.counts("q").unacked), (2, 1));
    taken.ack().unwrap();
    let next = world.get("q");
    assert_eq!((text(&next).as_str(), next.redelivered()), ("b", true));
    assert_eq!(world.drain("q"), ["c"]);
}

#[test]
fn a_consumer_ends_when_its_queue_is_deleted() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a"]);
    let consumer = world.channel.basic_consume("q").unwrap();
    world.open_channel().queue_delete("q").unwrap();
    assert_eq!(text(&consumer.recv().unwrap()), "a");
    assert!(consumer.recv().is_none());
}

#[test]
fn a_consumer_of_a_deleted_queue_does_not_end_its_successor() {
    let world = World::new();
    let named = consume("q").consumer_tag("mine");
    world.declare("q");
    let first = world.channel.basic_consume_with(&named).unwrap();
    world.channel.queue_delete("q").unwrap();
    world.declare("q");
    let second = world.channel.basic_consume_with(&named).unwrap();
    drop(first);
    world.publish("q", ["a"]);
    assert_eq!(waiting(&second), ["a"]);
}

#[test]
fn a_single_active_consumer_gets_all_until_it_goes() {
    let world = World::new();
    world.declare_with("q", [("x-single-active-consumer", leveret::AMQPValue::Boolean(true))]);
    let first = world.channel.basic_consume("q").unwrap();
    let second = world.channel.basic_consume("q").unwrap();
    let third = with_priority(&world.channel, "q", 5);
    world.publish("q", ["a", "b"]);
    let a = first.recv().unwrap();
    assert!(second.try_recv().is_none() && third.try_recv().is_none());
    drop(first);
    assert_eq!(waiting(&third), ["b"]);
    a.requeue().unwrap();
    assert_eq!(waiting(&third), ["a"]);
    drop(third);
    world.publish("q", ["c"]);
    assert_eq!(waiting(&second), ["c"]);
    let exclusive = consume("q").exclusive();
    assert_eq!(refusal(world.channel.basic_consume_with(&exclusive)).0, 403);
}

#[test]
fn a_single_active_consumer_without_credit_is_not_passed_over() {
    let world = World::new();
    world.declare_with("q", [("x-single-active-consumer", leveret::AMQPValue::Boolean(true))]);
    world.channel.basic_qos(1).unwrap();
    let first = world.channel.basic_consume("q").unwrap();
    let second = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b"]);
    let a = first.recv().unwrap();
    assert!(second.try_recv().is_none());
    a.ack().unwrap();
    assert_eq!(waiting(&first), ["b"]);
}

#[test]
fn a_consumer_is_iterated_over_by_itself_or_by_reference() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b", "c", "d"]);
    let consumer = without_ack(&world.channel, "q");
    let first: Vec<_> = consumer.iter().take(2).map(|delivery| text(&delivery)).collect();
    assert_eq!(first, ["a", "b"]);
    world.channel.queue_delete("q").unwrap();
    let mut rest = Vec::new();
    for delivery in &consumer {
        rest.push(text(&delivery));
    }
    assert_eq!(rest, ["c", "d"]);
    assert_eq!(consumer.into_iter().count(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_consumer_is_a_stream_that_ends_with_its_queue() {
    let world = World::new();
    world.declare("q");
    let mut consumer = world.channel.basic_consume("q").unwrap();
    let publisher = world.open_channel();
    let publishing = tokio::spawn(async move {
        publisher.basic_publish(leveret::Publish::to_queue("q").body("a")).unwrap();
    });
    let delivery = consumer.next().await.unwrap();
    assert_eq!((text(&delivery).as_str(), world.counts("q").unacked), ("a", 1));
    delivery.ack().unwrap();
    publishing.await.unwrap();
    world.publish("q", ["b", "c"]);
    world.channel.queue_delete("q").unwrap();
    let rest: Vec<_> = consumer.map(|delivery| text(&delivery)).collect().await;
    assert_eq!(rest, ["b", "c"]);
}
