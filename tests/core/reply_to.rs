//! Direct reply-to.

use leveret::{Channel, Consume, Consumer, Publish, QueueDeclare};

use crate::support::{World, refusal, text, waiting};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

fn consume_replies(channel: &Channel) -> Consumer {
    let consume = Consume::new(REPLY_TO).no_ack();
    channel.basic_consume_with(&consume).unwrap()
}

/// Sends a request to the queue `server` and returns the address for its reply.
fn request(world: &World, channel: &Channel) -> String {
    let publish = Publish::to_queue("server").body("question").reply_to(REPLY_TO);
    channel.basic_publish(publish).unwrap();
    let request = world.take("server").unwrap();
    request.properties().reply_to().as_ref().unwrap().to_string()
}

#[test]
fn a_reply_goes_straight_to_its_requester() {
    let world = World::new();
    world.declare("server");
    let (asking, other) = (world.open_channel(), world.open_channel());
    let (replies, others) = (consume_replies(&asking), consume_replies(&other));
    let address = request(&world, &asking);
    assert!(address.starts_with("amq.rabbitmq.reply-to."), "{address}");
    world.publish(&address, ["answer"]);
    let reply = replies.recv().unwrap();
    assert_eq!((text(&reply).as_str(), reply.routing_key()), ("answer", &*address));
    assert!(others.try_recv().is_none());
}

#[test]
fn a_requester_that_is_gone_gets_nothing() {
    let world = World::new();
    world.declare("server");
    let asking = world.open_channel();
    let replies = consume_replies(&asking);
    let address = request(&world, &asking);
    let probe = QueueDeclare::new(address.clone()).passive();
    assert_eq!(world.channel.queue_declare_with(&probe).unwrap().consumer_count, 1);
    drop(replies);
    world.channel.basic_publish(Publish::to_queue(&address).mandatory()).unwrap();
    assert_eq!(world.channel.take_returned().unwrap().routing_key(), address);
    assert_eq!(refusal(world.channel.queue_declare_with(&probe)).0, 404);
}

#[test]
fn requests_need_a_reply_consumer_on_their_own_channel() {
    let world = World::new();
    world.declare("server");
    let asking = world.open_channel();
    let replies = consume_replies(&asking);
    let publish = Publish::to_queue("server").reply_to(REPLY_TO);
    let missing = (406, "fast reply consumer does not exist".to_owned());
    assert_eq!(refusal(world.channel.basic_publish(publish.clone())), missing);
    asking.basic_publish(publish.clone()).unwrap();
    drop(replies);
    assert_eq!(refusal(asking.basic_publish(publish)), missing);
}

#[test]
fn a_reply_consumer_takes_no_acknowledgements_and_is_alone() {
    let world = World::new();
    let (code, text) = refusal(world.channel.basic_consume(REPLY_TO));
    assert_eq!((code, text.as_str()), (406, "reply consumer cannot acknowledge"));
    let replies = consume_replies(&world.channel);
    let other = Consume::new(REPLY_TO).no_ack();
    let same = other.clone().consumer_tag(replies.tag());
    for again in [same, other.clone()] {
        let (code, text) = refusal(world.channel.basic_consume_with(&again));
        assert_eq!((code, text.as_str()), (406, "reply consumer already set"));
    }
    drop(replies);
    assert!(world.channel.basic_consume_with(&other).is_ok());
}

#[test]
fn the_queue_that_is_none_cannot_be_bound() {
    let world = World::new();
    let missing = (404, format!("no queue '{REPLY_TO}' in vhost '/'"));
    assert_eq!(refusal(world.channel.queue_bind(REPLY_TO, "amq.direct", "k")), missing);
    assert!(world.channel.queue_unbind(REPLY_TO, "amq.direct", "k").is_ok());
}

#[test]
fn several_requests_share_one_address() {
    let world = World::new();
    world.declare("server");
    let asking = world.open_channel();
    let replies = consume_replies(&asking);
    let addresses = [request(&world, &asking), request(&world, &asking)];
    assert_eq!(addresses[0], addresses[1]);
    for (address, body) in addresses.iter().zip(["one", "two"]) {
        world.publish(address, [body]);
    }
    assert_eq!(waiting(&replies), ["one", "two"]);
}
