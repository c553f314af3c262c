//! Looking into queues, and putting a broker into a state.

use leveret::{Broker, Error, Publish};

use crate::support::{World, int, quorum_queue, refusal, string};

fn bodies(broker: &Broker, queue: &str) -> Vec<Vec<u8>> {
    let messages = broker.queue("/", queue).unwrap().peek(10).unwrap();
    messages.iter().map(|message| message.body().to_vec()).collect()
}

#[test]
fn looking_takes_nothing() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(1000)), ("x-max-priority", int(3))]);
    world.publish("q", ["a", "b"]);
    assert!(
        world
            .broker
            .publish(Publish::to_queue("q").body("first").priority(2))
            .wait()
            .unwrap()
            .is_ack()
    );
    assert_eq!(bodies(&world.broker, "q"), [&b"first"[..], b"a", b"b"]);
    assert_eq!(world.broker.queue("/", "q").unwrap().peek(1).unwrap().len(), 1);
    let first = world.broker.queue("/", "q").unwrap().peek(1).unwrap().remove(0);
    assert_eq!(first.expires_at(), Some(world.broker.now().after_ms(1000)));
    assert_eq!(*first.properties().priority(), Some(2));
    assert!(!first.redelivered());
    assert_eq!(world.drain("q"), ["first", "a", "b"]);
    assert_eq!(refusal(world.broker.queue("/", "none").and_then(|queue| queue.peek(1))).0, 404);
    assert_eq!(refusal(world.broker.queue("none", "q").and_then(|queue| queue.peek(1))).0, 530);
}

#[test]
fn a_quorum_queue_is_seen_in_the_order_in_which_it_delivers() {
    let world = World::new();
    world.channel.queue_declare_with(&quorum_queue("q", [])).unwrap();
    for (number, priority) in [0, 9, 0, 9, 9, 0, 9, 9, 1].into_iter().enumerate() {
        let publish = Publish::to_queue("q").body(number.to_string()).priority(priority);
        world.channel.basic_publish(publish).unwrap();
    }
    world.get("q").requeue().unwrap();
    world.take("q").unwrap();
    world.take("q").unwrap();
    let peeked: Vec<_> = bodies(&world.broker, "q");
    assert_eq!(peeked, world.drain("q").into_iter().map(String::into_bytes).collect::<Vec<_>>());
    assert_eq!(peeked.len(), 7);
}

#[test]
fn who_has_what_is_not_acknowledged() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    let got = world.get("q");
    world.advance_ms(5);
    let consumer = world.channel.basic_consume("q").unwrap();
    let delivery = consumer.recv().unwrap();
    let unacked = world.broker.queue("/", "q").unwrap().unacked();
    let [by_get, by_consumer] = &unacked[..] else { panic!("{unacked:?}") };
    assert_eq!((by_get.message.body(), &by_get.consumer_tag), (&b"a"[..], &None));
    let tag = by_consumer.consumer_tag.as_ref().unwrap();
    assert_eq!((by_consumer.message.body(), tag.as_str()), (&b"b"[..], consumer.tag()));
    assert_eq!((by_get.connection, by_consumer.connection), (1, 1));
    assert_eq!((&by_get.connection_name, by_get.channel), (&None, 1));
    let waited = by_consumer.delivered_at.as_millis() - by_get.delivered_at.as_millis();
    assert_eq!(waited, 5);
    // The channel has what its consumer had.
    drop(consumer);
    let unacked = world.broker.queue("/", "q").unwrap().unacked();
    assert_eq!((&unacked[1].consumer_tag, unacked[1].connection), (&None, 1));
    got.ack().unwrap();
    delivery.ack().unwrap();
    assert!(world.broker.queue("/", "q").unwrap().unacked().is_empty());
}

#[test]
fn many_messages_are_published_with_one_wait() {
    let world = World::new();
    world.declare("q");
    let full = [("x-max-length", int(10)), ("x-overflow", string("reject-publish"))];
    world.declare_with("full", full);
    let to = |queue: &'static str, count: usize| {
        (0..count).map(move |n| Publish::to_queue(queue).body(n.to_string()).mandatory())
    };
    assert_eq!(world.broker.publish_all(to("q", 1000)).unwrap(), 1000);
    assert_eq!(world.drain("q"), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(world.broker.publish_all(to("full", 15)).unwrap(), 10);
    let mixed = to("q", 3).chain(to("nowhere", 2)).chain(to("q", 300));
    assert_eq!(world.channel.publish_all(mixed).unwrap(), 303);
    assert_eq!(world.channel.take_returned().unwrap().routing_key(), "nowhere");
    assert_eq!(world.channel.publish_all(to("q", 2)).unwrap(), 2, "confirms go on counting");
    assert!(world.channel.publish(Publish::to_queue("q")).wait().unwrap().is_ack());
    let wrong = Publish::to_exchange("none", "");
    let result = world.broker.publish_all(to("q", 1).chain([wrong]).chain(to("q", 1)));
    assert_eq!(refusal(result).0, 404);
    assert_eq!(world.ready("q"), 303 + 2 + 1 + 1);
    assert_eq!(world.broker.publish_all([]).unwrap(), 0);
}

#[test]
fn after_a_reset_the_broker_is_as_at_first() {
    let world = World::new();
    world.channel.exchange_declare("x", "topic").unwrap();
    world.declare_with("q", [("x-dead-letter-exchange", string("x"))]);
    world.channel.queue_bind("q", "amq.topic", "#").unwrap();
    world.channel.exchange_bind("amq.fanout", "amq.topic", "#").unwrap();
    world.channel.exchange_bind("x", "amq.topic", "#").unwrap();
    world.publish("q", ["a", "b"]);
    let held = world.get("q");
    let consumer = world.channel.basic_consume("q").unwrap();
    world.broker.reset().unwrap();
    assert_eq!(consumer.iter().count(), 1); // what it had before; then it has ended
    let host = world.broker.virtual_host("/").unwrap();
    assert!(host.queues().is_empty());
    assert_eq!(host.exchanges().len(), 7);
    assert!(host.exchanges().iter().all(|exchange| exchange.binding_count() == 0));
    assert_eq!(world.broker.memory_used(), 0);
    held.ack().unwrap(); // of a queue that is gone
    assert!(matches!(world.channel.basic_get("q"), Err(Error::NotFound(_))));
    world.declare("q");
    world.publish("q", ["again"]);
    assert_eq!(world.drain("q"), ["again"]);
}
