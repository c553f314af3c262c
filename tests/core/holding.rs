//! Queues that are held: the test decides who gets which message.

use leveret::{Broker, Channel, Consume, Consumer, Publish, QueueDeclare, Recipient};

use crate::support::{World, declare_with, refusal, text, waiting};

fn consume(channel: &Channel, tag: &str) -> Consumer {
    let consume = Consume::new("q").consumer_tag(tag);
    channel.basic_consume_with(&consume).unwrap()
}

/// A held queue `q`.
fn held() -> World {
    let world = World::new();
    world.declare("q");
    world.broker.queue("/", "q").unwrap().hold().unwrap();
    world
}

fn release(broker: &Broker, consumers: &[&str]) {
    for consumer in consumers {
        broker.queue("/", "q").unwrap().release_to(*consumer).unwrap();
    }
}

#[test]
fn as_many_go_out_as_are_let_go() {
    let world = held();
    let consumer = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b", "c", "d", "e"]);
    assert!(waiting(&consumer).is_empty());
    world.broker.queue("/", "q").unwrap().release(2).unwrap();
    assert_eq!(waiting(&consumer), ["a", "b"]);
    drop(consumer);
    world.broker.queue("/", "q").unwrap().release(1).unwrap();
    assert!(world.take("q").is_some() && world.take("q").is_none());
    world.broker.queue("/", "q").unwrap().release(0).unwrap();
    assert!(world.take("q").is_none());
    world.broker.queue("/", "q").unwrap().end_hold().unwrap();
    assert_eq!(world.drain("q").len(), 2);
}

#[test]
fn an_interleaving_is_decided_beforehand() {
    let world = held();
    let (one, two) = (consume(&world.channel, "one"), consume(&world.channel, "two"));
    release(&world.broker, &["two", "one", "two"]);
    world.broker.queue("/", "q").unwrap().release(1).unwrap();
    release(&world.broker, &["two"]);
    world.publish("q", ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(waiting(&two), ["a", "c", "e"]);
    assert_eq!(waiting(&one), ["b", "d"]);
    assert!(world.take("q").is_none(), "the rest is held");
    world.broker.queue("/", "q").unwrap().end_hold().unwrap();
    assert_eq!(waiting(&one).len() + waiting(&two).len(), 1);
}

#[test]
fn a_message_waits_for_the_credit_of_its_consumer() {
    let world = held();
    world.channel.basic_qos(1).unwrap();
    let (busy, idle) = (consume(&world.channel, "busy"), consume(&world.channel, "idle"));
    world.publish("q", ["a", "b", "c"]);
    release(&world.broker, &["busy", "busy", "idle"]);
    let first = busy.try_recv().unwrap();
    assert!(busy.try_recv().is_none() && idle.try_recv().is_none(), "nobody overtakes");
    first.ack().unwrap();
    assert_eq!(text(&busy.try_recv().unwrap()), "b");
    assert_eq!(text(&idle.try_recv().unwrap()), "c");
}

#[test]
fn what_a_consumer_was_to_have_stays_when_it_ends() {
    let world = held();
    let one = consume(&world.channel, "one");
    let two = consume(&world.channel, "two");
    release(&world.broker, &["one", "two"]);
    drop(one);
    world.publish("q", ["a", "b"]);
    assert_eq!(waiting(&two), ["a"]);
    assert_eq!(world.ready("q"), 1);
    // Held once more: what was let go is taken back.
    release(&world.broker, &["two"]);
    assert_eq!(waiting(&two), ["b"]);
    release(&world.broker, &["two"]);
    world.broker.queue("/", "q").unwrap().hold().unwrap();
    world.publish("q", ["c"]);
    assert!(waiting(&two).is_empty());
    // basic.get has to wait for its turn as well.
    release(&world.broker, &["two"]);
    assert_eq!(waiting(&two), ["c"]);
    release(&world.broker, &["two"]);
    assert!(world.take("q").is_none());
}

#[test]
fn consumers_of_one_tag_are_told_apart() {
    let world = held();
    let other = world.broker.connect().unwrap().open_channel().unwrap();
    let (mine, others) = (consume(&world.channel, "c"), consume(&other, "c"));
    world.publish("q", ["a", "b"]);
    let release = |recipient: Recipient| {
        world.broker.queue("/", "q").and_then(|queue| queue.release_to(recipient))
    };
    let (code, text) = refusal(release("c".into()));
    let expected = "consumer 'c' in vhost '/' is not the only one with its tag: name its \
                    connection, and its channel";
    assert_eq!((code, text.as_str()), (406, expected));
    release(Recipient::from("c").on_connection_number(2)).unwrap();
    assert_eq!((waiting(&others), waiting(&mine)), (vec!["a".to_owned()], vec![]));
    release(Recipient::from("c").on_connection_number(1).on_channel(1)).unwrap();
    assert_eq!(waiting(&mine), ["b"]);
    for nobody in [
        Recipient::from("nobody"),
        Recipient::from("c").on_connection("nobody"),
        Recipient::from("c").on_connection_number(9),
        Recipient::from("c").on_channel(7),
    ] {
        assert_eq!(refusal(release(nobody)).0, 404);
    }
}

#[test]
fn what_cannot_be_let_go_is_refused() {
    let world = World::new();
    world.declare("q");
    let _consumer = consume(&world.channel, "c");
    let (code, text) =
        refusal(world.broker.queue("/", "q").and_then(|queue| queue.release_to("c")));
    assert_eq!((code, text.as_str()), (406, "queue 'q' in vhost '/' is not held"));
    assert_eq!(refusal(world.broker.queue("/", "q").and_then(|queue| queue.release(1))).0, 406);
    assert_eq!(refusal(world.broker.queue("/", "none").and_then(|queue| queue.hold())).0, 404);
    assert_eq!(
        refusal(world.broker.queue("none", "q").and_then(|queue| queue.release_to("c"))).0,
        530
    );
}

#[test]
fn a_single_active_consumer_is_the_only_one_to_get_any() {
    let world = World::new();
    let single = [("x-single-active-consumer", leveret::AMQPValue::Boolean(true))];
    declare_with(&world.channel, "q", single).unwrap();
    world.broker.queue("/", "q").unwrap().hold().unwrap();
    let active = consume(&world.channel, "active");
    let next = consume(&world.channel, "next");
    world.publish("q", ["a", "b"]);
    let (code, text) =
        refusal(world.broker.queue("/", "q").and_then(|queue| queue.release_to("next")));
    let expected = "consumer 'next' in vhost '/' is not the active one of its queue";
    assert_eq!((code, text.as_str()), (406, expected));
    release(&world.broker, &["active"]);
    assert_eq!(waiting(&active), ["a"]);
    drop(active);
    release(&world.broker, &["next"]);
    assert_eq!(waiting(&next).len(), 1);
}

#[test]
fn a_hold_ends_with_its_queue() {
    let world = held();
    world.channel.queue_delete("q").unwrap();
    world.channel.queue_declare_with(&QueueDeclare::new("q")).unwrap();
    world.channel.basic_publish(Publish::to_queue("q")).unwrap();
    assert!(world.take("q").is_some());
}

#[test]
fn a_handle_means_one_queue_and_not_its_successor() {
    let world = World::new();
    world.declare("q");
    let queue = world.broker.queue("/", "q").unwrap();
    assert_eq!((queue.name(), queue.virtual_host(), queue.is_held()), ("q", "/", false));
    queue.hold().unwrap();
    world.publish("q", ["a", "b"]);
    assert_eq!((queue.counts().ready, queue.is_held()), (2, true));
    world.channel.queue_delete("q").unwrap();
    world.declare("q");
    let missing = (404, "no queue 'q' in vhost '/'".to_owned());
    assert!(queue.is_deleted());
    assert_eq!(refusal(queue.peek(1).map(drop)), missing);
    assert_eq!(refusal(queue.release(1)), missing);
    assert_eq!(refusal(queue.hold()), missing);
    assert!(!world.broker.queue("/", "q").unwrap().is_held());
}
