//! Acknowledgements, returns and recovery.

use leveret::{BasicProperties, Consume, Delivery, Nack, Publish};

use crate::support::{World, int, refusal, table, text, waiting};

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
    assert_eq!(refusal(world.channel.basic_ack(0)), unknown(0));
    assert_eq!(refusal(world.channel.basic_ack_multiple(9)), unknown(9));
}

#[test]
fn an_acknowledgement_of_several_settles_all_before_it() {
    let (world, taken) = backlog();
    world.channel.basic_ack_multiple(taken[1].delivery_tag()).unwrap();
    assert_eq!(world.counts("q").unacked, 1);
    world.channel.basic_ack_multiple(0).unwrap();
    assert_eq!(world.counts("q").unacked, 0);
    world.channel.basic_ack_multiple(0).unwrap();
    assert_eq!(world.drain("q"), ["d"]);
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn another_channel_cannot_acknowledge() {
    let (world, taken) = backlog();
    let other = world.open_channel();
    assert_eq!(refusal(other.basic_ack(taken[0].delivery_tag())), unknown(1));
}

#[test]
fn returned_messages_take_their_old_places() {
    let (world, taken) = backlog();
    taken[1].requeue().unwrap();
    taken[0].requeue().unwrap();
    taken[2].requeue().unwrap();
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
    world.channel.basic_nack(3, &Nack::new().multiple().requeue()).unwrap();
    assert_eq!(world.drain("q"), ["a", "b", "c", "d"]);
}

#[test]
fn a_rejection_without_requeue_drops() {
    let (world, taken) = backlog();
    taken[0].reject().unwrap();
    world.channel.basic_nack(0, &Nack::new().multiple()).unwrap();
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

#[test]
fn a_delivery_settles_itself_or_all_up_to_it() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b", "c", "d", "e", "f"]);
    let taken: Vec<_> = (0..6).map(|_| world.get("q")).collect();
    taken[1].ack_multiple().unwrap();
    assert_eq!(world.counts("q").unacked, 4);
    taken[3].nack(&Nack::new().multiple().requeue()).unwrap();
    assert_eq!((world.ready("q"), world.counts("q").unacked), (2, 2));
    taken[5].nack(&Nack::new()).unwrap();
    taken[4].requeue().unwrap();
    assert_eq!(refusal(taken[4].nack(&Nack::new().requeue())), unknown(5));
    assert_eq!(world.drain("q"), ["c", "d", "e"]);
}

#[test]
fn a_delivery_knows_who_got_it() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    assert_eq!(world.get("q").consumer_tag(), None);
    let consume = Consume::new("q").consumer_tag("mine");
    let consumer = world.channel.basic_consume_with(&consume).unwrap();
    let delivery = consumer.recv().unwrap();
    assert_eq!((delivery.consumer_tag(), consumer.tag()), (Some("mine"), "mine"));
    assert_eq!((delivery.exchange(), delivery.routing_key()), ("", "q"));
}

#[test]
fn all_fourteen_properties_arrive() {
    let world = World::new();
    world.declare("q");
    let publish = Publish::to_queue("q")
        .content_type("text/plain")
        .content_encoding("gzip")
        .header("x-attempt", 3_i64)
        .persistent()
        .priority(7)
        .correlation_id("correlation")
        .reply_to("replies")
        .expiration_ms(60_000)
        .message_id("message")
        .timestamp(1_577_836_800)
        .message_type("order")
        .user_id("guest")
        .app_id("shop")
        .cluster_id("cluster");
    world.channel.basic_publish(publish).unwrap();
    let expected = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("gzip".into())
        .with_headers(table([("x-attempt", int(3))]))
        .with_delivery_mode(2)
        .with_priority(7)
        .with_correlation_id("correlation".into())
        .with_reply_to("replies".into())
        .with_expiration("60000".into())
        .with_message_id("message".into())
        .with_timestamp(1_577_836_800)
        .with_type("order".into())
        .with_user_id("guest".into())
        .with_app_id("shop".into())
        .with_cluster_id("cluster".into());
    assert_eq!(world.get("q").properties(), expected);
    let headers = table([("a", int(1)), ("b", int(2))]);
    world.channel.basic_publish(Publish::to_queue("q").headers(headers.clone())).unwrap();
    assert_eq!(world.get("q").headers(), headers);
    let other = Publish::to_queue("q").user_id("somebody");
    assert_eq!(refusal(world.channel.basic_publish(other)).0, 406);
}

#[test]
fn what_several_consumers_give_back_at_once_goes_by_their_tags() {
    let world = World::new();
    world.declare("q");
    let start =
        |tag| world.channel.basic_consume_with(&Consume::new("q").consumer_tag(tag)).unwrap();
    let (slow, fast) = (start("slow"), start("fast"));
    world.publish("q", ["a", "b"]);
    assert_eq!((waiting(&slow), waiting(&fast)), (vec!["a".to_owned()], vec!["b".to_owned()]));
    world.channel.basic_recover().unwrap();
    assert_eq!((waiting(&slow), waiting(&fast)), (vec!["b".to_owned()], vec!["a".to_owned()]));
}
