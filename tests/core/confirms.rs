//! Publisher confirms and returned messages.

use leveret::{Confirmed, Error, Publish};

use crate::support::{World, int, refusal, string};

fn to(queue: &str) -> Publish {
    Publish::to_queue(queue).body("m")
}

#[test]
fn what_the_queues_have_is_confirmed() {
    let world = World::new();
    world.declare("q");
    for _ in 0..3 {
        let confirmed = world.channel.publish(to("q")).wait().unwrap();
        assert!(matches!(confirmed, Confirmed::Ack));
    }
    assert_eq!(world.ready("q"), 3);
}

#[test]
fn the_unroutable_is_confirmed_unless_it_is_mandatory() {
    let world = World::new();
    let confirmed = world.channel.publish(to("nowhere")).wait().unwrap();
    assert!(matches!(confirmed, Confirmed::Ack));
    let Confirmed::Returned(message) =
        world.channel.publish(to("nowhere").mandatory()).wait().unwrap()
    else {
        panic!("a mandatory message comes back");
    };
    assert_eq!((message.routing_key(), message.body()), ("nowhere", &b"m"[..]));
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
    assert!(matches!(world.channel.publish(to_both()).wait().unwrap(), Confirmed::Ack));
    assert!(matches!(world.channel.publish(to_both()).wait().unwrap(), Confirmed::Nack));
    assert_eq!((world.ready("open"), world.ready("full")), (2, 1));
    world.take("full").unwrap();
    assert!(matches!(world.channel.publish(to_both()).wait().unwrap(), Confirmed::Ack));
}

#[test]
fn a_message_that_came_back_earlier_does_not_count_for_a_later_one() {
    let world = World::new();
    world.declare("q");
    world.channel.basic_publish(to("nowhere").mandatory()).unwrap();
    let confirmed = world.channel.publish(to("q").mandatory()).wait().unwrap();
    assert!(matches!(confirmed, Confirmed::Ack), "{confirmed:?}");
    assert_eq!(world.channel.take_returned().unwrap().routing_key(), "nowhere");
}

#[test]
fn plain_publishes_between_do_not_confuse_the_numbers() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(2)), ("x-overflow", string("reject-publish"))]);
    world.channel.basic_publish(to("q")).unwrap();
    assert!(matches!(world.channel.publish(to("q")).wait().unwrap(), Confirmed::Ack));
    world.channel.basic_publish(to("q")).unwrap();
    assert!(matches!(world.channel.publish(to("q")).wait().unwrap(), Confirmed::Nack));
    world.channel.queue_purge("q").unwrap();
    assert!(matches!(world.channel.publish(to("q")).wait().unwrap(), Confirmed::Ack));
}

#[test]
fn a_publish_that_fails_leaves_the_channel_in_order() {
    let world = World::new();
    world.declare("q");
    let nowhere = Publish::to_exchange("missing", "k");
    let missing = (404, "no exchange 'missing' in vhost '/'".to_owned());
    assert_eq!(refusal(world.channel.publish(nowhere.clone()).wait()), missing);
    assert!(matches!(world.channel.publish(to("q")).wait().unwrap(), Confirmed::Ack));
    assert_eq!(refusal(world.channel.basic_publish(nowhere)), missing);
    assert!(matches!(world.channel.publish(to("q")).wait().unwrap(), Confirmed::Ack));
}

#[test]
fn confirms_and_transactions_exclude_each_other() {
    let world = World::new();
    world.declare("q");
    assert!(world.channel.publish(to("q")).wait().unwrap().is_ack());
    let (code, text) = refusal(world.channel.tx_select());
    assert_eq!((code, text.as_str()), (406, "cannot switch from confirm to tx mode"));
    let other = world.open_channel();
    other.tx_select().unwrap();
    let (code, text) = refusal(other.publish(to("q")).wait());
    assert_eq!((code, text.as_str()), (406, "cannot switch from tx to confirm mode"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_task_awaits_confirms_and_blocks_no_thread() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(3)), ("x-overflow", string("reject-publish"))]);
    let held = world.broker.faults().confirms().nth(2).hold();
    let confirming: Vec<_> = (0..4).map(|_| world.channel.publish(to("q"))).collect();
    let returned = world.channel.publish(to("nowhere").mandatory());
    let task = tokio::spawn(async move {
        let mut accepted = Vec::new();
        for confirmed in confirming {
            accepted.push(confirmed.await.unwrap().is_ack());
        }
        (accepted, returned.await.unwrap())
    });
    tokio::task::yield_now().await;
    assert!(!task.is_finished(), "the second confirm is held back");
    assert_eq!(held.release(), 1);
    let (accepted, returned) = task.await.unwrap();
    assert_eq!(accepted, [true, true, true, false]);
    assert!(matches!(returned, Confirmed::Returned(message) if message.routing_key() == "nowhere"));
}

#[tokio::test(flavor = "current_thread")]
async fn who_awaits_a_confirm_hears_that_the_channel_is_closed() {
    let world = World::new();
    world.declare("q");
    let _lost = world.broker.faults().confirms().lose();
    let confirming = world.channel.publish(to("q"));
    let task = tokio::spawn(confirming);
    tokio::task::yield_now().await;
    assert!(!task.is_finished());
    world.channel.close();
    assert_eq!(task.await.unwrap().unwrap_err(), Error::ChannelClosed);
    assert_eq!(world.channel.publish(to("q")).await.unwrap_err(), Error::ChannelClosed);
}

#[test]
fn a_message_is_published_whether_its_confirm_is_asked_for_or_not() {
    let world = World::new();
    world.declare_with("q", [("x-max-length", int(1)), ("x-overflow", string("reject-publish"))]);
    drop(world.channel.publish(to("q")));
    drop(world.channel.publish(to("q")));
    assert_eq!(world.ready("q"), 1);
    assert!(matches!(world.channel.publish(to("q")).wait().unwrap(), Confirmed::Nack));
}
