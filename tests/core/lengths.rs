//! Length limits of queues.

use leveret::{Consume, Publish};

use crate::support::{World, int, string, waiting};

#[test]
fn the_oldest_are_dropped_beyond_the_limit() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(2))]);
    world.publish("q", ["a", "b", "c", "d"]);
    assert_eq!(world.drain("q"), ["c", "d"]);
}

#[test]
fn bodies_are_counted_in_octets() {
    let world = World::new();
    world.declare_with("q", [("x-max-length-bytes", int(10))]);
    world.publish("q", ["12345", "1234", "1"]);
    assert_eq!(world.ready("q"), 3);
    world.publish("q", ["12"]);
    assert_eq!(world.drain("q"), ["1234", "1", "12"]);
    world.publish("q", ["12345678901"]);
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn unacknowledged_messages_do_not_count() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(1))]);
    world.publish("q", ["a"]);
    let unacked = world.get("q");
    world.publish("q", ["b"]);
    assert_eq!((world.ready("q"), world.counts("q").unacked), (1, 1));
    unacked.requeue().unwrap();
    assert_eq!(world.drain("q"), ["b"]);
}

#[test]
fn a_length_of_zero_lets_only_the_immediately_deliverable_through() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(0))]);
    world.publish("q", ["a"]);
    assert_eq!(world.ready("q"), 0);
    let consume = Consume::new("q").no_ack();
    let consumer = world.channel.basic_consume_with(&consume).unwrap();
    world.publish("q", ["b"]);
    assert_eq!(waiting(&consumer), ["b"]);
}

#[test]
fn a_queue_that_rejects_keeps_what_it_has() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(2)), ("x-overflow", string("reject-publish"))]);
    world.publish("q", ["a", "b", "c"]);
    let first = world.get("q");
    world.publish("q", ["d"]);
    first.requeue().unwrap();
    assert_eq!(world.drain("q"), ["a", "b", "d"]);
}

#[test]
fn the_highest_priority_is_dropped_first() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(2)), ("x-max-priority", int(5))]);
    for (body, priority) in [("low", 0), ("high", 5), ("middle", 3)] {
        let publish = Publish::to_queue("q").body(body).priority(priority);
        world.channel.basic_publish(publish).unwrap();
    }
    assert_eq!(world.drain("q"), ["middle", "low"]);
}

#[test]
fn what_is_too_much_does_not_die_of_its_age() {
    let world = World::new();
    world.declare("dead");
    world.declare_with(
        "q",
        [
            ("x-max-length", int(0)),
            ("x-message-ttl", int(0)),
            ("x-dead-letter-exchange", string("")),
            ("x-dead-letter-routing-key", string("dead")),
        ],
    );
    world.publish("q", ["a"]);
    let reason = world.take("dead").unwrap().headers().inner().get("x-last-death-reason").cloned();
    assert_eq!(reason, Some(string("maxlen")));
}

#[test]
fn what_comes_back_together_is_too_much_before_it_is_delivered_again() {
    let world = World::new();
    world.declare_with("short", [("x-max-length", int(1))]);
    world.declare("long");
    let channel = world.open_channel();
    let short = channel.basic_consume("short").unwrap();
    let long = channel.basic_consume("long").unwrap();
    world.publish("short", ["a"]);
    world.publish("long", ["b"]);
    world.publish("short", ["c"]);
    assert_eq!((waiting(&short), waiting(&long)), (texts(&["a", "c"]), texts(&["b"])));
    channel.basic_recover().unwrap();
    assert_eq!((waiting(&short), waiting(&long)), (texts(&["c"]), texts(&["b"])));
}

fn texts(bodies: &[&str]) -> Vec<String> {
    bodies.iter().map(ToString::to_string).collect()
}
