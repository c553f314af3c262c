//! Publisher confirms and returned messages.

use leveret::{Confirmed, Publish};

use crate::support::{World, int, refusal, string};

fn to(queue: &str) -> Publish {
    Publish::to_queue(queue).body("m")
}

#[test]
fn what_the_queues_have_is_confirmed() {
    let world = World::new();
    world.declare("q");
    for _ in 0..3 {
        let confirmed = world.channel.publish_and_confirm(to("q")).unwrap();
        assert!(matches!(confirmed, Confirmed::Ack));
    }
    assert_eq!(world.ready("q"), 3);
}

#[test]
fn the_unroutable_is_confirmed_unless_it_is_mandatory() {
    let world = World::new();
    let confirmed = world.channel.publish_and_confirm(to("nowhere")).unwrap();
    assert!(matches!(confirmed, Confirmed::Ack));
    let Confirmed::Returned(message) =
        world.channel.publish_and_confirm(to("nowhere").mandatory()).unwrap()
    else {
        panic!("a mandatory message comes back");
    };
    assert_eq!((message.routing_key().as_str(), message.body()), ("nowhere", &b"m"[..]));
    assert!(world.channel.take_returned().is_none());
}

#[test]
fn a_full_queue_that_rejects_publishes_refuses() {
    let world = World::new();
    world.declare("open");
    world
        .declare_with("full", [("x-max-length", int(1)), ("x-overflow", string("reject-publish"))]);
    for queue in ["open", "full"] {
        world.channel.queue_bind(queue, "amq.fanout", "").unwrap();
    }
    let to_both = || Publish::to_exchange("amq.fanout", "").body("m");
    assert!(matches!(world.channel.publish_and_confirm(to_both()).unwrap(), Confirmed::Ack));
    assert!(matches!(world.channel.publish_and_confirm(to_both()).unwrap(), Confirmed::Nack));
    assert_eq!((world.ready("open"), world.ready("full")), (2, 1));
    world.take("full").unwrap();
    assert!(matches!(world.channel.publish_and_confirm(to_both()).unwrap(), Confirmed::Ack));
}

#[test]
fn a_message_that_came_back_earlier_does_not_count_for_a_later_one() {
    let world = World::new();
    world.declare("q");
    world.channel.basic_publish(to("nowhere").mandatory()).unwrap();
    let confirmed = world.channel.publish_and_confirm(to("q").mandatory()).unwrap();
    assert!(matches!(confirmed, Confirmed::Ack), "{confirmed:?}");
    assert_eq!(world.channel.take_returned().unwrap().routing_key(), "nowhere");
}

#[test]
fn plain_publishes_between_do_not_confuse_the_numbers() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(2)), ("x-overflow", string("reject-publish"))]);
    world.channel.basic_publish(to("q")).unwrap();
    assert!(matches!(world.channel.publish_and_confirm(to("q")).unwrap(), Confirmed::Ack));
    world.channel.basic_publish(to("q")).unwrap();
    assert!(matches!(world.channel.publish_and_confirm(to("q")).unwrap(), Confirmed::Nack));
    world.channel.queue_purge("q").unwrap();
    assert!(matches!(world.channel.publish_and_confirm(to("q")).unwrap(), Confirmed::Ack));
}

#[test]
fn a_publish_that_fails_leaves_the_channel_in_order() {
    let world = World::new();
    world.declare("q");
    let nowhere = Publish::to_exchange("missing", "k");
    let missing = (404, "no exchange 'missing' in vhost '/'".to_owned());
    assert_eq!(refusal(world.channel.publish_and_confirm(nowhere.clone())), missing);
    assert!(matches!(world.channel.publish_and_confirm(to("q")).unwrap(), Confirmed::Ack));
    assert_eq!(refusal(world.channel.basic_publish(nowhere)), missing);
    assert!(matches!(world.channel.publish_and_confirm(to("q")).unwrap(), Confirmed::Ack));
}

#[test]
fn confirms_and_transactions_exclude_each_other() {
    let world = World::new();
    world.declare("q");
    assert!(world.channel.publish_and_confirm(to("q")).unwrap().is_ack());
    let (code, text) = refusal(world.channel.tx_select());
    assert_eq!((code, text.as_str()), (406, "cannot switch from confirm to tx mode"));
    let other = world.open_channel();
    other.tx_select().unwrap();
    let (code, text) = refusal(other.publish_and_confirm(to("q")));
    assert_eq!((code, text.as_str()), (406, "cannot switch from tx to confirm mode"));
}
