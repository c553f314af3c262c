//! Several brokers in one process, and the end of one.

use std::thread;

use leveret::{Consume, QueueDeclare};

use crate::support::{World, refusal, text};

#[test]
fn brokers_live_side_by_side() {
    let worlds = [World::new(), World::new()];
    for world in &worlds {
        world.declare("q");
    }
    worlds[0].publish("q", ["a"]);
    worlds[0].advance_ms(5000);
    assert_eq!((worlds[0].ready("q"), worlds[1].ready("q")), (1, 0));
    assert_ne!(worlds[0].broker.now(), worlds[1].broker.now());
    let [one, other] = worlds;
    drop(one);
    other.publish("q", ["b"]);
    assert_eq!(other.drain("q"), ["b"]);
}

#[test]
fn the_end_of_a_broker_ends_waiting_consumers() {
    let World { broker, connection, channel } = World::new();
    channel.queue_declare("q").unwrap();
    let consumer = channel.basic_consume("q").unwrap();
    let waiting = thread::spawn(move || consumer.recv().is_none());
    drop(broker);
    assert!(waiting.join().unwrap());
    assert_eq!(refusal(channel.queue_declare("q")).0, 504);
    assert_eq!(refusal(connection.open_channel().map(drop)).0, 504);
}

#[test]
fn the_end_of_a_broker_frees_what_it_held() {
    let world = World::new();
    world.channel.exchange_declare("a", "fanout").unwrap();
    world.channel.exchange_bind("a", "a", "").unwrap();
    world.declare("q");
    world.channel.queue_bind("q", "a", "").unwrap();
    world.publish("q", ["a", "b"]);
    let unacked = world.get("q");
    let queue = world.queue("q").unwrap().downgrade();
    assert!(world.broker.memory_used() > 0);
    let World { broker, connection, channel } = world;
    drop(broker);
    assert_eq!(text(&unacked), "a");
    drop((connection, channel, unacked));
    assert!(queue.upgrade().is_none());
}

#[test]
fn a_connection_closes_with_the_last_thing_that_uses_it() {
    let world = World::new();
    let exclusive = QueueDeclare::new("q").exclusive();
    let other = world.broker.connect().unwrap().open_channel().unwrap();
    other.queue_declare_with(&exclusive).unwrap();
    let consumer = other.basic_consume("q").unwrap();
    assert_eq!(world.broker.connection_count(), 2);
    drop(other);
    assert!(world.queue("q").is_some());
    drop(consumer);
    assert!(world.queue("q").is_none());
    assert_eq!(world.broker.connection_count(), 1);
}

#[test]
fn a_closed_broker_takes_no_connections() {
    let world = World::new();
    world.broker.close("maintenance", std::time::Duration::ZERO);
    assert_eq!(refusal(world.broker.connect().map(drop)).0, 320);
    assert_eq!(world.broker.connection_count(), 0);
}

#[test]
fn queues_do_not_outlive_many_rounds_on_one_channel() {
    let world = World::new();
    let mut queues = Vec::new();
    for _ in 0..50 {
        let name = world.channel.queue_declare("").unwrap().queue;
        let consume = Consume::new(name.to_string());
        let consumer = world.channel.basic_consume_with(&consume).unwrap();
        world.publish(name.as_str(), ["a"]);
        consumer.recv().unwrap().ack().unwrap();
        drop(consumer);
        queues.push(world.queue(name.as_str()).unwrap().downgrade());
        world.channel.queue_delete(name.as_str()).unwrap();
    }
    // The channel remembers the route of its last publish.
    let alive = queues.iter().filter(|queue| queue.upgrade().is_some()).count();
    assert!(alive <= 1, "{alive} deleted queues are held");
}
