//! Transactions: what a channel holds back until the commit.

use leveret::Publish;

use crate::support::{World, int, refusal, string, text};

#[test]
fn publishes_wait_for_the_commit() {
    let world = World::new();
    world.declare("q");
    world.channel.tx_select().unwrap();
    world.publish("q", ["a", "b"]);
    assert_eq!(world.ready("q"), 0);
    world.channel.tx_commit().unwrap();
    assert_eq!(world.ready("q"), 2);
    world.publish("q", ["c"]);
    world.channel.tx_rollback().unwrap();
    world.channel.tx_commit().unwrap();
    assert_eq!(world.drain("q"), ["a", "b"]);
}

#[test]
fn acknowledgements_wait_and_a_rollback_makes_them_unacknowledged_again() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a", "b"]);
    world.channel.tx_select().unwrap();
    let (a, b) = (world.get("q"), world.get("q"));
    a.ack().unwrap();
    b.requeue().unwrap();
    assert_eq!((world.ready("q"), world.counts("q").unacked), (0, 2));
    world.channel.tx_rollback().unwrap();
    assert_eq!((world.ready("q"), world.counts("q").unacked), (0, 2));
    b.ack().unwrap();
    a.requeue().unwrap();
    world.channel.tx_commit().unwrap();
    assert_eq!(world.counts("q").unacked, 0);
    assert_eq!(world.drain("q"), ["a"]);
}

#[test]
fn closing_the_channel_rolls_back() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["a"]);
    let channel = world.open_channel();
    channel.tx_select().unwrap();
    channel.basic_publish(Publish::to_queue("q").body("b")).unwrap();
    channel.basic_get("q").unwrap().unwrap().ack().unwrap();
    channel.close();
    let delivery = world.get("q");
    assert_eq!((text(&delivery).as_str(), delivery.redelivered()), ("a", true));
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn a_commit_fails_if_a_queue_was_deleted_since_the_publish() {
    let world = World::new();
    for queue in ["open", "gone"] {
        world.declare(queue);
        world.channel.queue_bind(queue, "amq.fanout", "").unwrap();
    }
    world.publish("open", ["first"]);
    let channel = world.open_channel();
    channel.tx_select().unwrap();
    channel.basic_publish(Publish::to_exchange("amq.fanout", "").body("m")).unwrap();
    channel.basic_get("open").unwrap().unwrap().ack().unwrap();
    world.channel.queue_delete("gone").unwrap();
    world.declare("gone");
    let failed = (406, "partial tx completion".to_owned());
    assert_eq!(refusal(channel.tx_commit()), failed);
    assert_eq!(world.drain("open"), ["m"], "the rest of it stands");
    assert_eq!((world.ready("gone"), world.counts("open").unacked), (0, 0));
}

#[test]
fn a_commit_that_a_queue_refuses_in_part_fails_and_the_rest_stands() {
    let world = World::new();
    world.declare("open");
    world
        .declare_with("full", [("x-max-length", int(0)), ("x-overflow", string("reject-publish"))]);
    world.channel.tx_select().unwrap();
    world.publish("full", ["a"]);
    world.publish("open", ["b"]);
    let (code, text) = refusal(world.channel.tx_commit());
    assert_eq!((code, text.as_str()), (406, "partial tx completion"));
    world.channel.tx_commit().unwrap();
    assert_eq!(world.ready("open"), 1);
}

#[test]
fn routes_are_found_when_the_message_is_published() {
    let world = World::new();
    world.channel.tx_select().unwrap();
    let missing = Publish::to_exchange("missing", "");
    assert_eq!(refusal(world.channel.basic_publish(missing)).0, 404);
    world.publish("q", ["a"]);
    world.declare("q");
    world.channel.tx_commit().unwrap();
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn a_queue_that_is_gone_at_the_commit_gets_nothing() {
    let world = World::new();
    world.declare("q");
    world.channel.tx_select().unwrap();
    world.publish("q", ["a"]);
    world.open_channel().queue_delete("q").unwrap();
    assert_eq!(refusal(world.channel.tx_commit()).0, 406);
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn mandatory_messages_come_back_at_the_commit() {
    let world = World::new();
    world.channel.tx_select().unwrap();
    world.channel.basic_publish(Publish::to_queue("nowhere").mandatory()).unwrap();
    assert!(world.channel.take_returned().is_none());
    world.channel.tx_commit().unwrap();
    assert_eq!(world.channel.take_returned().unwrap().routing_key(), "nowhere");
}

#[test]
fn without_a_transaction_there_is_nothing_to_commit() {
    let world = World::new();
    let expected = (406, "channel is not transactional".to_owned());
    assert_eq!(refusal(world.channel.tx_commit()), expected);
    assert_eq!(refusal(world.channel.tx_rollback()), expected);
}
