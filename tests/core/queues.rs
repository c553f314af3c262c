//! Declaring, purging and deleting queues.

use leveret::{Publish, QueueDeclare, QueueDelete};

use crate::support::{World, broker, declare_with, int, quorum_queue, refusal, string, text};

#[test]
fn the_broker_names_a_queue_without_a_name() {
    let world = World::new();
    let one = world.channel.queue_declare("").unwrap().queue;
    let other = world.channel.queue_declare("").unwrap().queue;
    assert!(one.as_str().starts_with("amq.gen-"), "{one}");
    assert_ne!(one, other);
    assert_eq!(world.channel.last_queue(), Some(other));
}

#[test]
fn an_empty_name_means_the_queue_declared_last_on_the_channel() {
    let world = World::new();
    assert_eq!(
        refusal(world.channel.basic_get("")),
        (404, "no previously declared queue".to_owned())
    );
    world.declare("q");
    world.publish("q", ["a"]);
    assert_eq!(text(&world.get("")), "a");
    let passive = refusal(world.channel.queue_declare_with(&QueueDeclare::new("").passive()));
    assert_eq!(passive, (404, "no queue '' in vhost '/'".to_owned()));
    let error = refusal(world.open_channel().queue_purge(""));
    assert_eq!(error, (404, "no previously declared queue".to_owned()));
}

#[test]
fn declaring_again_tells_the_counts() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    let again = world.channel.queue_declare("q").unwrap();
    assert_eq!((again.message_count, again.consumer_count), (2, 0));
    let consumer = world.channel.basic_consume("q").unwrap();
    let again = world.channel.queue_declare("q").unwrap();
    assert_eq!((again.message_count, again.consumer_count), (0, 1));
    drop(consumer);
    assert_eq!(world.channel.queue_declare("q").unwrap().message_count, 2);
}

#[test]
fn declaring_again_with_other_attributes_is_refused() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(100))]);
    let durable = QueueDeclare::new("q").durable();
    let (code, text) = refusal(world.channel.queue_declare_with(&durable));
    assert_eq!(code, 406);
    assert_eq!(
        text,
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is \
         'false'"
    );
    let other = declare_with(&world.channel, "q", [("x-message-ttl", int(200))]);
    assert_eq!(refusal(other).0, 406);
    assert_eq!(refusal(world.channel.queue_declare("q")).0, 406);
    let narrow = leveret::AMQPValue::ShortInt(100);
    assert!(declare_with(&world.channel, "q", [("x-message-ttl", narrow)]).is_ok());
}

#[test]
fn a_passive_declaration_only_looks() {
    let world = World::new();
    let passive = QueueDeclare::new("q").passive();
    let missing = (404, "no queue 'q' in vhost '/'".to_owned());
    assert_eq!(refusal(world.channel.queue_declare_with(&passive)), missing);
    assert!(world.queue("q").is_none());
    world.declare_with("q", [("x-max-length", int(5))]);
    world.publish("q", ["a"]);
    assert_eq!(world.channel.queue_declare_with(&passive).unwrap().message_count, 1);
}

#[test]
fn invalid_arguments_are_refused() {
    let world = World::new();
    for (argument, value, reason) in [
        ("x-expires", int(0), "{value_zero,0}"),
        ("x-message-ttl", int(-1), "{value_negative,-1}"),
        ("x-max-priority", int(256), "{max_value_exceeded,256}"),
        ("x-dead-letter-routing-key", string("k"), "routing_key_but_no_dlx_defined"),
    ] {
        let (code, text) = refusal(declare_with(&world.channel, "q", [(argument, value)]));
        let expected = format!("invalid arg '{argument}' for queue 'q' in vhost '/': {reason}");
        assert_eq!((code, text), (406, expected));
    }
    assert!(world.queue("q").is_none());
    assert!(declare_with(&world.channel, "q", [("x-unknown", int(1))]).is_ok());
}

#[test]
fn names_with_the_reserved_prefix_are_refused() {
    let world = World::new();
    let (code, text) = refusal(world.channel.queue_declare("amq.mine"));
    let expected = "queue name 'amq.mine' contains reserved prefix 'amq.*'";
    assert_eq!((code, text.as_str()), (403, expected));
}

#[test]
fn an_exclusive_queue_is_its_connections_alone_and_ends_with_it() {
    let world = World::new();
    let exclusive = QueueDeclare::new("q").exclusive();
    world.channel.queue_declare_with(&exclusive).unwrap();
    world.publish("q", ["a"]);
    let other = world.broker.connect().unwrap().open_channel().unwrap();
    assert_eq!(refusal(other.basic_get("q")).0, 405);
    assert_eq!(refusal(other.basic_consume("q")).0, 405);
    assert_eq!(refusal(other.queue_declare_with(&exclusive)).0, 405);
    assert_eq!(refusal(other.queue_purge("q")).0, 405);
    assert_eq!(refusal(other.queue_delete("q")).0, 405);
    other.basic_publish(Publish::to_queue("q").body("b")).unwrap();
    assert_eq!(world.open_channel().queue_declare_with(&exclusive).unwrap().message_count, 2);
    world.connection.close();
    assert!(world.queue("q").is_none());
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer_and_not_before_the_first() {
    let world = World::new();
    let auto = QueueDeclare::new("q").auto_delete();
    world.channel.queue_declare_with(&auto).unwrap();
    world.publish("q", ["a"]);
    world.get("q").ack().unwrap();
    let (one, other) =
        (world.channel.basic_consume("q").unwrap(), world.channel.basic_consume("q").unwrap());
    one.cancel();
    assert!(world.queue("q").is_some());
    other.cancel();
    assert!(world.queue("q").is_none());
}

#[test]
fn an_auto_delete_queue_goes_with_its_consumers_channel() {
    let world = World::new();
    let auto = QueueDeclare::new("q").auto_delete();
    world.channel.queue_declare_with(&auto).unwrap();
    let channel = world.open_channel();
    let consumer = channel.basic_consume("q").unwrap();
    channel.close();
    assert!(world.queue("q").is_none());
    assert!(consumer.recv().is_none());
}

#[test]
fn purging_drops_what_is_ready_and_only_that() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b", "c"]);
    let unacked = world.get("q");
    assert_eq!(world.channel.queue_purge("q").unwrap(), 2);
    assert_eq!(world.channel.queue_purge("q").unwrap(), 0);
    unacked.requeue().unwrap();
    assert_eq!(world.drain("q"), ["a"]);
    let missing = refusal(world.channel.queue_purge("missing"));
    assert_eq!(missing, (404, "no queue 'missing' in vhost '/'".to_owned()));
}

#[test]
fn deleting_tells_how_many_and_takes_bindings_along() {
    let world = World::new();
    world.declare("q");
    world.channel.queue_bind("q", "amq.fanout", "").unwrap();
    world.publish("q", ["a", "b"]);
    assert_eq!(world.channel.queue_delete("q").unwrap(), 2);
    assert_eq!(world.channel.queue_delete("q").unwrap(), 0);
    assert_eq!(world.broker.memory_used(), 0);
    world.declare("q");
    world.channel.basic_publish(Publish::to_exchange("amq.fanout", "").body("c")).unwrap();
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn conditions_of_a_deletion_are_kept() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a"]);
    let not_empty = refusal(world.channel.queue_delete_with(&QueueDelete::new("q").if_empty()));
    assert_eq!(not_empty, (406, "queue 'q' in vhost '/' not empty".to_owned()));
    let consumer = world.channel.basic_consume("q").unwrap();
    let in_use = refusal(world.channel.queue_delete_with(&QueueDelete::new("q").if_unused()));
    assert_eq!(in_use, (406, "queue 'q' in vhost '/' in use".to_owned()));
    consumer.recv().unwrap().ack().unwrap();
    drop(consumer);
    assert_eq!(
        world.channel.queue_delete_with(&QueueDelete::new("q").if_unused().if_empty()).unwrap(),
        0
    );
    assert!(world.queue("q").is_none());
}

#[test]
fn a_deleted_queue_is_freed() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    let unacked = world.get("q");
    let queue = world.queue("q").unwrap().downgrade();
    world.channel.queue_delete("q").unwrap();
    assert_eq!(world.broker.memory_used(), 0);
    // Settling what the deletion took is no error.
    unacked.ack().unwrap();
    drop((unacked, world));
    assert!(queue.upgrade().is_none());
}

#[test]
fn quorum_queues_have_their_own_rules() {
    let world = World::new();
    let mut transient = quorum_queue("q", []);
    transient.durable = false;
    assert_eq!(refusal(world.channel.queue_declare_with(&transient)).0, 406);
    let priorities = quorum_queue("q", [("x-max-priority", int(5))]);
    assert_eq!(refusal(world.channel.queue_declare_with(&priorities)).0, 406);
    assert_eq!(refusal(world.channel.queue_declare_with(&quorum_queue("", []))).0, 406);
    world.channel.queue_declare_with(&quorum_queue("q", [])).unwrap();
    world.publish("q", ["a"]);
    let first = world.get("q");
    assert_eq!((first.redelivered(), first.delivery_count()), (false, None));
    first.requeue().unwrap();
    let second = world.get("q");
    assert_eq!((second.redelivered(), second.delivery_count()), (true, Some(1)));
}

#[test]
fn queues_of_two_brokers_are_apart() {
    let (one, other) = (World::new(), broker());
    one.declare("q");
    let channel = other.connect().unwrap().open_channel().unwrap();
    assert_eq!(refusal(channel.basic_get("q")).0, 404);
}
