//! Message priorities.

use leveret::Publish;

use crate::support::{World, int};

fn publish(world: &World, queue: &str, body: &'static str, priority: u8) {
    let publish = Publish::to_queue(queue).body(body).priority(priority);
    world.channel.basic_publish(publish).unwrap();
}

#[test]
fn higher_priorities_come_first_and_equal_ones_in_order() {
    let world = World::new();
    world.declare_with("q", [("x-max-priority", int(10))]);
    for (body, priority) in [("a", 1), ("b", 5), ("c", 1), ("d", 5), ("e", 0)] {
        publish(&world, "q", body, priority);
    }
    world.publish("q", ["f"]);
    assert_eq!(world.drain("q"), ["b", "d", "a", "c", "e", "f"]);
}

#[test]
fn priorities_above_the_highest_count_as_the_highest() {
    let world = World::new();
    world.declare_with("q", [("x-max-priority", int(3))]);
    for (body, priority) in [("a", 3), ("b", 200), ("c", 2)] {
        publish(&world, "q", body, priority);
    }
    assert_eq!(world.drain("q"), ["a", "b", "c"]);
}

#[test]
fn without_the_argument_priorities_mean_nothing() {
    let world = World::new();
    world.declare("q");
    publish(&world, "q", "a", 0);
    publish(&world, "q", "b", 9);
    assert_eq!(world.drain("q"), ["a", "b"]);
}

#[test]
fn a_return_goes_back_into_its_priority() {
    let world = World::new();
    world.declare_with("q", [("x-max-priority", int(3))]);
    for (body, priority) in [("a", 1), ("b", 1), ("c", 3)] {
        publish(&world, "q", body, priority);
    }
    let (high, low) = (world.get("q"), world.get("q"));
    low.requeue().unwrap();
    high.requeue().unwrap();
    assert_eq!(world.drain("q"), ["c", "a", "b"]);
}

#[test]
fn an_expired_message_of_low_priority_waits_behind_a_live_one_of_high() {
    let world = World::new();
    world.declare_with("q", [("x-max-priority", int(3))]);
    let dying = Publish::to_queue("q").body("dead").priority(0).expiration_ms(10);
    world.channel.basic_publish(dying).unwrap();
    publish(&world, "q", "live", 3);
    world.advance_ms(10);
    assert_eq!(world.ready("q"), 2);
    assert_eq!(world.drain("q"), ["live"]);
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn a_message_of_high_priority_expires_before_a_lower_one_that_came_first() {
    let world = World::new();
    world.declare_with("q", [("x-max-priority", int(3))]);
    for (body, priority, ms) in [("low", 0, 60_000), ("high", 3, 10_000)] {
        let publish = Publish::to_queue("q").body(body).priority(priority).expiration_ms(ms);
        world.channel.basic_publish(publish).unwrap();
    }
    world.advance_ms(10_000);
    assert_eq!(world.drain("q"), ["low"]);
}
