//! Acknowledgements, returns and recovery.

use leveret::Delivery;

use crate::support::{World, refusal, text};

fn backlog() -> (World, Vec<Delivery>) {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b", "c", "d"]);
    let taken = (0..3).map(|_| world.get("q")).collect();
    (world, taken)
}

fn unknown(tag: u64) -> (u16, String) {
    (406, format!("unknown delivery tag {tag}"))
}

#[test]
fn an_acknowledgement_settles_one_delivery_once() {
    let (world, taken) = backlog();
    taken[1].ack().unwrap();
    assert_eq!(world.counts("q").unacked, 2);
    assert_eq!(refusal(taken[1].ack()), unknown(2));
    assert_eq!(refusal(world.channel.basic_ack(0, false)), unknown(0));
    assert_eq!(refusal(world.channel.basic_ack(9, true)), unknown(9));
}

#[test]
fn an_acknowledgement_of_several_settles_all_before_it() {
    let (world, taken) = backlog();
    world.channel.basic_ack(taken[1].delivery_tag(), true).unwrap();
    assert_eq!(world.counts("q").unacked, 1);
    world.channel.basic_ack(0, true).unwrap();
    assert_eq!(world.counts("q").unacked, 0);
    world.channel.basic_ack(0, true).unwrap();
    assert_eq!(world.drain("q"), ["d"]);
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn another_channel_cannot_acknowledge() {
    let (world, taken) = backlog();
    let other = world.open_channel();
    assert_eq!(refusal(other.basic_ack(taken[0].delivery_tag(), false)), unknown(1));
}

#[test]
fn returned_messages_take_their_old_places() {
    let (world, taken) = backlog();
    taken[1].reject(true).unwrap();
    taken[0].reject(true).unwrap();
    taken[2].reject(true).unwrap();
    let flags: Vec<_> = (0..4)
        .map(|_| world.get("q"))
        .map(|delivery| (text(&delivery), delivery.redelivered()))
        .collect();
    let expected = [("a", true), ("b", true), ("c", true), ("d", false)];
    assert_eq!(flags, expected.map(|(body, flag)| (body.to_owned(), flag)));
}

#[test]
fn a_nack_of_several_keeps_their_order() {
    let (world, _) = backlog();
    world.channel.basic_nack(3, true, true).unwrap();
    assert_eq!(world.drain("q"), ["a", "b", "c", "d"]);
}

#[test]
fn a_rejection_without_requeue_drops() {
    let (world, taken) = backlog();
    taken[0].reject(false).unwrap();
    world.channel.basic_nack(0, true, false).unwrap();
    assert_eq!(world.drain("q"), ["d"]);
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn recovery_returns_all_that_the_channel_holds_and_no_more() {
    let (world, taken) = backlog();
    let other = world.open_channel();
    let held = other.basic_get("q").unwrap().unwrap();
    world.channel.basic_recover().unwrap();
    assert_eq!(refusal(taken[0].ack()), unknown(1));
    assert_eq!(world.drain("q"), ["a", "b", "c"]);
    held.ack().unwrap();
}

#[test]
fn recovery_delivers_again_to_a_consumer_of_the_same_channel() {
    let world = World::new();
    world.declare("q");
    let consumer = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b"]);
    let tags: Vec<_> = (0..2).map(|_| consumer.recv().unwrap().delivery_tag()).collect();
    world.channel.basic_recover().unwrap();
    let (a, b) = (consumer.recv().unwrap(), consumer.recv().unwrap());
    assert_eq!((text(&a), text(&b)), ("a".into(), "b".into()));
    assert!(a.redelivered() && b.redelivered());
    assert_eq!((tags, a.delivery_tag(), b.delivery_tag()), (vec![1, 2], 3, 4));
}

#[test]
fn closing_a_channel_returns_what_it_held() {
    let (world, _) = backlog();
    let watcher = world.broker.connect().unwrap().open_channel().unwrap();
    world.channel.close();
    assert_eq!(refusal(world.channel.queue_declare("p")).0, 504);
    let bodies: Vec<_> =
        std::iter::from_fn(|| watcher.basic_get("q").unwrap()).map(|d| text(&d)).collect();
    assert_eq!(bodies, ["a", "b", "c", "d"]);
}

#[test]
fn a_closed_channel_hands_out_nothing_that_went_back() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    let channel = world.open_channel();
    let consumer = channel.basic_consume("q").unwrap();
    channel.close();
    assert!(consumer.recv().is_none());
    assert_eq!(world.drain("q"), ["a", "b"]);
}

#[test]
fn dropping_a_delivery_settles_nothing() {
    let (world, taken) = backlog();
    drop(taken);
    assert_eq!(world.counts("q").unacked, 3);
}

#[test]
fn what_needs_no_acknowledgement_takes_none() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a"]);
    let delivery = world.take("q").unwrap();
    assert_eq!(delivery.delivery_tag(), 1);
    assert_eq!(refusal(delivery.ack()), unknown(1));
}
