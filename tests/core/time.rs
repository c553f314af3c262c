//! Time to live of messages and queues, to the millisecond.

use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use leveret::{Broker, Channel, Consume, Publish, Sleep};

use crate::support::{World, declare_with, int, waiting};

#[test]
fn messages_live_as_long_as_their_queue_says() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(100))]);
    world.publish("q", ["a"]);
    world.advance_ms(40);
    world.publish("q", ["b"]);
    world.advance_ms(59);
    assert_eq!(world.ready("q"), 2);
    world.advance_ms(1);
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(39);
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(1);
    assert_eq!((world.ready("q"), world.broker.memory_used()), (0, 0));
}

#[test]
fn the_shorter_time_counts() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(100))]);
    for ms in [30, 500] {
        world.channel.basic_publish(Publish::to_queue("q").expiration_ms(ms)).unwrap();
    }
    world.advance_ms(30);
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(69);
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(1);
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn an_expired_message_waits_behind_a_live_one_and_is_never_delivered() {
    let world = World::new();
    world.declare("q");
    world.publish("q", ["live"]);
    world.channel.basic_publish(Publish::to_queue("q").body("dead").expiration_ms(10)).unwrap();
    world.publish("q", ["last"]);
    world.advance_ms(10);
    assert_eq!(world.ready("q"), 3);
    assert_eq!(world.drain("q"), ["live", "last"]);
}

#[test]
fn a_return_does_not_renew_the_time() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(100))]);
    world.publish("q", ["a"]);
    let delivery = world.get("q");
    world.advance_ms(99);
    delivery.requeue().unwrap();
    assert_eq!(world.ready("q"), 1);
    let delivery = world.get("q");
    world.advance_ms(50);
    assert_eq!(world.counts("q").unacked, 1);
    delivery.requeue().unwrap();
    assert_eq!((world.ready("q"), world.counts("q").unacked), (0, 0));
}

#[test]
fn no_time_at_all_still_reaches_a_waiting_consumer() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(0))]);
    world.publish("q", ["a"]);
    assert_eq!(world.ready("q"), 0);
    let consumer = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["b"]);
    assert_eq!(waiting(&consumer), ["b"]);
}

#[test]
fn an_unused_queue_expires() {
    let world = World::new();
    world.declare_with("q", [("x-expires", int(1000))]);
    world.publish("q", ["a"]);
    world.advance_ms(999);
    assert!(world.queue("q").is_some());
    world.advance_ms(1);
    assert!(world.queue("q").is_none());
    assert_eq!(world.broker.memory_used(), 0);
}

#[test]
fn declaring_and_polling_use_a_queue_and_publishing_does_not() {
    let world = World::new();
    let declare = || declare_with(&world.channel, "q", [("x-expires", int(1000))]).unwrap();
    declare();
    world.advance_ms(600);
    declare();
    world.advance_ms(600);
    assert!(world.take("q").is_none());
    world.advance_ms(600);
    world.publish("q", ["a"]);
    world.advance_ms(399);
    assert!(world.queue("q").is_some());
    world.advance_ms(1);
    assert!(world.queue("q").is_none());
}

#[test]
fn a_consumer_holds_a_queue_and_its_end_starts_the_time() {
    let world = World::new();
    world.declare_with("q", [("x-expires", int(1000))]);
    let consumer = world.channel.basic_consume("q").unwrap();
    world.advance_ms(5000);
    drop(consumer);
    world.advance_ms(999);
    assert!(world.queue("q").is_some());
    world.advance_ms(1);
    assert!(world.queue("q").is_none());
}

#[test]
fn what_expires_while_a_consumer_has_no_credit_is_not_delivered_later() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(50))]);
    world.channel.basic_qos(1).unwrap();
    let consumer = world.channel.basic_consume("q").unwrap();
    world.publish("q", ["a", "b"]);
    world.advance_ms(25);
    world.publish("q", ["c"]);
    let first = consumer.recv().unwrap();
    world.advance_ms(25);
    first.ack().unwrap();
    assert_eq!(waiting(&consumer), ["c"]);
}

#[test]
fn a_long_time_passes_in_one_step() {
    let world = World::new();
    world.declare_with("q", [("x-message-ttl", int(315_360_000_000))]);
    let consume = Consume::new("q").no_ack();
    world.publish("q", ["a"]);
    world.advance_ms(315_359_999_999);
    assert_eq!(world.ready("q"), 1);
    world.advance_ms(1);
    assert!(world.channel.basic_consume_with(&consume).unwrap().try_recv().is_none());
}

#[test]
fn a_deleted_queue_leaves_no_alarm_behind() {
    let world = World::new();
    world.declare_with("q", [("x-expires", int(1_000_000))]);
    let queue = world.queue("q").unwrap().downgrade();
    assert_eq!(queue.strong_count(), 1);
    world.channel.queue_delete("q").unwrap();
    assert_eq!((queue.strong_count(), queue.weak_count()), (0, 0));
}

#[test]
fn a_queue_with_many_deadlines_wakes_at_each() {
    let world = World::new();
    world.declare_with("q", [("x-expires", int(100))]);
    for round in 0..50 {
        let publish = Publish::to_queue("q").expiration_ms(1 + round % 3);
        world.channel.basic_publish(publish).unwrap();
        world.advance_ms(1 + round % 3);
        assert_eq!(world.ready("q"), 0, "round {round}");
        assert!(world.take("q").is_none());
    }
    world.advance_ms(100);
    assert!(world.queue("q").is_none());
}

/// Polls once; tells whether the sleep is over.
fn is_over(sleep: &mut Sleep) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(sleep).poll(&mut cx).is_ready()
}

#[test]
fn sleeping_goes_by_the_clock_of_the_broker() {
    let world = World::new();
    let minute = Duration::from_secs(60);
    let mut short = world.broker.sleep(minute);
    let mut long = world.broker.sleep(2 * minute);
    let mut dropped = world.broker.sleep(minute / 2);
    assert!(!is_over(&mut short) && !is_over(&mut long) && !is_over(&mut dropped));
    drop(dropped);
    assert_eq!(world.broker.next_deadline(), Some(short.deadline()));
    world.advance_ms(59_999);
    assert!(!is_over(&mut short));
    assert_eq!(world.broker.advance_to_next_event(), Some(short.deadline()));
    assert!(is_over(&mut short) && !is_over(&mut long));
    drop(world);
    assert!(is_over(&mut long), "nobody will move the clock any more");
}

#[test]
fn a_sleeper_is_woken_between_the_events_before_and_after() {
    struct Noted(Channel);
    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.0.basic_publish(Publish::to_queue("log").body("woken")).unwrap();
        }
    }
    let world = World::new();
    world.declare("log");
    world.declare_with("q", [("x-message-ttl", int(2000))]);
    world.publish("q", ["a"]);
    let waker = Waker::from(Arc::new(Noted(world.open_channel())));
    let mut sleep = world.broker.sleep(Duration::from_millis(1000));
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(world.broker.advance_to_next_event(), Some(sleep.deadline()));
    assert_eq!((world.ready("q"), world.drain("log")), (1, vec!["woken".to_owned()]));
    world.advance_ms(1000);
    assert_eq!(world.ready("q"), 0);
}

#[test]
fn on_the_systems_clock_sleeping_takes_its_time() {
    let (sender, receiver) = mpsc::channel();
    struct Sent(mpsc::Sender<()>);
    impl Wake for Sent {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }
    let broker = Broker::new();
    let end = broker.now() + Duration::from_millis(20);
    let mut sleep = broker.sleep(Duration::from_millis(20));
    let waker = Waker::from(Arc::new(Sent(sender)));
    while Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending() {
        receiver.recv().unwrap();
    }
    assert!(broker.now() >= end);
    assert_eq!(broker.next_deadline(), None);
}
